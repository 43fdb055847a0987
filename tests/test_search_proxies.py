"""Zero-cost proxies against plain computations of their definitions, and their laws."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compoundnet import Network, Stage, Stem, build, cost
from compoundnet.families import named
from compoundnet.layers import Activation
from compoundnet.operators import MBConv, Operator, SeparableConv
from compoundnet.schema import FieldError
from compoundnet.search.predictors.models import Numbers
from compoundnet.search.proxies import Batch, counts, naswot, noise, proxies, synflow, zico
from compoundnet.search.proxies.synflow import _positive


def small(
    operator: Operator | None = None,
    layers: int = 2,
    activation: Activation = "relu",
    channels: int = 6,
    resolution: int = 8,
) -> Network:
    return Network(
        stem=Stem(channels=4),
        stages=(Stage(operator=operator or MBConv(expand=2), layers=layers, channels=channels),),
        classes=5,
        resolution=resolution,
        activation=activation,
    )


def plain_flow(network: Network, weights: list[Numbers]) -> float:
    """R for a network of a 3x3 stem of stride 1 and separable convolutions without a skip, by loops over pixels."""
    x = np.ones((network.in_channels, network.resolution, network.resolution))
    stem, depthwise, pointwise, classifier = weights
    x = loops(x, stem)
    x = np.concatenate([loops(x[c : c + 1], depthwise[c : c + 1]) for c in range(len(x))])
    x = loops(x, pointwise)
    return float((classifier @ x.mean(axis=(1, 2))).sum())


def loops(x: Numbers, weight: Numbers) -> Numbers:
    """A convolution of stride 1 with a border of zeros."""
    outputs, inputs, side, _ = weight.shape
    half = side // 2
    padded = np.pad(x, ((0, 0), (half, half), (half, half)))
    found = np.zeros((outputs, *x.shape[1:]))
    for o in range(outputs):
        for row in range(x.shape[1]):
            for column in range(x.shape[2]):
                window = padded[:, row : row + side, column : column + side]
                found[o, row, column] = sum((weight[o, i] * window[i]).sum() for i in range(inputs))
    return found


def test_synflow_is_that_of_loops_and_differences() -> None:
    """R is linear in each single weight, so a difference quotient is its derivative."""
    network = Network(
        stem=Stem(channels=3, stride=1),
        stages=(Stage(operator=SeparableConv(), layers=1, channels=2),),
        classes=2,
        resolution=4,
        activation="relu",
    )
    modules = [each for part in _positive(network, 3) for each in part.modules()]
    weights = [each.weight.detach().numpy() for each in modules if isinstance(each, nn.Conv2d | nn.Linear)]
    assert all((each > 0).all() and each.dtype == np.float64 for each in weights)
    flow = 0.0
    for layer, weight in enumerate(weights):
        for place in np.ndindex(weight.shape):
            ends = []
            for step in (-0.5, 0.5):
                moved = [each.copy() for each in weights]
                moved[layer][place] += step
                ends.append(plain_flow(network, moved))
            flow += weight[place] * (ends[1] - ends[0])
    assert synflow(network, 3) == pytest.approx(math.log(flow), abs=1e-9)
    assert math.log(4 * plain_flow(network, weights)) == pytest.approx(synflow(network, 3)), "Euler, for 4 layers"


@pytest.mark.parametrize(
    "operator",
    [MBConv(expand=2, se=0), MBConv(expand=2), MBConv(expand=2, se=0, skip="pool")],
    ids=["residual", "gate", "pool"],
)
def test_synflow_is_the_gradient_of_a_whole_pass(operator: Operator) -> None:
    """The model of another run of the code, in one piece, with every weight scaled by one number."""
    network = small(operator, layers=3)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    x = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    for part in _positive(network, 0):
        x = torch.func.functional_call(part, {name: p * scale for name, p in part.named_parameters()}, (x,))
    (derivative,) = torch.autograd.grad(x.sum(), scale)
    assert synflow(network) == pytest.approx(math.log(float(derivative)), abs=1e-9)


def test_synflow_neither_sees_activation_gate_nor_norm_and_is_finite_however_deep() -> None:
    base = small()
    assert synflow(base) == synflow(replace(base, activation="silu")) == synflow(replace(base, activation="hardswish"))
    assert synflow(base) == synflow(small(MBConv(expand=2, se=0))) == synflow(replace(base, norm_eps=0.1))
    assert synflow(base, 1) != synflow(base, 0)
    deep = synflow(small(MBConv(expand=6, se=0, skip=False), layers=300, channels=16))
    assert math.isfinite(deep)
    assert deep > 710, "beyond the largest float64"


def codes(network: Network, batch: Batch, seed: int) -> Numbers:
    """Every activation's bit for every picture (pictures, activations), read off before it is applied."""
    model = build(network, generator=torch.Generator().manual_seed(seed)).train()
    bits: list[Tensor] = []
    kinds = (nn.ReLU, nn.SiLU, nn.ReLU6, nn.GELU, nn.Hardswish)

    def read(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        bits.append((given[0] > 0).flatten(1))

    for module in model.modules():
        if isinstance(module, kinds):
            module.register_forward_pre_hook(read)
    with torch.no_grad():
        model(torch.from_numpy(batch.pictures))
    return torch.cat(bits, dim=1).numpy().astype(float)


@pytest.mark.parametrize("activation", ["relu", "silu", "relu6", "hardswish", "gelu"])
def test_naswots_kernel_is_that_of_two_loops(activation: Activation) -> None:
    network = small(MBConv(expand=2, skip="pool"), activation=activation)
    batch = noise(network, 6, seed=1)
    bits = codes(network, batch, 2)
    kernel = np.empty((6, 6))
    for i in range(6):
        for j in range(6):
            kernel[i, j] = bits.shape[1] - np.abs(bits[i] - bits[j]).sum()
    assert naswot(network, batch, 2) == pytest.approx(math.log(np.linalg.det(kernel)))


def test_naswot_tells_what_it_cannot_score() -> None:
    network = small()
    batch = noise(network, 4)
    twice = Batch(np.concatenate([batch.pictures[:3], batch.pictures[:1]]), batch.labels)
    with pytest.raises(FieldError, match="two are equal"):
        naswot(network, twice)
    with pytest.raises(FieldError, match="the sigmoid has no sign"):
        naswot(replace(network, activation="sigmoid"), batch)
    tiny = Network(
        stem=Stem(channels=1, stride=2),
        stages=(Stage(operator=SeparableConv(), layers=1, channels=1),),
        classes=2,
        resolution=2,
        activation="relu",
    )
    assert naswot(tiny, noise(tiny, 40)) == -math.inf, "some activations cannot tell 40 pictures apart"


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("parts", [2, 3])
def test_zico_is_its_formula_on_autograds_gradients(activation: Activation, parts: int) -> None:
    network = small(activation=activation)
    batch = noise(network, 12, seed=5)
    model = build(network, generator=torch.Generator().manual_seed(7)).train()
    per_layer: dict[str, list[Numbers]] = {}
    for k in range(parts):
        rows = slice(k * 12 // parts, (k + 1) * 12 // parts)
        model.zero_grad()
        logits = model(torch.from_numpy(batch.pictures[rows]))
        F.nll_loss(F.log_softmax(logits, dim=1), torch.from_numpy(batch.labels[rows])).backward()
        for name, module in model.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                assert module.weight.grad is not None
                per_layer.setdefault(name, []).append(module.weight.grad.double().numpy().ravel().copy())
    score = 0.0
    for gradients in per_layer.values():
        ratios = []
        for each in np.array(gradients).T:
            sizes = [abs(value) for value in each]
            mean = sum(sizes) / parts
            deviation = math.sqrt(sum((size - mean) ** 2 for size in sizes) / parts)
            if deviation > 0:
                ratios.append(mean / deviation)
        score += math.log(sum(ratios)) if ratios else 0.0
    assert zico(network, batch, 7, parts) == pytest.approx(score, rel=1e-4)


def test_counts_are_those_of_the_network() -> None:
    network = named("efficientnet_b0")
    depth = 1 + 2 + 15 * 3 + 1 + 1  # the stem, a block without expansion, fifteen with it, the top, the classifier
    assert counts(network) == {"params": 5_288_548, "macs": cost(network).macs, "depth": depth}
    assert counts(named("resnet50"))["depth"] == 50, "as its name says"


def test_all_proxies_leave_the_random_state_and_depend_on_their_seed_alone() -> None:
    network = small()
    torch.manual_seed(3)
    before, numpys = torch.random.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    found = proxies(network, noise(network, 8), seed=1)
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpys, np.random.get_state(legacy=False)["state"]["key"])
    torch.manual_seed(4)
    assert proxies(network, noise(network, 8), seed=1) == found
    other = proxies(network, noise(network, 8, seed=9), seed=1)
    assert [name for name in found if other[name] != found[name]] == ["naswot", "zico"], "synflow sees no data"
    assert proxies(network, noise(network, 8), seed=2)["synflow"] != found["synflow"]


def test_a_batch_is_not_changed() -> None:
    network = small()
    batch = noise(network, 8)
    pictures, labels = batch.pictures.copy(), batch.labels.copy()
    proxies(network, batch)
    assert np.array_equal(batch.pictures, pictures)
    assert np.array_equal(batch.labels, labels)


@pytest.mark.parametrize(
    ("kept", "pixels", "channels", "label", "said"),
    [
        (1, 8, 3, 0, "pictures: 1 of them"),
        (6, 8, 1, 0, "pictures: 1 channels; this network takes 3"),
        (6, 1, 3, 0, "pictures: 1 x 8 pixels; its total stride is 2"),
        (6, 8, 3, 5, "labels: from 0 to 5; this network tells classes 0 to 4"),
        (3, 8, 3, 0, "pictures: 3 in 2 parts; each needs at least 2"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(kept: int, pixels: int, channels: int, label: int, said: str) -> None:
    network = small()
    pictures = noise(network, 6).pictures[:kept, :channels, :pixels]
    labels = np.zeros(kept, np.int64)
    labels[-1] = label
    with pytest.raises(FieldError, match=said):
        zico(network, Batch(pictures, labels))


def test_what_is_no_batch_is_refused() -> None:
    whole = noise(small(), 6)
    with pytest.raises(FieldError, match=r"pictures: shape \(3, 8, 8\) is not"):
        Batch(whole.pictures[0], whole.labels)
    with pytest.raises(FieldError, match=r"labels: shape \(3,\) for 6 pictures"):
        Batch(whole.pictures, whole.labels[:3])
    with pytest.raises(FieldError, match="pictures: a value is not finite"):
        Batch(whole.pictures * np.float32(np.nan), whole.labels)
