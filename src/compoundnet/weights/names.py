"""Tensor names: ours, and their translation to torchvision, timm, lukemelas and mmpretrain, as tables of templates.

Those of Keras and TensorFlow are in ``names_google``.

A layout names the ends of a network and the leaves of a block; which table a block takes follows
from the leaves it unfolds to, so any network whose blocks are listed can be translated, scaled or
not. Fields of a template: ``i`` and ``stage`` number the stage from 0 and 1, ``j`` the block in
its stage (``letter``: a for 0), ``n`` and ``block`` the block in the network from 0 and 1, ``unit`` and ``next`` the
layer in its block from 0 and 1 (squeeze-and-excitation is one), ``norm`` the batch norm in its
block from 1; ``stages`` and ``blocks`` are one more than the counts. ``layer`` numbers a layout's
merged stages from 1, ``m`` the block in its layer from 0; ``layers`` is one more than the count.

Layouts as in torchvision 0.29, timm 1.0 and efficientnet_pytorch 0.7 (its Lite fork too).
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from compoundnet.cost import LayerCost, by_layer
from compoundnet.layers import Conv, Leaf, Linear, Norm
from compoundnet.network import Network

from .errors import CheckpointError, Shape, mismatch
from .layout import COUNTER, Layout, Table
from .layout import conv_norm as _conv_norm
from .names_google import KERAS, KERAS_NUMBERED, TENSORFLOW
from .names_mm import MMPRETRAIN

T = TypeVar("T")

OWN = "compoundnet"
STEM, CLASSIFIER = "stem.conv", "classifier"

_TV_DEPTHWISE = _conv_norm("depthwise", "block.{unit}.0", "block.{unit}.1")
_TV_EXPAND = _conv_norm("expand", "block.{unit}.0", "block.{unit}.1")
_TV_SE = {"se.reduce": "block.{unit}.fc1", "se.expand": "block.{unit}.fc2"}
_TV_PROJECT = _conv_norm("project", "block.{unit}.0", "block.{unit}.1")
_TV_EFFICIENTNET = Layout(
    ends={
        **_conv_norm("stem", "features.0.0", "features.0.1"),
        **_conv_norm("top", "features.{stages}.0", "features.{stages}.1"),
        "classifier": "classifier.1",
    },
    block="features.{stage}.{j}.",
    kinds=(
        {**_TV_DEPTHWISE, **_TV_SE, **_TV_PROJECT},
        {**_TV_EXPAND, **_TV_DEPTHWISE, **_TV_SE, **_TV_PROJECT},
    ),
)

_MN2_EXPAND = _conv_norm("expand", "conv.{unit}.0", "conv.{unit}.1")
_MN2_DEPTHWISE = _conv_norm("depthwise", "conv.{unit}.0", "conv.{unit}.1")
_MN2_PROJECT = _conv_norm("project", "conv.{unit}", "conv.{next}")
_TV_MOBILENET_V2 = Layout(
    ends={
        **_conv_norm("stem", "features.0.0", "features.0.1"),
        **_conv_norm("top", "features.{blocks}.0", "features.{blocks}.1"),
        "classifier": "classifier.1",
    },
    block="features.{block}.",
    kinds=({**_MN2_DEPTHWISE, **_MN2_PROJECT}, {**_MN2_EXPAND, **_MN2_DEPTHWISE, **_MN2_PROJECT}),
)

_TIMM_DEPTHWISE = _conv_norm("depthwise", "conv_dw", "bn{norm}")
_TIMM_SE = {"se.reduce": "se.conv_reduce", "se.expand": "se.conv_expand"}
_TIMM_SEPARABLE = {**_TIMM_DEPTHWISE, **_conv_norm("project", "conv_pw", "bn{norm}")}
_TIMM_INVERTED = {
    **_conv_norm("expand", "conv_pw", "bn{norm}"),
    **_TIMM_DEPTHWISE,
    **_conv_norm("project", "conv_pwl", "bn{norm}"),
}
_TIMM_EFFICIENTNET = Layout(
    ends={
        **_conv_norm("stem", "conv_stem", "bn1"),
        **_conv_norm("top", "conv_head", "bn2"),
        "classifier": "classifier",
    },
    block="blocks.{i}.{j}.",
    kinds=(
        _TIMM_SEPARABLE,
        {**_TIMM_SEPARABLE, **_TIMM_SE},
        _TIMM_INVERTED,
        {**_TIMM_INVERTED, **_TIMM_SE},
        {**_conv_norm("expand", "conv_exp", "bn{norm}"), **_conv_norm("project", "conv_pwl", "bn{norm}")},
        {**_TIMM_DEPTHWISE, **_conv_norm("pointwise", "conv_pw", "bn{norm}")},
    ),
)

_RES_BASIC = {**_conv_norm("residual.conv1", "conv1", "bn1"), **_conv_norm("residual.conv2", "conv2", "bn2")}
_RES_BOTTLENECK = {**_RES_BASIC, **_conv_norm("residual.conv3", "conv3", "bn3")}
_RES_SHORTCUT = _conv_norm("residual.shortcut", "downsample.0", "downsample.1")
_RESNET = Layout(
    ends={**_conv_norm("stem", "conv1", "bn1"), "classifier": "fc"},
    block="layer{stage}.{j}.",
    kinds=(
        _RES_BASIC,
        {**_RES_BASIC, **_RES_SHORTCUT},
        _RES_BOTTLENECK,
        {**_RES_BOTTLENECK, **_RES_SHORTCUT},
    ),
)

_LM_EXPAND = _conv_norm("expand", "_expand_conv", "_bn0")
_LM_SE = {"se.reduce": "_se_reduce", "se.expand": "_se_expand"}
_LM_NARROW = {
    **_conv_norm("depthwise", "_depthwise_conv", "_bn1"),
    **_conv_norm("project", "_project_conv", "_bn2"),
}
_LUKEMELAS = Layout(
    ends={
        **_conv_norm("stem", "_conv_stem", "_bn0"),
        **_conv_norm("top", "_conv_head", "_bn1"),
        "classifier": "_fc",
    },
    block="_blocks.{n}.",
    kinds=(
        _LM_NARROW,
        {**_LM_NARROW, **_LM_SE},
        {**_LM_EXPAND, **_LM_NARROW},
        {**_LM_EXPAND, **_LM_NARROW, **_LM_SE},
    ),
)

# MobileNetV2 before EfficientNet: where torchvision has no squeeze-and-excitation, it numbers blocks flat.
LAYOUTS: Mapping[str, tuple[Layout, ...]] = {
    "torchvision": (_TV_MOBILENET_V2, _TV_EFFICIENTNET, _RESNET),
    "timm": (_TIMM_EFFICIENTNET, _RESNET),
    "lukemelas": (_LUKEMELAS,),
    "mmpretrain": (MMPRETRAIN,),
    "keras": (KERAS,),
    "keras_numbered": (KERAS_NUMBERED,),
    "tensorflow": (TENSORFLOW,),
}
ECOSYSTEMS = (OWN, *LAYOUTS)


def shapes(network: Network) -> dict[str, Shape]:
    """Every tensor of a network's state dict by our name, with its shape; no tensor is made.

    >>> from compoundnet.families import named
    >>> shapes(named("efficientnet_b0"))["stages.1.0.expand.conv.weight"]
    (96, 16, 1, 1)
    """
    return {f"{layer.path}.{name}": shape for layer in _layers(network) for name, shape in _leaf_shapes(layer.layer)}


def _layers(network: Network) -> Sequence[LayerCost]:
    """``by_layer``, unfolded once for a network that is asked about again and again."""
    try:
        return _unfolded(network)
    except TypeError:  # a user's own operator that cannot be hashed
        return by_layer(network)


@functools.lru_cache(maxsize=32)
def _unfolded(network: Network) -> tuple[LayerCost, ...]:
    return tuple(by_layer(network))


def _leaf_shapes(leaf: Leaf) -> Iterator[tuple[str, Shape]]:
    match leaf:
        case Conv(inputs, outputs, kernel, _, groups, bias):
            yield "weight", (outputs, inputs // groups, kernel, kernel)
            if bias:
                yield "bias", (outputs,)
        case Norm(channels, _):
            yield from ((name, (channels,)) for name in ("weight", "bias", "running_mean", "running_var"))
            yield "num_batches_tracked", ()
        case Linear(inputs, outputs):
            yield from (("weight", (outputs, inputs)), ("bias", (outputs,)))
        case _:
            pass


def names(network: Network, ecosystem: str) -> dict[str, str]:
    """Our name of every tensor in the network's state dict, to the ecosystem's name of it; one to one.

    ``ecosystem`` is one of ECOSYSTEMS. Keras and TensorFlow keep no batch counters; these get names
    that no file of theirs holds. Raises ValueError for another ecosystem, and for a network with a
    layer that the ecosystem has no name for.

    >>> from compoundnet.families import named
    >>> names(named("efficientnet_b0"), "timm")["stages.0.0.project.conv.weight"]
    'blocks.0.0.conv_pw.weight'
    >>> names(named("efficientnet_b0"), "keras")["stages.5.3.project.conv.weight"]
    'block6d_project_conv/kernel'
    >>> names(named("efficientnet_b0"), "tensorflow")["stages.0.0.project.conv.weight"]
    'blocks_0/conv2d/kernel'
    """
    try:
        return dict(_translated(network, ecosystem))
    except TypeError:  # a user's own operator that cannot be hashed
        return _names(network, ecosystem)


@functools.lru_cache(maxsize=32)
def _translated(network: Network, ecosystem: str) -> Mapping[str, str]:
    """``names``, made once for a network that is asked about again and again; nobody may change it."""
    return MappingProxyType(_names(network, ecosystem))


def _names(network: Network, ecosystem: str) -> dict[str, str]:
    ours = shapes(network)
    if ecosystem == OWN:
        return {name: name for name in ours}
    if ecosystem not in LAYOUTS:
        raise ValueError(f"ecosystem {ecosystem!r} is not one of {', '.join(ECOSYSTEMS)}")
    leaves = {layer.path: layer.layer for layer in _layers(network) if isinstance(layer.layer, Conv | Norm | Linear)}
    attempts = [(layout, _translate(network, leaves, layout)) for layout in LAYOUTS[ecosystem]]
    layout, best = max(attempts, key=lambda attempt: len(attempt[1]))
    if len(best) < len(leaves):
        unnamed = next(path for path in leaves if path not in best)
        raise ValueError(f"{ecosystem} has no name for {unnamed} of this network; use ecosystem={OWN!r}")
    split = {name: name.rpartition(".") for name in ours}
    return {name: best[path] + layout.tensor(path, leaves[path], leaf) for name, (path, _, leaf) in split.items()}


def _translate(network: Network, leaves: Mapping[str, Leaf], layout: Layout) -> dict[str, str]:
    """The layers that ``layout`` has names for, ours to theirs."""
    layers = layout.layers(network)
    counts = {"stages": len(network.stages) + 1, "blocks": network.blocks + 1, "layers": layers[-1][0] + 1}
    found = {path: layout.ends[path].format(**counts) for path in leaves if path in layout.ends}
    blocks: dict[tuple[int, int], dict[str, Leaf]] = {}
    for path, leaf in leaves.items():
        if path.startswith("stages."):
            _, i, j, *rest = path.split(".", 3)
            blocks.setdefault((int(i), int(j)), {})["".join(rest)] = leaf
    for n, ((i, j), inside) in enumerate(blocks.items()):
        layer, before = layers[i]
        fields = {"i": i, "stage": i + 1, "j": j, "letter": chr(ord("a") + j), "n": n, "block": n + 1}
        fields |= {"layer": layer, "m": before + j}
        for path, template in _block(inside, layout).items():
            found[f"stages.{i}.{j}.{path}"] = layout.block.format(**fields) + template
    return layout.told_apart({path: found[path] for path in leaves if path in found})


def _block(leaves: Mapping[str, Leaf], layout: Layout) -> dict[str, str]:
    """The leaves of one block, named by the table that lists exactly these; nothing if there is none."""
    kind = next((kind for kind in layout.kinds if kind.keys() == leaves.keys()), None)
    if kind is None:
        return {}
    units = list(dict.fromkeys(path.rpartition(".")[0] for path in leaves))
    norms = [path for path, leaf in leaves.items() if isinstance(leaf, Norm)]
    found: dict[str, str] = {}
    for path in leaves:
        unit = units.index(path.rpartition(".")[0])
        norm = norms.index(path) + 1 if path in norms else 0
        found[path] = kind[path].format(unit=unit, next=unit + 1, norm=norm)
    return found


def to_ours(state: Mapping[str, T], network: Network, ecosystem: str) -> dict[str, T]:
    """The same tensors under our names. Raises CheckpointError unless every name is used exactly once.

    Batch counters are not among them where the ecosystem keeps none.
    """
    return _rename(state, {theirs: ours for ours, theirs in _kept(network, ecosystem).items()})


def from_ours(state: Mapping[str, T], network: Network, ecosystem: str) -> dict[str, T]:
    """The same tensors under the ecosystem's names. Raises CheckpointError unless every name is used once.

    Batch counters are dropped where the ecosystem keeps none.
    """
    table = _kept(network, ecosystem)
    keeps = any(name.endswith(COUNTER) for name in table)
    return _rename(state if keeps else {k: v for k, v in state.items() if not k.endswith(f".{COUNTER}")}, table)


def _kept(network: Network, ecosystem: str) -> dict[str, str]:
    """The names of the tensors that the ecosystem's files do hold, ours to theirs."""
    counts = all(layout.counts_batches for layout in LAYOUTS.get(ecosystem, ()))
    table = names(network, ecosystem)
    return table if counts else {ours: theirs for ours, theirs in table.items() if not ours.endswith(f".{COUNTER}")}


def _rename(state: Mapping[str, T], table: Table) -> dict[str, T]:
    gap = mismatch(dict.fromkeys(table, ()), dict.fromkeys(state, ()))
    if gap:
        raise CheckpointError(f"the names do not match the network: {gap}")
    return {new: state[old] for old, new in table.items()}
