"""A file without a record: recognised, and taken as what it shows tells; what is assumed is stated."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compoundnet.network import Network
from compoundnet.preprocess import IMAGENET_MEAN, Preprocess

from .catalogue import Habit, habit, known
from .errors import CheckpointError
from .files import Checkpoint, sha256
from .judging import Judged, judge
from .matching import Recognised, as_stored, headless, nearest, recognise, without_background
from .names import names
from .records import Weights, imagenet_classes
from .told import NOTHING, Told, by_hash

_IMAGENET = 1000


@dataclass(frozen=True)
class Source:
    """A checkpoint with its record, whose names its tensors have, and what had to be assumed."""

    checkpoint: Checkpoint
    weights: Weights
    ecosystem: str
    assumed: tuple[str, ...] = ()
    headless: bool = False


def bare(path: Path, checkpoint: Checkpoint, network: Network | None, told: Told) -> Source:
    """A checkpoint without a record: what ``told`` does not say is as ``judge`` takes it.

    Raises CheckpointError, one line, for what is of no known ecosystem or network, or of another one than is told.
    """
    hashed = sha256(path) if path.is_file() else ""
    told = by_hash(hashed) if told is NOTHING else told
    seen = recognise(checkpoint.tensors)
    if seen.ecosystem is None or (network is None and not seen.members):
        raise CheckpointError(f"{path}: {_unrecognised(checkpoint, seen, network)}")
    ecosystem, seen = seen.ecosystem, replace(seen, members=told.among(seen.members))
    member = seen.members[0] if seen.members else "?"
    stored, table = _stored(path, network or known()[member], ecosystem, checkpoint)
    judged = None
    if told.habit is None and told.file is None:
        judged = judge(ecosystem, member, stored, checkpoint.tensors, path.name)
    row = judged.habit if judged else told.habit or habit(ecosystem, member, told.file or path.name)
    stored = row.network(stored)
    if row.background and stored.classes == _IMAGENET + 1:
        note = "dropped the first of 1001 outputs, which is the background's"
        tensors = without_background(checkpoint.tensors, table)
        checkpoint = replace(checkpoint, tensors=tensors, notes=(*checkpoint.notes, note))
        stored = replace(stored, classes=_IMAGENET)
    if network is None:
        told.require(path, seen.members, stored.classes)
    assumed = _network_assumed(network, stored, seen, row, judged)
    network = network or stored
    no_head = headless(table, checkpoint.tensors)
    classes = told.classes if network.classes == len(told.classes) else ()
    if not classes and network.classes == stored.classes == _IMAGENET and not no_head:
        classes = imagenet_classes()
        assumed.append("outputs are ImageNet's 1000 classes in the usual order")
    preprocess = row.preprocess(network)
    assumed.append(_preprocess_assumed(preprocess, told, ecosystem, judged))
    weights = Weights(
        name=member if seen.members else path.stem,
        network=network,
        preprocess=preprocess,
        classes=classes,
        ecosystem=told.ecosystem or ecosystem,
        source=told.source,
        file=path.name,
        sha256=hashed,
        licence=told.licence,
    )
    return Source(checkpoint, weights, ecosystem, tuple(assumed), no_head)


def _unrecognised(checkpoint: Checkpoint, seen: Recognised, network: Network | None) -> str:
    close = nearest(checkpoint.tensors, seen.ecosystem) if seen.ecosystem else ""
    remedy = "give the network with network= (--network)" if network is None and seen.ecosystem else ""
    return "; ".join(filter(None, (str(seen), close, remedy)))


def _preprocess_assumed(preprocess: Preprocess, told: Told, ecosystem: str, judged: Judged | None) -> str:
    norm = "ImageNet's mean and std" if preprocess.mean == IMAGENET_MEAN else f"mean {preprocess.mean[0]:.3g}"
    who = f"{told.by} has it" if told.by else f"{ecosystem} publishes it"
    if judged is None:
        return f"preprocessing as {who}: {preprocess.size[0]} pixels, {norm}"
    who = who if judged.listed else "the family's authors have it"
    return f"preprocessing as {who}: {preprocess.size[0]} pixels, {norm}{judged.pixels}"


def _stored(path: Path, network: Network, ecosystem: str, checkpoint: Checkpoint) -> tuple[Network, Mapping[str, str]]:
    """The network as the file has it, and the names of its tensors, ours to theirs."""
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    try:
        table = names(network, ecosystem)
        return as_stored(network, table, shapes), table
    except ValueError as error:
        raise CheckpointError(f"{path}: its names are {ecosystem}'s, but {error}") from None


def _network_assumed(
    given: Network | None, published: Network, seen: Recognised, row: Habit, judged: Judged | None
) -> list[str]:
    """What the shapes leave open about a network, or where a given one runs other than the file alone would."""
    member, others = seen.members[0] if seen.members else "it", seen.members[1:]
    habits = f"padding {published.padding!r} and norm epsilon {published.norm_eps:g}"
    why = (str(judged.function) if judged else "") or (f" ({row.doubt})" if row.doubt else "")
    likely = judged is not None and judged.function.confidence == "likely"
    who = seen.ecosystem if judged is None or judged.listed else "its family"
    if given is None:
        also = [f"{member}; {', '.join(others)} has the same shapes"] if others else []
        as_whom = why if likely else f", as {who} runs {member}{why}"
        return [*also, f"{habits}{as_whom}; give network= (--network) for another"]
    if (given.padding, given.norm_eps) == (published.padding, published.norm_eps):
        return []
    own = f"padding {given.padding!r} and norm epsilon {given.norm_eps:g}, as the given network has"
    return [f"{own}; {'without it' if likely else f'{who} runs {member} with'} {habits}{why}"]
