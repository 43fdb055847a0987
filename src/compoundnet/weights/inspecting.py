"""inspect_checkpoint(): what a weight file is, each statement with its confidence and its evidence."""

import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from compoundnet.operators import OPERATORS
from compoundnet.schema import counted, encode

from .cards import Provenance, lineage
from .catalogue import PACKAGED, known, locate, packaged
from .errors import CheckpointError
from .files import Checkpoint, read_checkpoint, sha256
from .formats import recognised
from .hashing import state_sha256
from .names import OWN
from .records import Weights
from .repository import Told, told, weights_file
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
    hashed = sha256(path) if path.is_file() else ""
    weights, where = _record(path, checkpoint, operators)
    findings = [_format(path)]
    if weights is None:
        findings += _bare(path, checkpoint, hashed, told(Path(source)) if Path(source).is_dir() else None)
    else:
        findings += _recorded(checkpoint, weights, where)
    findings += _stored(path, checkpoint, hashed)
    return Inspection(
        path=str(path),
        bytes=_bytes(path),
        sha256=hashed,
        findings=tuple(findings),
        provenance=() if weights is None else lineage(weights),
        weights=weights,
    )


def _path(source: str | Path) -> Path:
    if str(source) in PACKAGED:
        return locate(PACKAGED[str(source)])
    path = Path(source)
    return (weights_file(path) if path.is_dir() else None) or path


def _format(path: Path) -> Finding:
    row = recognised(path) if path.is_file() else None
    if row is None:  # what was read although it is no single file of a known look
        return Finding("format", "TensorFlow checkpoint", "certain", "the files of one")
    return Finding("format", row.name, "certain", "its first bytes and the names in it, not its own name")


def _bytes(path: Path) -> int:
    """The size of a file; of a TensorFlow checkpoint, which is several, that of all."""
    if path.is_file():
        return path.stat().st_size
    files = path.iterdir() if path.is_dir() else path.parent.glob(f"{path.name}.*")
    return sum(each.stat().st_size for each in files if each.is_file())


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


def _bare(path: Path, checkpoint: Checkpoint, hashed: str, config: Told | None) -> list[Finding]:
    """What names, shapes, statistics, a config.json beside it and the file's name tell of a file without a record."""
    seen = tell(checkpoint.tensors, config.architecture if config else path.name).findings
    if (row := next((name for name, entry in PACKAGED.items() if entry.sha256 == hashed), None)) is not None:
        why = "its SHA-256 is in the catalogue"
        return [*_settled(seen, packaged(row), why), *_origin(packaged(row), why)]
    found = [*seen, _average(checkpoint)]
    if config is None:
        return [*found, Finding("source", "unknown", "open", "its hash is in no table")]
    member = config.habit.network(known()[config.member])
    weights = Weights(
        name=config.member,
        network=member,
        preprocess=config.habit.preprocess(member),
        source=f"a repository of timm's {config.architecture}",
        licence=config.licence,
    )
    why = "the config.json beside it"
    return [*_settled(found, weights, why), *_origin(weights, why)]


def _settled(findings: Sequence[Finding], weights: Weights, why: str) -> list[Finding]:
    """What is known for certain of a network and its preprocessing, whatever the tensors tell of them."""
    values: dict[str, str | float] = {
        "padding": weights.network.padding,
        "norm_eps": weights.network.norm_eps,
        "normalisation": normalisation(weights.preprocess.mean, weights.preprocess.std),
    }
    return [
        replace(each, value=values[each.what], confidence="certain", evidence=f"{why}; {each.evidence}")
        if each.what in values
        else each
        for each in findings
    ]


def _origin(weights: Weights, why: str) -> list[Finding]:
    return [Finding("source", weights.source, "certain", why), Finding("licence", weights.licence, "certain", why)]


def _average(checkpoint: Checkpoint) -> Finding:
    """Whether the weights are a moving average: what was said when the file was read."""
    for note in checkpoint.notes:
        if "read as moving averages" in note or "n_averaged" in note or re.match("read .*averaged weights", note):
            return Finding("average", "moving average", "certain", note)
        if "left out" in note and "averag" in note:
            return Finding("average", "raw", "certain", note)
    return Finding("average", "raw or moving average", "open", "nothing in the file says so")


def _stored(path: Path, checkpoint: Checkpoint, hashed: str) -> list[Finding]:
    """How the file holds its tensors."""
    found = [Finding("dtype", _dtypes(checkpoint.tensors), "certain", counted(len(checkpoint.tensors), "tensor"))]
    if checkpoint.notes:
        found.append(Finding("wrapping", "; ".join(checkpoint.notes), "certain", "the names in the file"))
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
