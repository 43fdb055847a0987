"""The command that says what a weight file is: inspect."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import safe, whole, write, write_json, write_table

if TYPE_CHECKING:
    from compoundnet.weights import Inspection, Provenance, Weights

_ARTEFACTS = (".onnx", ".xml", ".pt2")


def inspect_file(file: str, card: str | None = None, force: bool = False, json: bool = False) -> int:
    """Say what a weight file or artefact is: family, classes, padding, preprocessing, and where it comes from.

    Args:
        card: write a model card (Markdown) to this file, as a README for a model hub
    """
    _require_free(card, force)
    if Path(file).suffix in _ARTEFACTS:
        return _artefact(file, card, json)
    from compoundnet.weights import inspect_checkpoint

    found = inspect_checkpoint(file)
    if card is not None:
        _write_card(card, found.weights or _assumed(file))
    if json:
        write_json(found.to_dict())
        return 0
    hashed = f", SHA-256 {found.sha256}" if found.sha256 else ""  # a TensorFlow checkpoint is several files
    write(f"{safe(found.path)}: {found.bytes:,} bytes{hashed}")
    _print(found)
    _chain(found.provenance)
    if card is not None:
        write(f"Card: {safe(card)}")
    return 0


def _require_free(card: str | None, force: bool) -> None:
    """Raise ValueError where the card would take the place of a file that is to stay, as somebody's README is."""
    if card is None and force:
        raise ValueError("--force goes with --card; leave it out, or name the card's file")
    if card is not None and not force and Path(card).is_file():
        raise ValueError(f"{card}: is there already; give another name, or --force to replace it")


def _assumed(file: str) -> "Weights":
    """The record of a file without one, as load assumes it."""
    from compoundnet.operators import OPERATORS
    from compoundnet.weights.loading import opened

    return opened(file, None, OPERATORS).weights


def _print(found: "Inspection") -> None:
    rows = [(each.what, safe(str(each.value)), each.confidence, safe(each.evidence)) for each in found.findings]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    for row in rows:
        write("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip())


def _chain(steps: "tuple[Provenance, ...]") -> None:
    """Where the weights come from, the oldest step first."""
    for number, step in enumerate(steps, 1):
        known = (step.source, step.data, step.recipe and f"recipe {step.recipe}", step.licence, step.date, step.tool)
        write(f"{number}. {step.deed}: {safe(step.name)}" + "".join(f"; {safe(text)}" for text in known if text))


def _artefact(file: str, card: str | None, json: bool) -> int:
    """What the record inside an exported model says; the seal is verify's business."""
    from compoundnet.export.exporting import recorded
    from compoundnet.weights import lineage

    record = recorded(file)
    weights = record.read_weights()
    if card is not None:
        _write_card(card, weights)
    if json:
        write_json({"path": file, "format": record.options.format, "weights": record.weights})
        return 0
    rows: list[tuple[str, Any]] = [
        ("Format", record.options.format),
        ("Network", weights.name),
        ("Classes", weights.network.classes),
        ("Licence", weights.licence or "unknown"),
        ("Tensors", record.tensors_sha256),
    ]
    write_table(["What", "Value"], [[what, safe(str(value))] for what, value in rows])
    _chain(lineage(weights))
    return 0


def _write_card(path: str, weights: "Weights") -> None:
    from compoundnet.weights import to_markdown

    with whole(path) as target:
        target.write(to_markdown(weights))
