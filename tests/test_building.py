"""The built model: initialisation, regularisation, heads, sizes, memory formats, exact checkpointing."""

import copy
import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch.nn import functional as F

from compoundnet import (
    MEMBERS,
    Network,
    Scaling,
    Site,
    Stage,
    Stem,
    build,
    cost,
    named,
    reset_classifier,
    scale,
    unfold,
)
from compoundnet.building import drop_rates, initialise, to_module
from compoundnet.layers import Act, Activation, Conv, Gate, GlobalPool, Node, Residual, seq
from compoundnet.modules import DropPath, SameConv2d
from compoundnet.schema import FieldError

from .strategies import networks


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def tiny() -> Network:
    return named("tiny")


def test_depthwise_weights_start_as_tensorflows_do() -> None:
    """fidelity 1.6: fan_out of a depthwise kernel is k * k, so its deviation is sqrt(2) / k."""
    model = build(named("efficientnet_b0"), generator=seeded())
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 2000:
            fan_out = module.kernel_size[0] ** 2 * module.out_channels / module.groups
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.1), name
    depthwise = model.get_submodule("stages.5.0.depthwise.conv")
    assert isinstance(depthwise, nn.Conv2d)
    assert depthwise.weight.std().item() == pytest.approx(math.sqrt(2) / 5, rel=0.05)


def test_the_classifier_starts_uniform_and_every_bias_at_zero() -> None:
    model = build(named("efficientnet_b0"), generator=seeded())
    linear = model.classifier
    assert isinstance(linear, nn.Linear)
    bound = 1 / math.sqrt(1000)
    assert 0.99 * bound < linear.weight.abs().max().item() <= bound
    assert all(not p.any() for name, p in model.named_parameters() if name.endswith("bias"))


def test_one_seed_is_one_model(tiny: Network) -> None:
    one, two, other = (build(tiny, generator=seeded(s)).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one["stem.conv.weight"], other["stem.conv.weight"])


def test_b0s_sixteen_drop_rates_are_the_released_ones() -> None:
    """fidelity 1.7; they sit only where a block has a skip."""
    assert drop_rates(16, 0.2) == pytest.approx([0.0125 * i for i in range(16)])
    model = build(named("efficientnet_b0"), drop_path=0.2)
    rates = [round(m.rate, 4) for m in model.modules() if isinstance(m, DropPath)]
    assert rates == [0.025, 0.05, 0.075, 0.0875, 0.1125, 0.125, 0.15, 0.1625, 0.175]


def test_the_released_dropout_table() -> None:
    released = [MEMBERS[f"efficientnet_b{i}"].dropout for i in range(9)]
    assert released == [0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5, 0.5]


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = DropPath(0.25).train()
    out = layer(torch.ones(4000, 3, 2, 2))
    per_sample = out.flatten(1)
    assert per_sample.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert (per_sample.amax(1) == per_sample.amin(1)).all()
    assert out.mean().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(layer.eval()(out), out)


def test_regularisation_vanishes_in_eval_mode(tiny: Network) -> None:
    plain, dropped = build(tiny, generator=seeded()), build(tiny, dropout=0.5, drop_path=0.5, generator=seeded())
    images = torch.randn(2, 3, 32, 32)
    assert plain.state_dict().keys() == dropped.state_dict().keys()
    assert torch.equal(plain.eval()(images), dropped.eval()(images))


@pytest.mark.parametrize(("name", "rate"), [("dropout", 1.0), ("drop_path", -0.1), ("norm_momentum", 0.0)])
def test_an_impossible_rate_is_refused(tiny: Network, name: str, rate: float) -> None:
    with pytest.raises(FieldError, match=f"^{name}: "):
        build(tiny, **{name: rate})  # pyrefly: ignore[bad-argument-type]


def test_features_and_head_compose_to_the_logits(tiny: Network) -> None:
    model = build(tiny).eval()
    images = torch.randn(2, 3, 40, 56)
    features = model.features(images)
    assert features.shape == (2, tiny.feature_channels, 2, 2)
    assert torch.equal(model.head(features), model(images))


def test_feature_maps_name_every_stage_and_end_in_the_features(tiny: Network) -> None:
    model = build(tiny).eval()
    images = torch.randn(1, 3, 64, 64)
    maps = model.feature_maps(images)
    assert list(maps) == ["stem", *(f"stages.{i}" for i in range(7)), "top"]
    assert [m.shape[-1] for m in maps.values()] == [32, 32, 16, 8, 4, 4, 2, 2, 2]
    assert torch.equal(maps["top"], model.features(images))


def test_a_new_classifier_keeps_the_features_and_tells_the_network(tiny: Network) -> None:
    model = build(tiny).eval()
    images = torch.randn(1, 3, 32, 32)
    before = model.features(images)
    reset_classifier(model, 7, seeded())
    assert model(images).shape == (1, 7)
    assert model.network == replace(tiny, classes=7)
    assert torch.equal(model.features(images), before)
    assert isinstance(model.classifier, nn.Linear)
    assert model.classifier.weight.std() > 0.1, "drawn by the generator"
    reset_classifier(model, 5)
    assert not model(images).any(), "at zero, so that no class is preferred"
    with pytest.raises(FieldError, match="classes: 0 is not"):
        reset_classifier(model, 0)


@given(networks())
@settings(max_examples=40, deadline=None)
def test_any_size_channels_and_classes_run(network: Network) -> None:
    model = build(network).eval()
    size = (network.resolution, network.resolution + 3)
    with torch.inference_mode():
        assert model(torch.randn(2, network.in_channels, *size)).shape == (2, network.classes)


@pytest.mark.parametrize("size", [7, 8, 12, 13])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (7, 2), (3, 3), (5, 4)])
def test_same_padding_is_what_a_padded_reference_computes(size: int, kernel: int, stride: int) -> None:
    """Against a direct sum over a zero-padded image, TensorFlow's SAME: the odd pixel right and below."""
    conv = to_module(Conv(1, 1, kernel, stride, padding="same"))
    assert isinstance(conv, SameConv2d)
    image = torch.randn(1, 1, size, size + 1)
    pads = []
    for side in (size, size + 1):
        pad = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
        pads.append((pad // 2, pad - pad // 2))
    padded = torch.zeros(size + sum(pads[0]), size + 1 + sum(pads[1]))
    padded[pads[0][0] : pads[0][0] + size, pads[1][0] : pads[1][0] + size + 1] = image[0, 0]
    weight = conv.weight[0, 0]
    rows, columns = math.ceil(size / stride), math.ceil((size + 1) / stride)
    expected = torch.empty(rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = padded[i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            expected[i, j] = (window * weight).sum()
    assert torch.allclose(conv(image)[0, 0], expected, atol=1e-5)


def test_paddings_agree_where_the_side_is_odd_and_differ_where_it_is_even(tiny: Network) -> None:
    same, symmetric = build(tiny, generator=seeded()).eval(), build(replace(tiny, padding="symmetric")).eval()
    symmetric.load_state_dict(same.state_dict())
    odd, even = torch.randn(1, 3, 33, 65), torch.randn(1, 3, 32, 64)
    assert torch.allclose(same.stem(odd), symmetric.stem(odd), atol=1e-6)
    assert not torch.allclose(same.stem(even), symmetric.stem(even), atol=1e-3)


def test_channels_last_gives_the_same_logits_in_its_own_strides() -> None:
    network = replace(named("efficientnet_b0"), resolution=64)
    model = build(network).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = model(images)
        model = model.to(memory_format=torch.channels_last)
        last = images.to(memory_format=torch.channels_last)
        assert model.features(last).is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(model(last), expected, atol=1e-4)


@dataclass(frozen=True)
class PreActivation:
    """A user's operator whose branch begins with an activation of its input (He et al. 2016b)."""

    def unfold(self, site: Site) -> Node:
        gate = Gate((("act", Act("relu")), ("pool", GlobalPool()), ("sigmoid", Act("sigmoid"))))
        branch = Residual((("act", Act(site.activation)), ("conv", Conv(site.outputs, site.outputs))))
        return seq(widen=Conv(site.inputs, site.outputs, stride=site.stride), branch=branch, gate=gate)


@pytest.mark.parametrize("activation", ["silu", "relu", "relu6", "hardswish", "gelu"])
def test_an_activation_never_overwrites_what_is_still_needed(activation: Activation) -> None:
    stage = Stage(operator=PreActivation(), layers=2, channels=6, stride=2)
    network = Network(stem=Stem(channels=4), stages=(stage, stage), resolution=32, classes=3, activation=activation)
    model = build(network, generator=seeded()).eval()
    images = torch.randn(2, 3, 32, 32)
    functions = {"silu": F.silu, "relu": F.relu, "relu6": F.relu6, "hardswish": F.hardswish, "gelu": F.gelu}
    function, before = functions[activation], images.clone()
    maps = model.feature_maps(images)
    x = maps["stem"]
    for block in model.get_submodule("stages.0").children():
        x = block.get_submodule("widen")(x)
        x = x + block.get_submodule("branch.conv")(function(x))
        x = x * torch.sigmoid(F.relu(x).mean((2, 3), keepdim=True))
    assert torch.allclose(maps["stages.0"], x, atol=1e-5)
    assert torch.allclose(model(images), model.head(model.top(maps["stages.1"])), atol=1e-6)
    assert torch.equal(images, before)
    model.train()(images).sum().backward()


def _step(model: Any, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    torch.manual_seed(7)
    loss = model(images).square().mean()
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return loss.detach(), gradients, [b.clone() for b in model.buffers()]


@pytest.mark.parametrize("name", ["tiny", "resnet18", "efficientnet_lite0"])
def test_checkpointing_changes_nothing_to_the_last_bit(name: str) -> None:
    """Loss, gradients and batch-norm statistics, with drop path and dropout drawing random numbers."""
    network = replace(named(name), resolution=48, classes=10)
    plain = build(network, dropout=0.3, drop_path=0.5, generator=seeded()).train()
    recomputed = copy.deepcopy(plain)
    recomputed.checkpointing = True
    images = torch.randn(4, 3, 48, 48)
    one, two = _step(plain, images), _step(recomputed, images)
    assert torch.equal(one[0], two[0])
    for a, b in zip([*one[1], *one[2]], [*two[1], *two[2]], strict=True):
        assert torch.equal(a, b)


def test_a_checkpointed_graph_can_be_walked_back_twice(tiny: Network) -> None:
    model = build(tiny, generator=seeded()).train()
    model.checkpointing = True
    loss = model(torch.randn(2, 3, 32, 32)).square().mean()
    loss.backward(retain_graph=True)
    weight = model.get_parameter("stem.conv.weight")
    assert weight.grad is not None
    once = weight.grad.clone()
    loss.backward()
    assert torch.allclose(weight.grad, 2 * once)


@pytest.mark.slow
def test_checkpointing_compiles_and_stays_the_same(tiny: Network) -> None:
    plain = build(tiny, generator=seeded()).train()
    recomputed = copy.deepcopy(plain)
    recomputed.checkpointing = True
    images = torch.randn(4, 3, 32, 32)
    one, two = _step(plain, images), _step(torch.compile(recomputed, backend="aot_eager", fullgraph=True), images)
    for a, b in zip([one[0], *one[1], *one[2]], [two[0], *two[1], *two[2]], strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_images_of_another_shape_are_one_line(tiny: Network) -> None:
    model = build(tiny).eval()
    for shape in ((3, 32, 32), (1, 1, 32, 32)):
        with pytest.raises(ValueError, match=r"this network takes \[N, 3, H, W\]"):
            model(torch.zeros(shape))


def test_a_name_is_not_a_network() -> None:
    name: Any = "tiny"
    for call in (build, cost, unfold, partial(scale, scaling=Scaling())):
        with pytest.raises(ValueError, match=r"'tiny' is not a Network; use compoundnet.named\('tiny'\)"):
            call(name)


def test_checkpointing_keeps_less_for_the_backward_pass(tiny: Network) -> None:
    kept: dict[bool, int] = {}
    for checkpointing in (False, True):
        model = build(tiny).train()
        model.checkpointing = checkpointing
        seen: list[torch.Tensor] = []

        def pack(tensor: torch.Tensor, seen: list[torch.Tensor] = seen) -> torch.Tensor:
            seen.append(tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            model(torch.randn(2, 3, 64, 64))
        kept[checkpointing] = sum(tensor.numel() for tensor in seen)
    assert kept[True] < kept[False] / 2


def test_a_model_unfolds_to_the_same_names_as_its_tree() -> None:
    model = build(named("resnet18"))
    assert "stages.1.0.residual.shortcut.conv.weight" in model.state_dict()
    assert "stages.1.1.residual.shortcut.conv.weight" not in model.state_dict()
    assert dict(unfold(named("resnet18")).children).keys() == {"stem", "stages", "top", "pool", "classifier"}


def test_initialise_is_repeatable_on_any_module() -> None:
    one, two = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)
    initialise(one, seeded(3))
    initialise(two, seeded(3))
    assert torch.equal(one.weight, two.weight)
