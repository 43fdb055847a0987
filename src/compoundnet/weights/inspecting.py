"""inspect_checkpoint(): what a weight file is, each statement with its confidence and its evidence."""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from compoundnet.operators import OPERATORS
from compoundnet.schema import counted, encode

from .cards import Provenance, lineage
from .catalogue import PACKAGED, locate
from .containers import container
from .errors import CheckpointError
from .files import Checkpoint, read_checkpoint, sha256
from .hashing import state_sha256
from .loading import MODEL_FILE
from .names import OWN
from .records import Weights
from .telling import Finding, normalisation, tell
from .writing import ORIGIN_KEY

_HASHED = re.compile(r"-([0-9a-f]{8})(?:[0-9a-f]*)\.(?:pth|pt|safetensors)$")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a file is. ``weights`` is its record where it has one, ``provenance`` its steps, the oldest first."""

    path: str
    bytes: int
    sha256: str
    findings: tuple[Finding, ...]
    provenance: tuple[Provenance, ...] = ()
    weights: Weights | None = None

    def finding(self, what: str) -> Finding:
        """The statement on one topic. Raises KeyError where there is none."""
        found = next((each for each in self.findings if each.what == what), None)
        if found is None:
            raise KeyError(what)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        weights = None if self.weights is None else self.weights.to_dict()
        about = {"path": self.path, "bytes": self.bytes, "sha256": self.sha256}
        return {**about, "findings": encode(self.findings), "provenance": encode(self.provenance), "weights": weights}


def inspect_checkpoint(source: str | Path, operators: Mapping[str, type] = OPERATORS) -> Inspection:
    """Say what a weight file, the folder of a run, or a name with weights is, running nothing that it may hold.

    Raises CheckpointError, one line, for what cannot be read.

    >>> found = inspect_checkpoint("efficientnet_lite0")
    >>> print(found.finding("network"))
    network: efficientnet_lite0 (certain: each of 296 names and shapes is one of its)
    >>> found.finding("padding").value, found.finding("normalisation").confidence
    ('same', 'certain')
    """
    path = _path(source)
    checkpoint = read_checkpoint(path)
    hashed = sha256(path)
    weights, where = _record(path, checkpoint, operators)
    findings = [Finding("format", container(path), "certain", "its first bytes")]
    if weights is None:
        findings += _bare(path, checkpoint, hashed)
    else:
        findings += _recorded(checkpoint, weights, where)
    findings += _stored(path, checkpoint, hashed)
    return Inspection(
        path=str(path),
        bytes=path.stat().st_size,
        sha256=hashed,
        findings=tuple(findings),
        provenance=() if weights is None else lineage(weights),
        weights=weights,
    )


def _path(source: str | Path) -> Path:
    if str(source) in PACKAGED:
        return locate(PACKAGED[str(source)])
    path = Path(source)
    return path / MODEL_FILE if path.is_dir() and (path / MODEL_FILE).is_file() else path


def _record(path: Path, checkpoint: Checkpoint, operators: Mapping[str, type]) -> tuple[Weights | None, str]:
    """The record in the file, and where it stands; of a converted file it lies beside tensors of other names."""
    text, where = checkpoint.record, "its record"
    if text is None:
        text, where = _metadata(path).get(ORIGIN_KEY), "the record that convert left in it"
    if text is None:
        return None, ""
    try:
        return Weights.from_dict(json.loads(text), operators), where
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its record cannot be read: {error}") from None


def _metadata(path: Path) -> Mapping[str, str]:
    """The texts in the head of a safetensors file that was read already; none of another file."""
    if path.suffix != ".safetensors":
        return {}
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)).get("__metadata__", {})


def _recorded(checkpoint: Checkpoint, weights: Weights, where: str) -> list[Finding]:
    """What a record says, and whether the tensors are those that its card names."""
    network, pre = weights.network, weights.preprocess
    seen = tell(checkpoint.tensors, "").ecosystem if checkpoint.record is None else OWN
    rows: list[tuple[str, str | int | float]] = [
        ("names", seen or "of no known ecosystem"),
        ("network", weights.name),
        ("classes", network.classes),
        ("in_channels", network.in_channels),
        ("padding", network.padding),
        ("norm_eps", network.norm_eps),
        ("normalisation", normalisation(pre.mean, pre.std)),
        ("source", weights.source or "unknown"),
        ("licence", weights.licence or "unknown"),
    ]
    findings = [Finding(what, value, "certain", where) for what, value in rows]
    known = lineage(weights)[-1].tensors_sha256
    if known and checkpoint.record is not None:
        same = state_sha256(checkpoint.tensors) == known
        value = "those of its card" if same else "others than its card names"
        findings.append(Finding("tensors", value, "certain", f"their SHA-256 {'is' if same else 'is not'} {known}"))
    return findings


def _bare(path: Path, checkpoint: Checkpoint, hashed: str) -> list[Finding]:
    """What names, shapes, statistics and the file's name tell of a file without a record."""
    row = next((name for name, entry in PACKAGED.items() if entry.sha256 == hashed), None)
    seen = tell(checkpoint.tensors, path.name)
    if row is None:
        return [*seen.findings, _average(checkpoint), Finding("source", "unknown", "open", "its hash is in no table")]
    return [*(_settled(each, row) for each in seen.findings), *_packaged(row)]


def _settled(found: Finding, row: str) -> Finding:
    """What is known of a file in the catalogue whatever its tensors tell."""
    from .catalogue import packaged

    weights = packaged(row)
    values: dict[str, str | float] = {
        "padding": weights.network.padding,
        "norm_eps": weights.network.norm_eps,
        "normalisation": normalisation(weights.preprocess.mean, weights.preprocess.std),
    }
    if found.what not in values:
        return found
    return Finding(found.what, values[found.what], "certain", f"the catalogue's row {row}; {found.evidence}")


def _packaged(row: str) -> list[Finding]:
    from .catalogue import packaged

    weights = packaged(row)
    why = "its SHA-256 is in the catalogue"
    return [
        Finding("source", weights.source, "certain", why),
        Finding("licence", weights.licence, "certain", why),
    ]


def _average(checkpoint: Checkpoint) -> Finding:
    """Whether the weights are a moving average."""
    kept = [name for name in checkpoint.beside if "ema" in name.lower()]
    if kept:
        return Finding("average", "raw", "likely", f"the file keeps {kept[0]!r} beside what is read")
    if any("ema" in note.lower() for note in checkpoint.notes):
        return Finding("average", "moving average", "likely", next(n for n in checkpoint.notes if "ema" in n.lower()))
    return Finding("average", "raw or moving average", "open", "nothing in the file says so")


def _stored(path: Path, checkpoint: Checkpoint, hashed: str) -> list[Finding]:
    """How the file holds its tensors."""
    found = [Finding("dtype", _dtypes(checkpoint.tensors), "certain", counted(len(checkpoint.tensors), "tensor"))]
    if checkpoint.notes:
        found.append(Finding("wrapping", "; ".join(checkpoint.notes), "certain", "the names in the file"))
    if checkpoint.beside:
        others = ", ".join(checkpoint.beside[:6]) + (", ..." if len(checkpoint.beside) > 6 else "")
        found.append(Finding("beside", others, "certain", "the names in the file"))
    if promised := _HASHED.search(path.name):
        kept = hashed.startswith(promised[1])
        value = "as the file's name says" if kept else "not as the file's name says"
        found.append(Finding("hash", value, "certain", f"SHA-256 begins {hashed[:8]}, the name ends in {promised[1]}"))
    return found


def _dtypes(tensors: Mapping[str, Tensor]) -> str:
    counts: dict[str, int] = {}
    for tensor in tensors.values():
        name = str(tensor.dtype).removeprefix("torch.")
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{name} ({count})" for name, count in sorted(counts.items(), key=lambda row: -row[1]))
