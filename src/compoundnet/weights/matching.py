"""Fit a checkpoint to a model: recognise it, use every tensor once, and say what was done."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compoundnet.building import zero_classifier
from compoundnet.modules import ConvNet
from compoundnet.network import Network
from compoundnet.schema import counted

from .catalogue import known
from .errors import CheckpointError, Mismatch, Shape, first, mismatch
from .hints import hint
from .layout import COUNTER
from .names import CLASSIFIER, ECOSYSTEMS, LAYOUTS, OWN, STEM, names, shapes

_HEAD = tuple(f"{CLASSIFIER}.{leaf}" for leaf in ("weight", "bias"))


@dataclass(frozen=True)
class LoadReport:
    """What loading did: ``str`` of it is a short text, one line a deed.

    ``loaded`` counts the tensors that came from the file; ``adapted`` and ``initialised`` say what
    was changed or made up, ``unused`` names the file's tensors that a fresh one replaced, and
    ``assumed`` says what the file leaves open and how it was taken.
    """

    loaded: int
    ecosystem: str
    adapted: tuple[str, ...] = ()
    initialised: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.loaded} tensors loaded, named as {self.ecosystem} names them"]
        for what in ("adapted", "initialised", "unused", "assumed"):
            lines += [f"{what}: {deed}" for deed in getattr(self, what)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Recognised:
    """Whose names a checkpoint has, and the family members with exactly its shapes (class and channel count aside)."""

    ecosystem: str | None
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.ecosystem is None:
            return "its names are of no known ecosystem"
        if not self.members:
            return f"its names are {self.ecosystem}'s, its shapes no known network's"
        return f"it looks like {' or '.join(self.members)} ({self.ecosystem})"


def recognise(state: Mapping[str, Tensor]) -> Recognised:
    """Recognise a checkpoint by the names and shapes of its tensors.

    torchvision and timm name ResNets alike; these are reported as torchvision's.
    """
    has = _shapes(state)
    ecosystem = _ecosystem(has)
    if ecosystem is None:
        return Recognised(None)
    count = len(_without_counters(has))
    near = [name for name, tensors in _counts().items() if tensors - count in (0, len(_HEAD))]
    return Recognised(ecosystem, tuple(name for name in near if fits(known()[name], ecosystem, has)))


def _shapes(state: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@functools.cache
def _counts() -> Mapping[str, int]:
    """How many tensors each known network has, batch counters aside: what a checkpoint is asked first."""
    return {name: len(_without_counters(shapes(network))) for name, network in known().items()}


def _ecosystem(has: Mapping[str, Shape]) -> str | None:
    return next(iter(ecosystems(has)), None)


def ecosystems(has: Mapping[str, Shape]) -> tuple[str, ...]:
    """The ecosystems that name a network's first convolution as a checkpoint has it."""
    stems = {OWN: [f"{STEM}.weight"]} | {
        name: [layout.ends[STEM] + layout.tensors["conv"]["weight"] for layout in layouts]
        for name, layouts in LAYOUTS.items()
    }
    return tuple(name for name in ECOSYSTEMS if any(stem in has for stem in stems[name]))


def fits(network: Network, ecosystem: str, has: Mapping[str, Shape]) -> bool:
    """Whether these are the network's names and shapes in an ecosystem; class and channel count, and a head, aside."""
    if len(_without_counters(shapes(network))) - len(_without_counters(has)) not in (0, len(_HEAD)):
        return False
    try:
        table = names(network, ecosystem)
    except ValueError:
        return False
    return not mismatch(_without_counters(_needed(as_stored(network, table, has), table, has)), _without_counters(has))


def headless(table: Mapping[str, str], has: Mapping[str, object]) -> bool:
    """Whether a checkpoint, named by ``table``, has no classifier at all, as Keras's ``_notop`` files."""
    return not any(table[name] in has for name in _HEAD)


def _needed(stored: Network, table: Mapping[str, str], has: Mapping[str, Shape]) -> dict[str, Shape]:
    """The tensors of a checkpoint of this network; its classifier's only where it has one."""
    left_out = _HEAD if headless(table, has) else ()
    return {table[ours]: shape for ours, shape in shapes(stored).items() if ours not in left_out}


def _without_counters(of: Mapping[str, Shape]) -> dict[str, Shape]:
    return {name: shape for name, shape in of.items() if not name.endswith(COUNTER)}


def as_stored(network: Network, table: Mapping[str, str], has: Mapping[str, Shape]) -> Network:
    """The network with the class and channel counts that a checkpoint of these shapes, named by ``table``, has."""
    bias = has.get(table[f"{CLASSIFIER}.bias"], ())
    stem = has.get(table[f"{STEM}.weight"], ())
    return replace(
        network,
        classes=bias[0] if len(bias) == 1 and bias[0] else network.classes,
        in_channels=stem[1] if len(stem) == 4 and stem[1] else network.in_channels,
    )


def without_background(state: Mapping[str, Tensor], table: Mapping[str, str]) -> dict[str, Tensor]:
    """The checkpoint, named by ``table``, without the first row of its classifier: TensorFlow's class of no object."""
    rows = {table[name] for name in _HEAD}
    return {name: tensor[1:].clone() if name in rows else tensor for name, tensor in state.items()}


def load_into(model: ConvNet, state: Mapping[str, Tensor], *, ecosystem: str | None = None) -> LoadReport:
    """Load a checkpoint into a model: every tensor is used exactly once, or the model stays as it was.

    ``ecosystem`` is recognised from the names when it is not given. Where the network asks for it,
    and only so: another class count, or a checkpoint without a classifier, gets a fresh one (all
    zeros, see ``zero_classifier``), another number of input channels an adapted stem (``adapt_stem``),
    absent batch counters become 0, and tensors take the model's dtype; the report says so. Raises
    CheckpointError, one line with the missing, extra and misshapen names, for any other difference
    and for NaN or infinity.
    """
    has = _shapes(state)
    ecosystem = ecosystem or _ecosystem(has)
    if ecosystem is None:
        raise CheckpointError(f"no known ecosystem names tensors like this: {first(list(has)) or 'it is empty'}")
    network = model.network
    table, stored, counters = fitted(network, state, ecosystem)
    complete = dict(state) | {name: torch.zeros((), dtype=torch.long) for name in counters}
    tensors = {ours: complete[theirs] for ours, theirs in table.items() if theirs in complete}
    adapted = (f"{len(counters)} absent batch counters set to 0",) if counters else ()
    tensors, converted = in_dtypes(tensors, model.state_dict())
    require_sound(tensors)
    initialised, unused = (), ()
    if stored.in_channels != network.in_channels:
        tensors[f"{STEM}.weight"] = adapt_stem(tensors[f"{STEM}.weight"], network.in_channels)
        adapted += (f"stem filters from {stored.in_channels} to {network.in_channels} input channels",)
    no_head = headless(table, state)
    if no_head or stored.classes != network.classes:
        tensors |= _fresh_classifier(model)
        has_classes = "none" if no_head else stored.classes
        initialised = (f"classifier for {network.classes} classes (the file has {has_classes}), at zero",)
        unused = () if no_head else tuple(table[name] for name in _HEAD)
    model.load_state_dict(tensors, strict=True)
    return LoadReport(len(state) - len(unused), ecosystem, (*adapted, *converted), initialised, unused)


def fitted(
    network: Network, state: Mapping[str, Tensor], ecosystem: str
) -> tuple[Mapping[str, str], Network, list[str]]:
    """Compare names and shapes, before any tensor is made for the network.

    Returns our names to the ecosystem's, the network with the class and channel count that is
    stored, and the batch counters that are absent. Raises CheckpointError for any other difference.
    """
    has, table = _shapes(state), names(network, ecosystem)
    stored = as_stored(network, table, has)
    needs = _needed(stored, table, has)
    counters = [name for name in needs if name not in has and name.endswith(COUNTER)]
    gap = mismatch(needs, has | dict.fromkeys(counters, ()))
    if gap:
        raise CheckpointError(f"{describe(network)} cannot take it: {gap}{hint(gap)}; {recognise(state)}")
    return table, stored, counters


def require_as_many(network: Network, stored: Network) -> None:
    """Raise CheckpointError unless the network has as many classes and input channels as are stored."""
    if (stored.classes, stored.in_channels) != (network.classes, network.in_channels):
        has = f"{stored.classes} classes and {stored.in_channels} input channels"
        gap = f"the network another number: {network.classes} and {network.in_channels}"
        raise CheckpointError(f"the file has {has}, {gap}; give one that has as many")


def nearest(state: Mapping[str, Tensor], ecosystem: str) -> str:
    """What the closest known network lacks or finds too much in a checkpoint that fits none; "" if none is close."""
    has = _without_counters(_shapes(state))
    found: list[tuple[Mismatch, str]] = []
    for name, network in known().items():
        try:
            table = names(network, ecosystem)
        except ValueError:
            continue
        needs = _needed(as_stored(network, table, has), table, has)
        found.append((mismatch(_without_counters(needs), has), name))
    gap, name = min(found, key=lambda row: len(row[0]), default=(Mismatch(), ""))
    close = name and (len(gap) < len(has) / 4 or hint(gap))
    return f"the closest is {name}: {gap}{hint(gap)}" if close else ""


def describe(network: Network) -> str:
    """The family member that this network is, class and channel count and conventions aside; else "the network"."""
    for name, member in known().items():
        free = ("classes", "in_channels", "resolution", "padding", "norm_eps")
        if replace(member, **{field: getattr(network, field) for field in free}) == network:
            return name
    return "the network"


def in_dtypes(
    tensors: Mapping[str, Tensor], targets: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors in the dtypes of ``targets``, and a note for each kind of change among the weights.

    Raises CheckpointError for weights that are no floating-point numbers.
    """
    counts: dict[str, int] = {}
    wrong: list[str] = []
    for name, tensor in tensors.items():
        wanted = targets[name].dtype
        if wanted.is_floating_point and not tensor.dtype.is_floating_point:
            wrong.append(f"{name} is {_dtype(tensor)}")
        elif wanted.is_floating_point and tensor.dtype != wanted:
            change = f"from {_dtype(tensor)} to {_dtype(targets[name])}"
            counts[change] = counts.get(change, 0) + 1
    if wrong:
        hold = counted(len(wrong), "tensor holds", "tensors hold")
        raise CheckpointError(f"{hold} no floating-point numbers ({first(wrong)}); dequantise them")
    notes = tuple(f"{counted(count, 'tensor')} converted {change}" for change, count in counts.items())
    return {name: tensor.to(targets[name].dtype) for name, tensor in tensors.items()}, notes


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def require_sound(tensors: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError for negative variances, NaN and infinity."""
    negative = [name for name, tensor in tensors.items() if name.endswith("running_var") and bool((tensor < 0).any())]
    if negative:
        are = counted(len(negative), "variance is", "variances are")
        raise CheckpointError(f"{are} negative ({first(negative)}); the checkpoint is broken")
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        hold = counted(len(broken), "tensor holds", "tensors hold")
        raise CheckpointError(f"{hold} NaN or infinity ({first(broken)}); the checkpoint is broken")


def adapt_stem(weight_OIHW: Tensor, channels: int) -> Tensor:
    """Stem filters for another number of input channels; a grey picture, copied to each, gives the same response.

    More channels: the filters are repeated in turn, each divided by the number of its copies.
    Fewer (one, for grey): the sum over the old channels, in equal shares.

    >>> adapt_stem(torch.ones(1, 3, 1, 1), 4).flatten().tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    old = weight_OIHW.shape[1]
    if channels < old:
        return weight_OIHW.sum(1, keepdim=True).repeat(1, channels, 1, 1) / channels
    turn = torch.arange(channels, device=weight_OIHW.device) % old
    copies = torch.bincount(turn, minlength=old)[turn]
    return weight_OIHW[:, turn] / copies.to(weight_OIHW.dtype).view(1, -1, 1, 1)


def _fresh_classifier(model: ConvNet) -> dict[str, Tensor]:
    fresh = zero_classifier(model.network.feature_channels, model.network.classes)
    return {f"{CLASSIFIER}.{name}": tensor for name, tensor in fresh.state_dict().items()}
