"""convert(): weights from any format to another, written only when the file gives the same answers back."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.schema import counted

from .cards import Provenance, clipped, followed, parent_of
from .catalogue import PACKAGED
from .elsewhere import said
from .errors import CheckpointError
from .files import room, sha256
from .hashing import state_sha256
from .loading import opened
from .matching import describe, fitted, require_as_many
from .names import OWN
from .parity import TOLERANCE, Parity, apart, digest, is_counter, logits, side
from .records import Weights
from .repository import weights_file
from .writing import RECORDED, Target, target_of


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A converted file: ``str`` of it is the report.

    ``keys`` pairs every name of the original with its name in the new file. ``recognised`` says what the original is
    and why, ``adapted`` what was changed, ``assumed`` what it leaves open, ``notes`` what the new file cannot hold or
    how the other library runs it. ``bytes`` and ``sha256`` are of the new file.
    """

    path: Path
    format: str
    weights: Weights
    recognised: str
    keys: tuple[tuple[str, str], ...]
    adapted: tuple[str, ...]
    assumed: tuple[str, ...]
    notes: tuple[str, ...]
    parity: Parity
    bytes: int
    sha256: str

    def __str__(self) -> str:
        rows = (("adapted", self.adapted), ("assumed", self.assumed), ("note", self.notes))
        lines = [f"recognised: {self.recognised}", f"keys: all {len(self.keys)} used, none left over"]
        lines += [f"{what}: {line}" for what, found in rows for line in found]
        written = f"written: {self.path} ({self.format}, {self.bytes:,} bytes, SHA-256 {self.sha256})"
        return "\n".join([*lines, f"parity: {self.parity}", written])


def convert(
    source: str | Path,
    to: str,
    out: str | Path,
    *,
    network: Network | str | None = None,
    operators: Mapping[str, type] = OPERATORS,
    force: bool = False,
    date: str = "",
) -> Converted:
    """Write weights, by name or file, as a file of the format ``to`` (``writing.TARGETS``), and prove it.

    Every tensor is written once, in the dtype it has. The new file is made beside its place, read back, and compared
    tensor by tensor and by the logits of a seeded picture; it takes its place only when all is the same. ``network``
    and ``operators`` are as in ``load``; ``force`` writes over a file that is there; ``date`` is for the card, which a
    .safetensors file holds. Raises CheckpointError, one line, for weights that cannot be read, a network that the
    format has no names for, and a place that cannot be written; nothing is left then.
    """
    target = Path(out)
    row = target_of(to, target)
    _require_place(source, target, force)
    original = _read(source, network, operators)
    theirs = _names(row, original.weights.network, source)
    weights = _followed(original, row, target, date)
    known, before = digest(original.state), _asked(source, original)
    there = () if row.name == OWN else said(row.name, original.state, weights, before)
    notes = (*_kept(original.state, row), *there)
    with _beside(target) as folder:
        made = Path(folder) / target.name
        _write(row, made, original.state, weights, target)
        original.state.clear()  # one copy of the weights at a time: the file is read back where it was
        parity = _proved(row, made, weights.network, known, before)
        size, hashed = made.stat().st_size, sha256(made)
        made.replace(target)
    return Converted(
        path=target,
        format=to,
        weights=weights,
        recognised=original.recognised,
        keys=tuple((name, theirs[ours]) for name, ours in original.keys if row.counters or not is_counter(ours)),
        adapted=original.adapted,
        assumed=original.assumed,
        notes=notes,
        parity=parity,
        bytes=size,
        sha256=hashed,
    )


@dataclass(frozen=True)
class _Original:
    """What is converted: tensors by our names, the original's name of each, and what the report says of it."""

    state: dict[str, Tensor]
    weights: Weights
    ecosystem: str
    keys: tuple[tuple[str, str], ...]
    recognised: str
    adapted: tuple[str, ...]
    assumed: tuple[str, ...]


def _read(source: str | Path, network: Network | str | None, operators: Mapping[str, type]) -> _Original:
    found = opened(source, network, operators)
    if found.headless:
        remedy = "load it with classes=, save it, and convert that"
        raise CheckpointError(f"{source}: the file has no classifier, which every format keeps; {remedy}")
    weights, tensors = found.weights, found.checkpoint.tensors
    try:
        table, stored, counters = fitted(weights.network, tensors, found.ecosystem)
        require_as_many(weights.network, stored)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None
    complete = dict(tensors) | {name: torch.zeros((), dtype=torch.long) for name in counters}
    state = {ours: complete[name].detach().contiguous() for ours, name in table.items()}
    adapted = (f"{len(counters)} absent batch counters set to 0",) if counters else ()
    return _Original(
        state=state,
        weights=weights,
        ecosystem=found.ecosystem,
        keys=tuple((name, ours) for ours, name in table.items() if name in tensors),
        recognised=_recognised(source, weights, found.ecosystem, len(tensors)),
        adapted=(*found.checkpoint.notes, *adapted),
        assumed=found.assumed,
    )


def _recognised(source: str | Path, weights: Weights, ecosystem: str, count: int) -> str:
    """What the original is, and how that is known."""
    member = describe(weights.network)
    if str(source) in PACKAGED:
        return f"{weights.name}, from the catalogue by its name, SHA-256 verified; named as {ecosystem} names tensors"
    if ecosystem == OWN and weights.source != "a file without a record":
        return f"{weights.name} ({member}), as the record in the file says"
    return f"{member}, as {ecosystem} names it: each of {count} names and shapes is one of that network's"


def _asked(source: str | Path, original: _Original) -> Tensor:
    try:
        return logits(original.state, original.weights.network)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None


def _names(row: Target, network: Network, source: str | Path) -> Mapping[str, str]:
    try:
        return row.names(network)
    except ValueError as error:
        problem = str(error).partition(";")[0]
        raise CheckpointError(f"{source}: {problem}; convert it to {OWN}, which names every network") from None


def _followed(original: _Original, row: Target, target: Path, date: str) -> Weights:
    """The record that goes along, if the file holds one; it says in its card that the tensors had other names."""
    weights = original.weights
    if row.name == original.ecosystem or target.suffix != RECORDED:
        return weights
    from compoundnet import __version__

    step = Provenance(
        deed="converted",
        name=clipped(weights.name),
        source=clipped(f"tensors named as {original.ecosystem} names them"),
        metrics=dict(weights.metrics),
        tensors_sha256=state_sha256(original.state),
        date=date,
        tool=f"compoundnet {__version__}",
    )
    return replace(weights, card=followed(parent_of(weights), step))


def _kept(state: Mapping[str, Tensor], row: Target) -> list[str]:
    """What is to be said of dtypes other than float32, and of what the format leaves out."""
    counts: dict[str, int] = {}
    for tensor in state.values():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            name = str(tensor.dtype).removeprefix("torch.")
            counts[name] = counts.get(name, 0) + 1
    said = [f"{counted(count, 'tensor')} of {name}, kept so; asked in float32" for name, count in counts.items()]
    return said if row.counters else [*said, f"{row.name} keeps no counters of batches; they are left out"]


def _require_place(source: str | Path, target: Path, force: bool) -> None:
    """Raise CheckpointError where the new file cannot be, or would take the place of one that is to stay."""
    if not target.parent.is_dir():
        raise CheckpointError(f"{target}: the folder {target.parent} does not exist; create it first")
    if target.is_dir():
        raise CheckpointError(f"{target}: a folder; name a file to write")
    if not target.exists():
        return
    original = (weights_file(Path(source)) if Path(source).is_dir() else None) or Path(source)
    if original.exists() and target.samefile(original):
        raise CheckpointError(f"{target}: is what is to be converted; name another file")
    if not force:
        raise CheckpointError(f"{target}: is there already; give another name, or force=True (--force) to replace it")


def _beside(target: Path) -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise CheckpointError(f"{target}: cannot be written ({error.strerror}); choose another place") from None


def _write(row: Target, made: Path, state: Mapping[str, Tensor], weights: Weights, target: Path) -> None:
    try:
        row.write(made, state, weights)
    except CheckpointError as error:
        raise CheckpointError(str(error).replace(str(made), str(target))) from None
    except Exception as error:  # writers of other libraries raise what they like, as of a full disk
        problem = " ".join(str(error).split())[:120] or type(error).__name__
        raise CheckpointError(f"{target}: could not be written ({problem}{room(made, state)})") from None


def _proved(row: Target, made: Path, network: Network, known: str, before: Tensor) -> Parity:
    """The parity of the new file. Raises CheckpointError where it holds other tensors than were written."""
    back = row.read(made, network)
    parity = Parity(apart(before, logits(back, network)), float(before.abs().max()), side(network))
    if digest(back) != known or parity.difference > TOLERANCE * max(parity.largest, 1e-6):
        problem = f"not written, as it reads back otherwise than it was ({parity})"
        raise CheckpointError(f"{made.name}: {problem}; report this")
    return parity
