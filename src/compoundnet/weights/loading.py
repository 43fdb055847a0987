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
from compoundnet.schema import near

from .bare import Source, bare
from .bundle import is_bundle
from .cards import Card, lineage
from .catalogue import PACKAGED, known, locate, packaged
from .errors import CheckpointError
from .files import SUFFIXES, Checkpoint, read_checkpoint, verify, write_safetensors
from .matching import LoadReport, ecosystems, fits, fitted, load_into, recognise, require_as_many
from .names import OWN
from .networks import network_of
from .records import Weights
from .repository import by_config, weights_file
from .store import default_store, not_stored
from .store import known as fetchable
from .told import NOTHING, by_store

MODEL_FILE = "model.safetensors"  # in the folder of a training run


@dataclass(frozen=True)
class Pretrained:
    """A loaded model in eval mode, the record of its weights, and what loading did."""

    model: ConvNet
    weights: Weights
    report: LoadReport


def load(
    name_or_path: str | Path,
    *,
    network: Network | str | None = None,
    classes: int | None = None,
    in_channels: int | None = None,
    averaged: bool | None = None,
    dropout: float = 0.0,
    drop_path: float = 0.0,
    operators: Mapping[str, type] = OPERATORS,
) -> Pretrained:
    """Load weights by the name of a package's (``efficientnet_lite0``), from a file, or by a name of the store.

    A name of the store is what ``compoundnet weights fetch`` or ``import`` put there; its hash is checked again, and
    nothing is fetched here. A file of ours, a safetensors file that ``convert`` wrote, or the folder of a training run
    holds its record and needs nothing else. For a bare checkpoint (one of ECOSYSTEMS) the network is given, itself or
    by its name (timm's ``tf_`` names too), or recognised; what the file leaves open is taken as the catalogue has it of
    a file with this hash, else as ``inspect_checkpoint`` tells, and where that is open as its ecosystem publishes it,
    and stated in the report; in a folder with timm's config.json, as that has it. A file
    without a classifier (Keras's ``_notop``) needs ``classes``. A network with another number of classes or input
    channels than the file is refused; ``classes`` or ``in_channels`` asks for it, and adapts the model
    (see ``load_into``). ``averaged`` chooses between averaged and raw weights where a file has both (see
    ``read_checkpoint``). ``dropout`` and ``drop_path`` are as in ``build``; ``operators`` adds a user's own operators
    by name. The random state is left alone.
    Raises CheckpointError (a ValueError), one line, when anything does not fit.

    >>> print(load("efficientnet_lite0", classes=5).report)
    294 tensors loaded, named as lukemelas names them
    initialised: classifier for 5 classes (the file has 1000), at zero
    unused: _fc.weight
    unused: _fc.bias
    """
    source = opened(name_or_path, network, operators, averaged)
    base = source.weights.network
    if classes is None and source.headless:
        raise CheckpointError(f"{name_or_path}: the file has no classifier; give classes= for a new one")
    wanted = replace(
        base,
        classes=base.classes if classes is None else classes,
        in_channels=base.in_channels if in_channels is None else in_channels,
    )
    try:
        _, stored, _ = fitted(wanted, source.checkpoint.tensors, source.ecosystem)
        asked = {"classes": classes, "in_channels": in_channels}
        require_as_many(
            base, replace(stored, **{name: getattr(base, name) for name, n in asked.items() if n is not None})
        )
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


def opened(
    name_or_path: str | Path,
    network: Network | str | None,
    operators: Mapping[str, type],
    averaged: bool | None = None,
) -> Source:
    """What a name or file holds, and whose it is, before any model is made; as ``load`` says."""
    name, path, network = str(name_or_path), Path(name_or_path), network_of(network, name_or_path)
    if name in PACKAGED:
        _refuse_network(network, name)
        path = locate(PACKAGED[name])
        verify(path, PACKAGED[name].sha256)
        weights = packaged(name)
        return Source(read_checkpoint(path), weights, weights.ecosystem)
    folder = path if path.is_dir() else None
    kept = None if path.exists() else default_store().find(name)
    if folder is not None:
        path = weights_file(folder) or folder
    elif kept is not None:
        path = default_store().path(kept)
        verify(path, kept.sha256)
    else:
        require_source(path, name)
    checkpoint = read_checkpoint(path, averaged=averaged)
    text = checkpoint.origin if checkpoint.record is None else checkpoint.record
    if text is None:
        told = by_config(folder) if folder is not None else by_store(kept) if kept is not None else NOTHING
        return bare(path, checkpoint, network, told)
    _refuse_network(network, path)
    try:
        weights = Weights.from_dict(json.loads(text), operators)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its record cannot be read: {error}") from None
    return Source(checkpoint, weights, OWN if checkpoint.origin is None else _named_by(path, checkpoint, weights))


def _named_by(path: Path, checkpoint: Checkpoint, weights: Weights) -> str:
    """Whose names the tensors of a converted file have; its record says everything else."""
    has = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    for ecosystem in ecosystems(has):
        if fits(weights.network, ecosystem, has):
            return ecosystem
    raise CheckpointError(
        f"{path}: its tensors are not those of the network in its record; {recognise(checkpoint.tensors)}"
    )


def _refuse_network(network: Network | None, source: str | Path) -> None:
    if network is not None:
        raise CheckpointError(f"{source}: these weights bring their own network; leave network out")


def require_source(path: Path, name: str) -> None:
    """Raise CheckpointError, with what can be given, for a name that is neither a file's nor one with weights."""
    if not path.exists() and path.suffix not in SUFFIXES and not is_bundle(path):
        raise CheckpointError(_no_such_name(name))


def _no_such_name(name: str) -> str:
    with_weights = ", ".join(PACKAGED)
    if name in fetchable():
        return not_stored(name)
    if name in known():
        others = "for others load a file (.pth), or fetch one of: compoundnet weights list"
        return f"no weights come with {name}; names with weights: {with_weights}; {others}"
    return (
        f"{name!r} is neither a file nor a name with weights ({with_weights}); {near(name, [*PACKAGED, *fetchable()])}"
    )


def _following(weights: Weights, network: Network) -> Weights:
    """The record after adaptation: class names and metrics do not outlive a change of what they describe.

    The card keeps what they were.
    """
    if network == weights.network:
        return weights
    kept = weights.classes if network.classes == weights.network.classes else ()
    return replace(weights, network=network, classes=kept, metrics={}, card=Card(lineage(weights)))
