"""inspect_checkpoint(): what a weight file is, each statement with its confidence and its evidence."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from compoundnet.operators import OPERATORS
from compoundnet.schema import counted, encode

from .cards import Provenance, lineage
from .catalogue import PACKAGED, Habit, habit, known, locate
from .choosing import AVERAGING
from .errors import CheckpointError
from .files import Checkpoint, read_checkpoint, sha256
from .formats import recognised
from .hashing import state_sha256
from .judging import Confidence
from .loading import require_source
from .matching import describe, ecosystems, fits
from .names import OWN
from .published import Published, every_published, published_as
from .records import Weights
from .repository import by_config, weights_file
from .store import default_store
from .telling import Finding, normalisation, tell
from .told import NOTHING, Told, by_store

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

    A file of the catalogue is known by its hash, which also says what it was converted from.

    Raises CheckpointError, one line, for what cannot be read.

    >>> found = inspect_checkpoint("efficientnet_lite0")
    >>> print(found.finding("network"))
    network: efficientnet_lite0 (certain: each of 296 names and shapes is one of its)
    >>> found.finding("padding").value, found.finding("normalisation").confidence
    ('same', 'certain')
    """
    path, told = _located(source)
    checkpoint = read_checkpoint(path)
    hashed = sha256(path) if path.is_file() else ""
    weights, where = _record(path, checkpoint, operators)
    findings = [_format(path)]
    public = published_as(sha256=hashed)
    if weights is None:
        findings += _bare(path, checkpoint, told, public)
    else:
        findings += _recorded(checkpoint, weights, where)
    findings += _stored(path, checkpoint, hashed)
    return Inspection(
        path=str(path),
        bytes=_bytes(path),
        sha256=hashed,
        findings=tuple(findings),
        provenance=_published(public) if weights is None else lineage(weights),
        weights=weights,
    )


def _located(source: str | Path) -> tuple[Path, Told]:
    """Where the weights lie, and what is told of them by what lies beside them."""
    if str(source) in PACKAGED:
        return locate(PACKAGED[str(source)]), NOTHING
    path = Path(source)
    if path.is_dir():
        return weights_file(path) or path, by_config(path)
    if not path.exists() and (kept := default_store().find(str(source))) is not None:
        return default_store().path(kept), by_store(kept)
    require_source(path, str(source))
    return path, NOTHING


def _published(row: Published | None) -> tuple[Provenance, ...]:
    """What a published file was converted from, the oldest first."""
    steps: list[Provenance] = []
    while row is not None:
        step = Provenance(
            deed="converted" if row.converted_from else "published",
            name=row.name,
            source=f"{row.source}: {row.file}",
            sha256=row.sha256,
            metrics={} if row.top1 is None else {"imagenet_top1": row.top1},
            licence=row.licence,
        )
        steps.insert(0, step)
        row = every_published()[row.converted_from] if row.converted_from else None
    return tuple(steps)


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
        text, where = checkpoint.origin, "the record that convert left in it"
    if text is None:
        return None, ""
    try:
        return Weights.from_dict(json.loads(text), operators), where
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its record cannot be read: {error}") from None


def _recorded(checkpoint: Checkpoint, weights: Weights, where: str) -> list[Finding]:
    """What a record says, and whether the tensors are those that its card names."""
    network, pre = weights.network, weights.preprocess
    member = describe(network)
    seen = tell(checkpoint.tensors, "").ecosystem if checkpoint.record is None else OWN
    rows: list[tuple[str, str | int | float]] = [
        ("names", seen or "of no known ecosystem"),
        ("network", weights.name if member == "the network" else member),
        *([("name", weights.name)] if member not in ("the network", weights.name) else []),
        ("classes", network.classes),
        ("in_channels", network.in_channels),
        ("padding", network.padding),
        ("norm_eps", network.norm_eps),
        ("normalisation", normalisation(pre.mean, pre.std)),
        ("source", weights.source or "unknown"),
        ("licence", weights.licence or "unknown"),
    ]
    findings = [Finding(what, value, "certain", where) for what, value in rows]
    has = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    if not any(fits(network, each, has) for each in ecosystems(has)):
        findings.append(Finding("tensors", "not those of the network in the record", "certain", "names and shapes"))
    known = lineage(weights)[-1].tensors_sha256
    if known and checkpoint.record is not None:
        same = state_sha256(checkpoint.tensors) == known
        value = "those of its card" if same else "others than its card names"
        findings.append(Finding("tensors", value, "certain", f"their SHA-256 {'is' if same else 'is not'} {known}"))
    return findings


def _bare(path: Path, checkpoint: Checkpoint, told: Told, public: Published | None) -> list[Finding]:
    """What tensors, the catalogue, what lies beside it and its name tell of a file without a record."""
    file = (public.file_name if public else told.file) or path.name
    seen = tell(checkpoint.tensors, file, checkpoint.mean)
    found = [*seen.findings, _average(checkpoint)]
    if public is not None and public.member in seen.members:
        whole = bool(public.sha256)
        why = "its SHA-256 is in the catalogue" if whole else f"its SHA-256 begins with {public.sha256_starts}"
        sure: Confidence = "certain" if whole else "likely"
        origin = (("source", f"{public.name}, {public.source}"), ("licence", public.licence))
        settled = _settled(found, public.member, public.habit, why, sure)
    elif told.member is not None and told.member in seen.members:
        why, sure = told.by or "the store that keeps it", "certain" if told.surely else "likely"
        row = told.habit or habit(told.ecosystem or seen.ecosystem or OWN, told.member, file)
        origin = (("source", told.source), ("licence", told.licence))
        settled = _settled(found, told.member, row, why, sure)
    else:
        return [*found, Finding("source", "unknown", "open", "its hash is in no table")]
    return [*settled, *(Finding(what, value, sure, why) for what, value in origin)]


def _settled(
    findings: Sequence[Finding], member: str, row: Habit, why: str, confidence: Confidence
) -> Iterator[Finding]:
    """The findings with what is known of a network and its preprocessing whatever the tensors tell of them."""
    network = row.network(known()[member])
    pre = row.preprocess(network)
    values: dict[str, str | float] = {
        "network": member,
        "padding": network.padding,
        "norm_eps": network.norm_eps,
        "normalisation": normalisation(pre.mean, pre.std),
    }
    for each in findings:
        if each.what not in values or each.confidence == "certain":
            yield each
        else:
            evidence = f"{why}; {each.evidence}"
            yield replace(each, value=values[each.what], confidence=confidence, evidence=evidence)


def _average(checkpoint: Checkpoint) -> Finding:
    """Whether the weights are a moving average: what was said when the file was read."""
    cut = tuple(f"cut {prefix!r} off every name" for prefix in AVERAGING)
    for note in checkpoint.notes:
        if (
            note in cut
            or "read as moving averages" in note
            or "n_averaged" in note
            or re.match("read .*averaged weights", note)
        ):
            return Finding("average", "moving average", "certain", note)
        if "left out" in note and "averag" in note:
            return Finding("average", "raw", "certain", note)
    return Finding("average", "raw or moving average", "open", "nothing in the file says so")


def _stored(path: Path, checkpoint: Checkpoint, hashed: str) -> list[Finding]:
    """How the file holds its tensors."""
    found = [Finding("dtype", _dtypes(checkpoint.tensors), "certain", counted(len(checkpoint.tensors), "tensor"))]
    if checkpoint.notes:
        found.append(Finding("wrapping", "; ".join(checkpoint.notes), "certain", "the names in the file"))
    if checkpoint.beside:
        others = ", ".join(checkpoint.beside[:6]) + (", ..." if len(checkpoint.beside) > 6 else "")
        found.append(Finding("beside", others, "certain", "the names in the file"))
    if hashed and (promised := _HASHED.search(path.name)):
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
