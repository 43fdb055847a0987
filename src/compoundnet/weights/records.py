"""Weights: the record that travels with a set of weights, and ImageNet's class names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.preprocess import Preprocess
from compoundnet.schema import FieldError, decode, encode, require, require_version

from .cards import Card

RECORD_VERSION = 2  # 1 had no card; it is still read
_OLDEST = 1
IN_PERCENT = ("top1", "top5", "mean_per_class", "exact")  # accuracies; a record's other figures are as measured


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Where a set of weights comes from and how to use it.

    ``ecosystem``, ``source``, ``file`` and ``sha256`` describe the file the tensors were first read
    from ("" where there was none). ``classes`` names the outputs in order, or is empty. ``metrics``
    are published or measured numbers by name, those of ``IN_PERCENT`` in percent. ``card`` says step by step how the
    weights came about; it is empty for weights that are as they were published (``cards.lineage``).
    Raises FieldError when the class names do not match the network's class count.
    """

    name: str
    network: Network
    preprocess: Preprocess
    classes: tuple[str, ...] = ()
    ecosystem: str = "compoundnet"
    source: str = ""
    file: str = ""
    sha256: str = ""
    licence: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict, hash=False)
    card: Card = Card()

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        count = len(self.classes)
        problem = f"{count} names for a network with {self.network.classes} outputs"
        require(count in (0, self.network.classes), "classes", problem)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with a ``version`` field; the network keeps its own."""
        return {"version": RECORD_VERSION, **encode(self), "network": self.network.to_dict()}

    @staticmethod
    def from_dict(data: Mapping[str, Any], operators: Mapping[str, type] = OPERATORS) -> "Weights":
        """The record that ``to_dict`` wrote; ``operators`` adds a user's own classes by name.

        Raises FieldError with the path to the field that does not fit.
        """
        require(isinstance(data, Mapping), "", f"a weights record is an object; got {data!r:.60}")
        version = data.get("version")
        if type(version) is not int or version != _OLDEST:
            require_version(version, RECORD_VERSION)
        require("network" in data, "network", "missing; Weights needs it")
        try:
            network = Network.from_dict(data["network"], operators)
        except FieldError as error:
            raise error.under("network") from None
        fields = {key: value for key, value in data.items() if key != "version"}
        return decode(Weights, {**fields, "network": encode(network)}, operators)


def in_percent(name: str) -> bool:
    """Whether a figure of this name, which may have a data set or split before it, is in percent in ``metrics``.

    >>> in_percent("imagenet_top1"), in_percent("validation_auroc"), in_percent("exact")
    (True, False, True)
    """
    return any(name == each or name.endswith(f"_{each}") for each in IN_PERCENT)


def imagenet_classes() -> tuple[str, ...]:
    """ImageNet's 1000 class names in the usual order (sorted by WordNet id), taken from torchvision.

    >>> imagenet_classes()[967]
    'espresso'
    """
    from torchvision.models import EfficientNet_B0_Weights

    return tuple(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])


def imagenet_synsets() -> tuple[str, ...]:
    """The WordNet ids of those classes in their order, taken from timm; () where it is not installed."""
    try:
        from timm.data import ImageNetInfo
    except ImportError:
        return ()
    return tuple(ImageNetInfo("imagenet-1k").label_names())
