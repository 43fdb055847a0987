"""The command on published weights: list them, and the actions on the store. It needs no PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess, Triple
from compoundnet.schema import counted, encode, near, shown

from . import storing
from .output import write, write_json, write_table

if TYPE_CHECKING:
    from compoundnet.weights.published import Published

Options: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Action:
    """One action: what runs it, the options that go with it, and how many words it takes, most of them None: any."""

    run: Callable[[Sequence[str], Options], int]
    options: frozenset[str]
    least: int = 0
    most: int | None = 0


def weights_action(
    ask: list[str],
    member: str | None = None,
    ecosystem: str | None = None,
    method: str | None = None,
    licence: str | None = None,
    file: str | None = None,
    sha256: str | None = None,
    lock: str | None = None,
    locked: str | None = None,
    mirror: str | None = None,
    name: str | None = None,
    json: bool = False,
) -> int:
    """List the published EfficientNet weights, fetch them into a store, check it, and bring files by hand.

    Args:
        member: list: only those of this network, such as efficientnet_b0, or of a pattern, such as 'efficientnet_lite*'
        ecosystem: list: only those of tensorflow, keras, torchvision, timm, lukemelas or mmpretrain
        method: list: only those trained so: baseline, autoaugment, randaugment, advprop, noisystudent, timm's ra ...
        licence: list: only those under this licence, such as Apache-2.0
        file: list: only those whose file has this name, now or formerly
        sha256: list: only those that a file with this SHA-256 (64 digits) can be; fetch of an address: its SHA-256
        lock: fetch and import: note in this lock file which bytes the names stand for; verify: check against it
        locked: fetch: take exactly the bytes that this lock file notes, all of them or those of the names
        mirror: fetch: an address or a folder in place of the known hosts; {host} in it is the host it replaces
        name: import, and fetch of an address: what the store calls the file
    """
    action, *words = ask
    if action not in _ACTIONS:
        raise ValueError(f"unknown action {shown(action)} of weights; {near(action, _ACTIONS)}")
    row = _ACTIONS[action]
    if len(words) < row.least or (row.most is not None and len(words) > row.most):
        takes = counted(row.least, "name") if row.least else "no names"
        raise ValueError(f"weights {action} takes {takes}, got {counted(len(words), 'name')}; see --help")
    given = {"member": member, "ecosystem": ecosystem, "method": method, "licence": licence}
    stored = {"lock": lock, "locked": locked, "mirror": mirror, "name": name}
    options = {**given, "file": file, "sha256": sha256, **stored, "json": json}
    for option, value in options.items():
        if value not in (None, False) and option not in row.options:
            raise ValueError(f"--{option} does not go with weights {action}; leave it out")
    return row.run(words, {option: value for option, value in options.items() if option in row.options})


def _list(words: Sequence[str], options: Options) -> int:
    from compoundnet.weights.published import UNLISTED, published_weights

    filters = {name: value for name, value in options.items() if name != "json"}
    rows = published_weights(**filters)
    if options["json"]:
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
    if not any(filters.values()):
        for what, why in UNLISTED:
            write(f"Not listed: {what} ({why}).")
    return 0


def _record(row: "Published") -> dict[str, Any]:
    """All that is known of a row, also what follows from its ecosystem."""
    follows = {"sha256_starts": row.sha256_starts, "padding": row.padding, "norm_eps": row.norm_eps}
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
        "File": row.file,
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


_ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "list": Action(
            run=_list,
            options=frozenset({"member", "ecosystem", "method", "licence", "file", "sha256", "json"}),
        ),
        "fetch": Action(
            run=lambda words, options: storing.fetch(words, **options),
            options=frozenset({"lock", "locked", "mirror", "name", "sha256", "json"}),
            most=None,
        ),
        "verify": Action(
            run=lambda words, options: storing.verify(words, **options),
            options=frozenset({"lock", "json"}),
            most=None,
        ),
        "where": Action(
            run=lambda words, options: storing.where(words, **options),
            options=frozenset({"json"}),
            most=None,
        ),
        "import": Action(
            run=lambda words, options: storing.bring(words, **options),
            options=frozenset({"lock", "name", "json"}),
            most=None,
        ),
    }
)
