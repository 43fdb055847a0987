"""Random weights give the same logits here and in torchvision, timm and lukemelas, in both directions."""

from collections.abc import Callable

import pytest
import timm
import torchvision
from efficientnet_lite_pytorch import EfficientNet as LiteNet
from efficientnet_pytorch import EfficientNet as LukemelasNet
from torch import nn

from compoundnet.network import Network
from compoundnet.weights import from_ours, load_into
from tests.parity import TOLERANCE, built, difference, named, randomise

pytestmark = pytest.mark.usefixtures("one_thread")


def check(theirs: nn.Module, network: Network, ecosystem: str, sizes: tuple[tuple[int, int], ...]) -> None:
    """Theirs into ours and ours into theirs, strictly, at each size."""
    randomise(theirs, seed=1)
    theirs.eval()
    ours = built(network, seed=2)
    assert difference(ours, theirs, *sizes[0]) > 0.01, "different weights must differ"
    report = load_into(ours, theirs.state_dict())
    assert report.loaded == len(theirs.state_dict())
    assert (report.adapted, report.initialised, report.unused) == ((), (), ())
    for size in sizes:
        assert difference(ours, theirs, *size) <= TOLERANCE, size
    other = built(network, seed=3)
    theirs.load_state_dict(from_ours(other.state_dict(), network, ecosystem), strict=True)
    assert difference(other, theirs, *sizes[0]) <= TOLERANCE


SMALL = ((64, 64), (65, 79))
TINY = ((33, 47),)

TORCHVISION = [
    ("efficientnet_b0", 1e-5, SMALL),
    ("efficientnet_b1", 1e-5, TINY),
    ("efficientnet_b2", 1e-5, TINY),
    ("efficientnet_b3", 1e-5, TINY),
    ("efficientnet_b4", 1e-5, TINY),
    ("efficientnet_b5", 1e-3, TINY),
    ("efficientnet_b6", 1e-3, TINY),
    ("efficientnet_b7", 1e-3, TINY),
    ("mobilenet_v2", 1e-5, SMALL),
    ("resnet18", 1e-5, SMALL),
    ("resnet34", 1e-5, TINY),
    ("resnet50", 1e-5, SMALL),
    ("resnet101", 1e-5, TINY),
    ("resnet152", 1e-5, TINY),
]


@pytest.mark.some(2)
@pytest.mark.parametrize(("name", "eps", "sizes"), TORCHVISION)
def test_torchvision_gives_the_same_logits(name: str, eps: float, sizes: tuple[tuple[int, int], ...]) -> None:
    theirs = torchvision.models.get_model(name, weights=None)
    check(theirs, named(name, padding="symmetric", norm_eps=eps), "torchvision", sizes)


TIMM = [
    ("efficientnet_b0", "efficientnet_b0", "symmetric", 1e-5, SMALL),
    ("tf_efficientnet_b0", "efficientnet_b0", "same", 1e-3, SMALL),
    ("tf_efficientnet_b3", "efficientnet_b3", "same", 1e-3, SMALL),
    ("tf_efficientnet_b8", "efficientnet_b8", "same", 1e-3, TINY),
    ("efficientnet_lite0", "efficientnet_lite0", "symmetric", 1e-5, SMALL),
    ("tf_efficientnet_lite0", "efficientnet_lite0", "same", 1e-3, SMALL),
    ("tf_efficientnet_lite1", "efficientnet_lite1", "same", 1e-3, TINY),
    ("tf_efficientnet_lite2", "efficientnet_lite2", "same", 1e-3, TINY),
    ("tf_efficientnet_lite3", "efficientnet_lite3", "same", 1e-3, TINY),
    ("tf_efficientnet_lite4", "efficientnet_lite4", "same", 1e-3, TINY),
    ("efficientnet_es", "efficientnet_edgetpu_s", "symmetric", 1e-5, SMALL),
    ("tf_efficientnet_es", "efficientnet_edgetpu_s", "same", 1e-3, SMALL),
    ("tf_efficientnet_em", "efficientnet_edgetpu_m", "same", 1e-3, TINY),
    ("tf_efficientnet_el", "efficientnet_edgetpu_l", "same", 1e-3, TINY),
    ("mobilenetv1_100", "mobilenet_v1", "symmetric", 1e-5, SMALL),
    ("mobilenetv2_100", "mobilenet_v2", "symmetric", 1e-5, SMALL),
    ("resnet50", "resnet50", "symmetric", 1e-5, TINY),
]


@pytest.mark.some(3)
@pytest.mark.parametrize(("theirs", "ours", "padding", "eps", "sizes"), TIMM)
def test_timm_gives_the_same_logits(
    theirs: str, ours: str, padding: str, eps: float, sizes: tuple[tuple[int, int], ...]
) -> None:
    check(timm.create_model(theirs, pretrained=False), named(ours, padding=padding, norm_eps=eps), "timm", sizes)


LUKEMELAS: list[tuple[Callable[..., nn.Module], str, str, int]] = [
    (LukemelasNet.from_name, "efficientnet-b0", "efficientnet_b0", 64),
    (LukemelasNet.from_name, "efficientnet-b0", "efficientnet_b0", 75),
    (LukemelasNet.from_name, "efficientnet-b4", "efficientnet_b4", 50),
    (LiteNet.from_name, "efficientnet-lite0", "efficientnet_lite0", 64),
    (LiteNet.from_name, "efficientnet-lite2", "efficientnet_lite2", 45),
]


@pytest.mark.some(2)
@pytest.mark.parametrize(("make", "theirs", "ours", "side"), LUKEMELAS)
def test_lukemelas_gives_the_same_logits(make: Callable[..., nn.Module], theirs: str, ours: str, side: int) -> None:
    """Its padding is frozen for one image size, so the model is made for the size of the test."""
    check(make(theirs, image_size=side), named(ours), "lukemelas", ((side, side),))


def test_padding_and_epsilon_are_part_of_the_function() -> None:
    """The same tensors under the other habits give other logits: parity above is no accident."""
    theirs = torchvision.models.efficientnet_b0(weights=None)
    randomise(theirs, seed=1)
    theirs.eval()
    for change in ({"padding": "same", "norm_eps": 1e-5}, {"padding": "symmetric", "norm_eps": 1e-3}):
        ours = built(named("efficientnet_b0", **change), seed=2)
        load_into(ours, theirs.state_dict())
        assert difference(ours, theirs, 64, 64) > 10 * TOLERANCE, change
