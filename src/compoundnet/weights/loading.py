"""load() and save(): weights by name or file to a model in eval mode, and back to one file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from compoundnet.building import build
from compoundnet.modules import ConvNet
from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.preprocess import IMAGENET_MEAN
from compoundnet.schema import near

from .catalogue import PACKAGED, habit, known, locate, packaged
from .errors import CheckpointError
from .files import PICKLED, Checkpoint, read_checkpoint, sha256, verify, write_safetensors
from .matching import LoadReport, Recognised, as_stored, fitted, load_into, nearest, recognise
from .names import OWN, names
from .published import Published, every_published
from .records import Weights, imagenet_classes
from .store import Stored, default_store, not_stored
from .store import known as fetchable

MODEL_FILE = "model.safetensors"  # in the folder of a training run
_IMAGENET = 1000


@dataclass(frozen=True)
class Pretrained:
    """A loaded model in eval mode, the record of its weights, and what loading did."""

    model: ConvNet
    weights: Weights
    report: LoadReport


@dataclass(frozen=True)
class _Source:
    """A checkpoint with its record, whose names its tensors have, and what had to be assumed."""

    checkpoint: Checkpoint
    weights: Weights
    ecosystem: str
    assumed: tuple[str, ...] = ()


def load(
    name_or_path: str | Path,
    *,
    network: Network | None = None,
    classes: int | None = None,
    in_channels: int | None = None,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    operators: Mapping[str, type] = OPERATORS,
) -> Pretrained:
    """Load weights by the name of a package's (``efficientnet_lite0``), from a file, or by a name of the store.

    A name of the store is what ``compoundnet weights fetch`` or ``import`` put there; its hash is checked again, and
    nothing is fetched here. A file of ours, or the folder of a training run, holds its record and needs nothing else.
    For a bare checkpoint (torchvision, timm, lukemelas or our own names) the network is given or recognised; what the
    file leaves open is taken as its ecosystem publishes it, and stated in the report. Another ``classes`` or
    ``in_channels`` adapts the model (see ``load_into``). ``dropout`` and ``drop_path`` are as in
    ``build``; ``operators`` adds a user's own operators by name. The random state is left alone.
    Raises CheckpointError (a ValueError), one line, when anything does not fit.

    >>> print(load("efficientnet_lite0", classes=5).report)
    294 tensors loaded, named as lukemelas names them
    initialised: classifier for 5 classes (the file has 1000), seed 0
    unused: _fc.weight
    unused: _fc.bias
    """
    source = _open(name_or_path, network, operators)
    base = source.weights.network
    wanted = replace(
        base,
        classes=base.classes if classes is None else classes,
        in_channels=base.in_channels if in_channels is None else in_channels,
    )
    try:
        fitted(wanted, source.checkpoint.tensors, source.ecosystem)
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            model = build(wanted, dropout=dropout, drop_path=drop_path)
        report = load_into(model, source.checkpoint.tensors, ecosystem=source.ecosystem)
    except CheckpointError as error:
        raise CheckpointError(f"{name_or_path}: {error}") from None
    report = replace(report, adapted=(*source.checkpoint.notes, *report.adapted), assumed=source.assumed)
    return Pretrained(model.eval(), _following(source.weights, wanted), report)


def save(path: str | Path, model: ConvNet, weights: Weights) -> None:
    """Write a model and its record to one .safetensors file, whole or not at all; ``load`` gives both back.

    Raises CheckpointError when the record is of another network, or the file cannot be written.
    """
    if weights.network != model.network:
        remedy = "give dataclasses.replace(weights, network=model.network, classes=(...))"
        raise CheckpointError(f"{path}: the record {weights.name!r} is of another network than the model's; {remedy}")
    try:
        record = json.dumps(weights.to_dict(), allow_nan=False)
    except ValueError:
        raise CheckpointError(f"{path}: a metric of {weights.name!r} is no finite number; leave it out") from None
    write_safetensors(path, model.state_dict(), record)


def _open(name_or_path: str | Path, network: Network | None, operators: Mapping[str, type]) -> _Source:
    name, path = str(name_or_path), Path(name_or_path)
    if path.is_dir() and (path / MODEL_FILE).is_file():
        path = path / MODEL_FILE
    if name in PACKAGED:
        _refuse_network(network, name)
        path = locate(PACKAGED[name])
        verify(path, PACKAGED[name].sha256)
        weights = packaged(name)
        return _Source(read_checkpoint(path), weights, weights.ecosystem)
    kept = None if path.exists() else default_store().find(name)
    if kept is not None:
        path = default_store().path(kept)
        verify(path, kept.sha256)
    elif not path.exists() and path.suffix != ".safetensors" and path.suffix not in PICKLED:
        raise CheckpointError(_no_such_name(name))
    checkpoint = read_checkpoint(path)
    if checkpoint.record is None:
        return _bare(path, checkpoint, network, kept)
    _refuse_network(network, path)
    try:
        weights = Weights.from_dict(json.loads(checkpoint.record), operators)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its record cannot be read: {error}") from None
    return _Source(checkpoint, weights, OWN)


def _refuse_network(network: Network | None, source: str | Path) -> None:
    if network is not None:
        raise CheckpointError(f"{source}: these weights bring their own network; leave network out")


def _no_such_name(name: str) -> str:
    with_weights = ", ".join(PACKAGED)
    if name in fetchable():
        return not_stored(name)
    if name in known():
        others = "for others load a file (.pth), or fetch one of: compoundnet weights list"
        return f"no weights come with {name}; names with weights: {with_weights}; {others}"
    return f"{name!r} is neither a file nor a name with weights ({with_weights}); {near(name, known())}"


def _bare(path: Path, checkpoint: Checkpoint, network: Network | None, kept: Stored | None) -> _Source:
    """A checkpoint without a record: what it does not say is taken from the ecosystem's habits.

    A published file of the store brings its licence and its origin, and the path that its publisher gave it.
    """
    public = _published(kept)
    seen = recognise(checkpoint.tensors)
    if public is not None and public.member in seen.members:
        seen = replace(seen, members=(public.member,))
    if seen.ecosystem is None or (network is None and not seen.members):
        close = nearest(checkpoint.tensors, seen.ecosystem) if seen.ecosystem else ""
        remedy = "give the network with network= (--network)" if network is None and seen.ecosystem else ""
        raise CheckpointError("; ".join(filter(None, (f"{path}: {seen}", close, remedy))))
    member = seen.members[0] if seen.members else "?"
    row = habit(seen.ecosystem, member, path.name if public is None else public.file)
    published = row.network(network or known()[member])
    stored = _stored(path, published, seen.ecosystem, checkpoint)
    assumed = _network_assumed(network, stored, seen, row.doubt)
    network = network or stored
    classes = imagenet_classes() if network.classes == stored.classes == _IMAGENET else ()
    assumed += ["outputs are ImageNet's 1000 classes in the usual order"] if classes else []
    preprocess = row.preprocess(network)
    norm = "ImageNet's mean and std" if preprocess.mean == IMAGENET_MEAN else f"mean {preprocess.mean[0]:.3g}"
    assumed.append(f"preprocessing as {seen.ecosystem} publishes it: {preprocess.size[0]} pixels, {norm}")
    weights = Weights(
        name=member if seen.members else path.stem,
        network=network,
        preprocess=preprocess,
        classes=classes,
        ecosystem=seen.ecosystem,
        source=_origin(kept),
        file=path.name,
        sha256=sha256(path),
        licence="unknown" if public is None else public.licence,
    )
    return _Source(checkpoint, weights, seen.ecosystem, tuple(assumed))


def _published(kept: Stored | None) -> Published | None:
    """The catalogue's row of a stored file, unless the name stands for other bytes than were published."""
    row = None if kept is None else every_published().get(kept.name)
    return row if row is not None and kept is not None and kept.sha256.startswith(row.sha256_starts) else None


def _origin(kept: Stored | None) -> str:
    return (kept.source if kept is not None else "") or "a file without a record"


def _stored(path: Path, network: Network, ecosystem: str, checkpoint: Checkpoint) -> Network:
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    try:
        return as_stored(network, names(network, ecosystem), shapes)
    except ValueError as error:
        raise CheckpointError(f"{path}: its names are {ecosystem}'s, but {error}") from None


def _network_assumed(given: Network | None, published: Network, seen: Recognised, doubt: str) -> list[str]:
    """What the shapes leave open about a network, or where a given one runs other than its ecosystem does."""
    member, others = seen.members[0] if seen.members else "it", seen.members[1:]
    habits = f"padding {published.padding!r} and norm epsilon {published.norm_eps:g}"
    twin = f" ({doubt})" if doubt else ""
    if given is None:
        also = [f"{member}; {', '.join(others)} has the same shapes"] if others else []
        return [*also, f"{habits}, as {seen.ecosystem} runs {member}{twin}; give network= (--network) for another"]
    if (given.padding, given.norm_eps) == (published.padding, published.norm_eps):
        return []
    own = f"padding {given.padding!r} and norm epsilon {given.norm_eps:g}, as the given network has"
    return [f"{own}; {seen.ecosystem} runs {member} with {habits}{twin}"]


def _following(weights: Weights, network: Network) -> Weights:
    """The record after adaptation: class names and metrics do not outlive a change of what they describe."""
    if network == weights.network:
        return weights
    kept = weights.classes if network.classes == weights.network.classes else ()
    return replace(weights, network=network, classes=kept, metrics={})
