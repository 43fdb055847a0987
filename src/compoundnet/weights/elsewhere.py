"""What other libraries run under the same tensor names: which call makes the model, and what has to be set there.

Names and arguments as in torchvision 0.29, timm 1.0, efficientnet_pytorch 0.7 and its Lite fork.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING

from compoundnet.layers import Padding
from compoundnet.network import Network

from .catalogue import HABITS, habit
from .published import every_published
from .records import Weights

if TYPE_CHECKING:
    from torch import Tensor

_IMAGENET, _RGB = 1000, 3
_SAME_LIBRARY: Mapping[str, str] = MappingProxyType({"keras_numbered": "keras"})  # which names tensors in two ways


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A model of another library with the shapes of ours: ``members`` is a pattern, ``call`` a template.

    In ``call``, {name} is our name with ``was`` put as ``becomes``, and {more} the arguments that are not the default.
    """

    ecosystem: str
    members: str
    call: str
    was: str = ""
    becomes: str = ""
    padding: Padding = "symmetric"

    def made(self, member: str, network: Network) -> str:
        """The call, as somebody would write it."""
        counts = {"classes": (network.classes, _IMAGENET), "channels": (network.in_channels, _RGB)}
        words = ARGUMENTS[self.ecosystem].items()
        more = "".join(f", {word}={counts[what][0]}" for what, word in words if counts[what][0] != counts[what][1])
        text = self.call.format(name=member.replace(self.was, self.becomes) if self.was else member, more=more)
        return text.replace("(, ", "(")


# How each library's call takes the counts of outputs and input channels. Without a word for channels a stem has three;
# mmpretrain counts classes in the head, of which its backbone knows nothing.
ARGUMENTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "torchvision": {"classes": "num_classes"},
        "timm": {"classes": "num_classes", "channels": "in_chans"},
        "lukemelas": {"classes": "num_classes", "channels": "in_channels"},
        "mmpretrain": {},
        "keras": {"classes": "classes"},
    }
)
_TORCHVISION = Twin(ecosystem="torchvision", members="resnet*", call="torchvision.models.{name}({more})")
_TIMM = Twin(ecosystem="timm", members="resnet*", call="timm.create_model('{name}'{more})")
_TF = replace(_TIMM, call="timm.create_model('tf_{name}'{more})", padding="same")
_FROM_NAME = "EfficientNet.from_name('{name}'{more})"
_LUKEMELAS = Twin(
    ecosystem="lukemelas",
    members="efficientnet_b[0-8]",
    call=f"efficientnet_pytorch.{_FROM_NAME}",
    was="_",
    becomes="-",
    padding="same",
)
_MMPRETRAIN = Twin(
    ecosystem="mmpretrain",
    members="",
    call="mmpretrain.models.EfficientNet(arch='{name}') and a LinearClsHead",
    was="efficientnet_",
    padding="same",
)
TWINS: tuple[Twin, ...] = (
    replace(_TORCHVISION, members="efficientnet_b[0-7]"),
    replace(_TORCHVISION, members="mobilenet_v2"),
    _TORCHVISION,
    *(
        replace(row, members=members, was=was, becomes=becomes)
        for row in (_TIMM, _TF)
        for members, was, becomes in (
            ("efficientnet_b[0-8]", "", ""),
            ("efficientnet_lite[0-4]", "", ""),
            ("efficientnet_l2", "", ""),
            ("efficientnet_edgetpu_[sml]", "edgetpu_", "e"),
        )
    ),
    replace(_TIMM, members="mobilenet_v[12]", call="timm.create_model('{name}_100'{more})", was="_v", becomes="v"),
    _TIMM,
    _LUKEMELAS,
    replace(_LUKEMELAS, members="efficientnet_l2"),
    replace(_LUKEMELAS, members="efficientnet_lite[0-4]", call=f"efficientnet_lite_pytorch.{_FROM_NAME}"),
    *(replace(_MMPRETRAIN, members=f"efficientnet_{name}") for name in ("b[0-8]", "l2")),
    replace(_MMPRETRAIN, members="efficientnet_edgetpu_[sml]", was="efficientnet_edgetpu_", becomes="e"),
    Twin(
        ecosystem="keras",
        members="efficientnet_b[0-7]",
        call="keras.applications.{name}(weights=PATH{more})",
        was="efficientnet_b",
        becomes="EfficientNetB",
        padding="same",
    ),
)
_SETTINGS: Mapping[str, tuple[Callable[[Network], str], Callable[[Network], str]]] = MappingProxyType(
    {
        "torchvision": (
            lambda network: "its padding cannot be set",
            lambda network: f"norm_layer=functools.partial(torch.nn.BatchNorm2d, eps={network.norm_eps:g})",
        ),
        "timm": (
            lambda network: f"pad_type={'same' if network.padding == 'same' else ''!r}",
            lambda network: f"bn_eps={network.norm_eps:g}",
        ),
        "lukemelas": (
            lambda network: "its padding cannot be set",
            lambda network: f"batch_norm_epsilon={network.norm_eps:g}",
        ),
    }
)


def twin(ecosystem: str, member: str, network: Network) -> Twin | None:
    """The other library's model for a member of the families, the one with the network's padding if there are two."""
    if network.in_channels != _RGB and "channels" not in ARGUMENTS.get(ecosystem, {}):
        return None
    return min(twins(ecosystem, member), key=lambda row: row.padding != network.padding, default=None)


def twins(ecosystem: str, member: str) -> tuple[Twin, ...]:
    """The other library's models with the shapes of a member: timm has two of some, of either padding."""
    called = _SAME_LIBRARY.get(ecosystem, ecosystem)
    return tuple(row for row in TWINS if row.ecosystem == called and fnmatchcase(member, row.members))


def has_model(ecosystem: str, member: str) -> bool:
    """Whether an ecosystem has a network, by its code or by what it publishes; its names alone fit many more.

    >>> has_model("torchvision", "efficientnet_b0"), has_model("torchvision", "efficientnet_lite0")
    (True, False)
    """
    called = _SAME_LIBRARY.get(ecosystem, ecosystem)
    rows = every_published().values()
    return bool(twins(ecosystem, member)) or any((row.ecosystem, row.member) == (called, member) for row in rows)


def runs_as(ecosystem: str, member: str, network: Network) -> Network | None:
    """The network that the other library runs under these names unless told otherwise; None where nobody knows."""
    found = twin(ecosystem, member, network)
    if found is None or not any(row.ecosystem == ecosystem for row in HABITS):
        return None
    theirs = habit(ecosystem, member, "tf_" if ecosystem == "timm" and found.padding == "same" else "").network(network)
    return replace(theirs, padding=found.padding)


def settings(ecosystem: str, ours: Network, theirs: Network) -> tuple[list[str], list[str]]:
    """What differs between two networks of the same tensors, and what has to be set in the other library."""
    padding, eps = _SETTINGS.get(ecosystem, (None, None))
    differs: list[str] = []
    sets: list[str] = []
    if ours.padding != theirs.padding:
        differs.append(f"padding {theirs.padding!r} instead of {ours.padding!r}")
        sets.append(padding(ours) if padding else f"padding {ours.padding!r}")
    if ours.norm_eps != theirs.norm_eps:
        differs.append(f"norm epsilon {theirs.norm_eps:g} instead of {ours.norm_eps:g}")
        sets.append(eps(ours) if eps else f"norm epsilon {ours.norm_eps:g}")
    return differs, sets


def said(ecosystem: str, state: "Mapping[str, Tensor]", weights: Weights, before: "Tensor") -> list[str]:
    """How a library runs these tensors, which have our names: measured where it runs another function than we do.

    ``before`` is our answer to the picture of ``parity.logits``.
    """
    from .matching import describe
    from .parity import apart, logits

    network, member = weights.network, describe(weights.network)
    found, theirs = twin(ecosystem, member, network), runs_as(ecosystem, member, network)
    if found is None or theirs is None:
        must = f"padding {network.padding!r}, norm epsilon {network.norm_eps:g}, activation {network.activation}"
        none = f"{ecosystem} has no such model; one of your own that takes these names must run {must}"
        return [none, _prepared(ecosystem, weights)]
    call, (differs, sets) = found.made(member, network), settings(ecosystem, network, theirs)
    if not differs:
        return [f"{ecosystem} runs the same function: {call}", _prepared(ecosystem, weights)]
    other = logits(state, replace(network, padding=theirs.padding, norm_eps=theirs.norm_eps))
    far = f"logits differ by up to {apart(before, other):.3g} (largest logit {before.abs().max():.3g})"
    return [
        f"{call} runs {' and '.join(differs)}: {far}; to set there: {'; '.join(sets)}",
        _prepared(ecosystem, weights),
    ]


def _prepared(ecosystem: str, weights: Weights) -> str:
    """How pictures go in; Keras's model has mean and std inside, and convert puts them into its file."""
    pre = weights.preprocess
    how = f"{pre.size[0]} x {pre.size[1]} pixels, {pre.order.replace('_', ' ')}, crop {pre.crop:.3g}"
    if ecosystem == "keras":
        return f"pictures are to be prepared there as here: {how}, {pre.interpolation}, pixels from 0 to 255"
    norm = (
        f"{what} {'/'.join(f'{x:.4g}' for x in dict.fromkeys(of))}"
        for what, of in (("mean", pre.mean), ("std", pre.std))
    )
    return f"pictures are to be prepared there as here: {how}, {pre.interpolation}, {', '.join(norm)}"
