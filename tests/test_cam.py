"""Class activation maps: exact, in the right place, and the same as other implementations."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from examples.photos import photos
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor, nn

from compoundnet import MBConv, Network, build, load, named
from compoundnet.cam import activation, blended, class_activation_map, figure, grad_cam, placed
from compoundnet.images import Decoded, decode, seen, window
from compoundnet.modules import ConvNet
from compoundnet.preprocess import Order, Preprocess
from compoundnet.schema import FieldError
from compoundnet.weights import Pretrained

NAMES = ["efficientnet_b0", "efficientnet_lite0", "efficientnet_edgetpu_s", "mobilenet_v1", "mobilenet_v2"]
NAMES += ["resnet18", "resnet50"]


@pytest.fixture(scope="module")
def lite0() -> Pretrained:
    return load("efficientnet_lite0")


def classifier(model: ConvNet) -> nn.Linear:
    assert isinstance(model.classifier, nn.Linear)
    return model.classifier


def near_sighted(name: str) -> Network:
    """A member with one repeat a stage and without gates: its maps see only what is near."""
    stages = [replace(stage, layers=1) for stage in named(name).stages]
    stages = [replace(s, operator=replace(s.operator, se=0.0)) if isinstance(s.operator, MBConv) else s for s in stages]
    return replace(named(name), stages=tuple(stages))


@pytest.mark.parametrize("name", NAMES)
def test_the_map_moves_with_the_photo(name: str) -> None:
    network, step = near_sighted(name), 32
    model = build(network, generator=torch.Generator().manual_seed(3)).eval()
    image = torch.rand(1, 3, 448 + step, 448 + step, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        still, moved = (
            class_activation_map(model.features(part), classifier(model).weight)
            for part in (image[..., step:, step:], image[..., :-step, :-step])
        )
    middle = slice(5, 9)  # cells that see no border
    torch.testing.assert_close(moved[..., 6:10, 6:10], still[..., middle, middle], rtol=1e-4, atol=1e-6)


def test_the_map_of_real_weights_moves_with_a_cup_and_leans_to_neither_side(lite0: Pretrained) -> None:
    cup = decode(str(photos()[1])).resize((150, 100))
    places = [(75, 30), (75, 110), (105, 70), (135, 30), (135, 110)]
    # What of the cup counts most lies off its middle, but mirrored it lies as far to the other side.
    plain, mirrored = (
        np.array([_middle_of_map(lite0, each, at) - (at[0] + 75, at[1] + 50) for at in places])
        for each in (cup, ImageOps.mirror(cup))
    )
    cell = 0.875 * 240 / 7
    assert np.abs(plain - plain.mean(axis=0)).max() < cell / 3
    lean = (plain[:, 0].mean() + mirrored[:, 0].mean()) / 2
    assert abs(lean) < cell / 8  # by its padding alone it would lean by half a cell


def _middle_of_map(pretrained: Pretrained, picture: Image.Image, at: tuple[int, int]) -> NDArray[np.float64]:
    canvas = Image.new("RGB", (360, 240), (128, 128, 128))
    canvas.paste(picture, at)
    over = activation(pretrained, canvas, pretrained.weights.classes.index("espresso")).over
    strength = np.nan_to_num(np.maximum(over - np.nanmax(over) / 2, 0))
    rows, columns = np.indices(over.shape) + 0.5
    return np.array([(columns * strength).sum(), (rows * strength).sum()]) / strength.sum()


@pytest.mark.parametrize("name", ["tiny", "mobilenet_v2", "efficientnet_b0"])
def test_the_mean_of_the_map_and_the_bias_are_the_logit(name: str) -> None:
    network = replace(named(name), classes=7)
    model = build(network, generator=torch.Generator().manual_seed(1)).eval()
    nn.init.normal_(classifier(model).bias)
    with torch.no_grad():
        features = model.features(torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(2)))
        maps = class_activation_map(features, classifier(model).weight)
        logits = model.head(features)
    torch.testing.assert_close(maps.mean((2, 3)) + classifier(model).bias, logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_lite0", "resnet18"])
def test_captums_grad_cam_at_the_head_is_ours(name: str) -> None:
    model = build(named(name), generator=torch.Generator().manual_seed(1)).eval()
    image = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    layer = model.top if len(list(model.top.children())) else model.stages[-1]
    theirs = LayerGradCam(model, layer).attribute(image, target=5, relu_attributions=False)
    assert isinstance(theirs, Tensor)
    with torch.no_grad():
        features = model.features(image)
        exact = class_activation_map(features, classifier(model).weight)[:, 5] / features[0, 0].numel()
    torch.testing.assert_close(theirs[:, 0].detach(), exact, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(grad_cam(features, model.head, 5), exact, rtol=1e-4, atol=1e-7)


def test_grad_cam_serves_a_head_that_does_not_pool_and_touches_no_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(8 * 9, 4)
    head = nn.Sequential(nn.Flatten(), linear)
    features = torch.rand(2, 8, 3, 3, generator=generator)
    with torch.no_grad():
        found = grad_cam(features, head, 2)
    weight = linear.weight[2].reshape(8, 3, 3).mean((1, 2))
    torch.testing.assert_close(found, (features * weight[:, None, None]).sum(1))
    assert linear.weight.grad is None
    with pytest.raises(FieldError, match="label: 4 is no class; the head has 4, from 0"):
        grad_cam(features, head, 4)


@given(
    st.integers(40, 700),
    st.integers(40, 700),
    st.sampled_from(["crop_then_resize", "resize_then_crop"]),
    st.sampled_from([0.875, 1.0]),
    st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
def test_a_cell_is_brightest_where_the_photo_has_what_it_covers(
    width: int, height: int, order: Order, crop: float, cell: tuple[int, int]
) -> None:
    preprocess = Preprocess(size=(224, 224), crop=crop, order=order)
    hot = np.zeros((7, 7))
    hot[cell] = 1.0
    over = placed(hot, preprocess, (width, height))
    left, top, right, bottom = seen((width, height), preprocess)
    middle = top + (cell[0] + 0.5) / 7 * (bottom - top), left + (cell[1] + 0.5) / 7 * (right - left)
    best = np.argwhere(over == np.nanmax(over)) + 0.5
    assert np.abs(best - middle).max(axis=1).min() <= 1
    outside = np.isnan(over)
    assert outside.sum() == pytest.approx(width * height - (right - left) * (bottom - top), abs=2 * (width + height))


@pytest.mark.parametrize("order", ["crop_then_resize", "resize_then_crop"])
@pytest.mark.parametrize("size", [(300, 200), (200, 301), (64, 500)])
def test_what_the_network_sees_is_where_it_is_said_to_be(order: Order, size: tuple[int, int]) -> None:
    preprocess = Preprocess(size=(96, 96), crop=0.875, order=order, interpolation="bilinear")
    across, down = (np.arange(side) + 0.5 for side in size)
    for values, axis in ((np.tile(across, (size[1], 1)), 1), (np.tile(down[:, None], (1, size[0])), 0)):
        picture = Image.fromarray(np.repeat(np.rint(values / 2)[..., None], 3, axis=2).astype(np.uint8))
        inside = np.asarray(window(Decoded(picture, size), preprocess), np.float64)[..., 0].mean(axis=1 - axis) * 2
        box = seen(size, preprocess)
        start, stop = (box[0], box[2]) if axis else (box[1], box[3])
        expected = start + (np.arange(96) + 0.5) / 96 * (stop - start)
        assert np.abs(inside - expected)[3:-3].max() < 2.5


def test_a_flat_map_is_flat_everywhere_and_a_list_is_no_map() -> None:
    preprocess = Preprocess(size=(224, 224), crop=1.0)
    assert np.allclose(placed(np.full((7, 7), 2.5), preprocess, (300, 300), out=(31, 31)), 2.5)
    with pytest.raises(FieldError, match=r"map: shape \(8,\); height and width are needed"):
        placed(np.zeros(8), preprocess, (300, 300))


def test_what_the_network_does_not_see_is_darkened_and_a_flat_map_changes_nothing() -> None:
    picture = Image.new("RGB", (8, 4), (200, 100, 40))
    half = np.ones((4, 8))
    half[:, :4] = np.nan
    drawn = np.asarray(blended(picture, half))
    assert (drawn[:, 4:] == (200, 100, 40)).all()
    assert (drawn[:, :4] == (70, 35, 14)).all()


def test_a_figure_is_a_table_of_limited_size() -> None:
    dot = Image.new("RGB", (10, 10))
    with pytest.raises(FieldError, match="rows: of different lengths"):
        figure([[(dot, [])], [(dot, []), (dot, [])]])
    with pytest.raises(FieldError, match="rows: no pictures"):
        figure([])
    with pytest.raises(FieldError, match="at most 4096 a side are drawn"):
        figure([[(dot, [])] * 400])


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_the_mean_of_a_real_map_and_the_bias_are_the_logit(name: str) -> None:
    pretrained = load(name)
    for path in photos()[:3]:
        found = activation(pretrained, decode(str(path)))
        bias = float(classifier(pretrained.model).bias.detach()[found.label])
        assert found.map.mean() + bias == pytest.approx(found.logit, rel=0, abs=1e-5)


def test_a_class_and_its_figures_are_the_models(lite0: Pretrained) -> None:
    photo = decode(str(photos()[1]))
    found = activation(lite0, photo)
    assert (found.name, found.label) == ("espresso", 967)
    other = activation(lite0, photo, 967, method="grad")
    assert np.allclose(other.map * other.map.size, found.map, rtol=1e-3, atol=1e-4)
    with pytest.raises(FieldError, match="label: 1000 is no class of the model, which has 1000, from 0"):
        activation(lite0, photo, 1000)
