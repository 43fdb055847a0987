"""The list of published weights: a table, one of them in full, or JSON. It needs no PyTorch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess, Triple
from compoundnet.schema import counted, encode

from .output import write, write_json, write_table

if TYPE_CHECKING:
    from compoundnet.weights.published import Published


def listed(names: Sequence[str], *, json: bool, **filters: str) -> int:
    """List the published weights that fit all filters, or all of them."""
    from compoundnet.weights.published import UNLISTED, published_weights

    if names:
        raise ValueError(
            f"weights list takes no names, got {counted(len(names), 'name')}; filter with --member or others"
        )
    rows = published_weights(**filters)
    if json:
        write_json([_record(row) for row in rows])
        return 0
    if len(rows) == 1:
        _show(rows[0])
        return 0
    if not rows:
        write("No published weights in the catalogue have all of that.")
        return 0
    write_table(
        ("Name", "Top-1", "Top-5", "Pixels", "Padding", "Mean", "Classes", "Hash"), [_line(row) for row in rows]
    )
    write(
        f"{counted(len(rows), 'file')}. Accuracies in percent, as published; --json has sources, hashes and licences."
    )
    if not filters:
        for what, why in UNLISTED:
            write(f"Not listed: {what} ({why}).")
    return 0


def _record(row: "Published") -> dict[str, Any]:
    """All that is known of a row, also what follows from its ecosystem."""
    follows = {"url": row.url, "sha256_starts": row.sha256_starts, "padding": row.padding, "norm_eps": row.norm_eps}
    return {**encode(row), **follows, "preprocess": encode(row.preprocess)}


def _line(row: "Published") -> tuple[str, ...]:
    figures = [_percent(row.top1), _percent(row.top5), str(row.resolution), row.padding, _mean(row.preprocess.mean)]
    return row.name, *figures, f"{row.classes:,}" if row.classes else "-", _hash(row)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _mean(mean: Triple) -> str:
    """The mean that is subtracted, as its name or number.

    >>> _mean(IMAGENET_MEAN), _mean((127 / 255,) * 3)
    ('ImageNet', '127/255')
    """
    return "ImageNet" if mean == IMAGENET_MEAN else f"{255 * mean[0]:g}/255"


def _norm(prepared: Preprocess) -> str:
    """What pictures are normalised by."""
    if (prepared.mean, prepared.std) == (IMAGENET_MEAN, IMAGENET_STD):
        return "mean and std of ImageNet"
    return f"mean {_mean(prepared.mean)}, std {_mean(prepared.std)}"


def _hash(row: "Published") -> str:
    return "sha256" if row.sha256 else "md5" if row.md5 else "8 digits" if row.sha256_starts else "-"


def _show(row: "Published") -> None:
    from compoundnet.weights.published import METHODS

    size = "" if row.bytes is None else f"{'about ' if row.within else ''}{row.bytes:,} bytes"
    digest = row.sha256 or (f"begins with {row.sha256_starts}" if row.sha256_starts else "")
    classes = f"{row.classes:,}" if row.classes else "none: no classifier"
    prepared, accuracy = row.preprocess, ""
    if row.top1 is not None:
        top5 = "" if row.top5 is None else f", top-5 {row.top5:g} %"
        accuracy = f"top-1 {row.top1:g} %{top5}, published in {row.numbers}"
    facts = {
        "Network": f"{row.member}, called {row.called}",
        "Method": f"{row.method}: {METHODS[row.method]}",
        "File": row.url or row.file,
        "Size": size,
        "SHA-256": digest,
        "MD5": row.md5,
        "Former name": row.former,
        "Published by": row.source,
        "Hub": row.hub,
        "Licence": row.licence,
        "Classes": f"{classes}, the first is the background" if row.classes == 1001 else classes,
        "Padding": f"{row.padding}, norm epsilon {row.norm_eps:g}",
        "Pictures": f"{row.resolution} pixels, {prepared.interpolation}, {_norm(prepared)}",
        "Accuracy": accuracy,
        "Converted from": row.converted_from,
    }
    write(row.name)
    for name, fact in facts.items():
        if fact:
            write(f"  {name}: {fact}")
