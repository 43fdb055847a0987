"""Loading is strict: every tensor is used once, or one error says what differs and what the file looks like."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from torch import Tensor

from compoundnet.building import build
from compoundnet.families import named
from compoundnet.layers import Node, seq
from compoundnet.modules import ConvNet
from compoundnet.network import Network, Stage, Stem
from compoundnet.operators import OPERATORS, Site
from compoundnet.preprocess import Preprocess
from compoundnet.weights import (
    CheckpointError,
    Weights,
    adapt_stem,
    from_ours,
    load,
    load_into,
    recognise,
    save,
    sha256,
)
from compoundnet.weights.files import write_safetensors
from tests.parity import TOLERANCE, built, difference

TINY = named("tiny")
State = dict[str, Tensor]


def _state(network: Network = TINY, ecosystem: str = "timm", seed: int = 1) -> State:
    return from_ours(built(network, seed).state_dict(), network, ecosystem)


def _error(model: ConvNet, state: State) -> str:
    """The one line, after checking that the model is as it was."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_into(model, state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_wrong_checkpoint_names_the_network_it_looks_like() -> None:
    with torch.device("meta"):
        state = torchvision.models.efficientnet_b1(weights=None).state_dict()
    line = _error(build(named("efficientnet_b0")), state)
    assert line.startswith("efficientnet_b0 cannot take it: ")
    assert line.endswith("; it looks like efficientnet_b1 (torchvision)")
    assert len(line) < 700


def _without(prefix: str) -> State:
    return {name: tensor for name, tensor in _state().items() if not name.startswith(prefix)}


@pytest.mark.parametrize(
    ("state", "part"),
    [
        (_without("classifier.bias"), "1 missing (classifier.bias)"),
        (_state() | {"aux": torch.ones(1)}, "1 extra (aux)"),
        (_state() | {"bn1.bias": torch.ones(5)}, "1 misshapen (bn1.bias is 5, needs 8)"),
        (_without("blocks.0.0.conv"), "2 missing (blocks.0.0.conv_dw.weight, blocks.0.0.conv_pw.weight)"),
    ],
)
def test_missing_extra_and_misshapen_names_are_listed_in_the_files_own_names(state: State, part: str) -> None:
    line = _error(build(TINY), state)
    assert line == f"tiny cannot take it: {part}; its names are timm's, its shapes no known network's"


def test_names_of_nobody_are_refused() -> None:
    assert _error(build(TINY), {"a.b": torch.ones(1)}) == "no known ecosystem names tensors like this: a.b"
    assert _error(build(TINY), {}) == "no known ecosystem names tensors like this: it is empty"


def test_the_only_extra_or_missing_allowed_are_old_batch_counters_and_they_are_stated() -> None:
    state = {name: tensor for name, tensor in _state().items() if not name.endswith("num_batches_tracked")}
    model = build(TINY).eval()
    report = load_into(model, state)
    counters = len(_state()) - len(state)
    assert report.adapted == (f"{counters} absent batch counters set to 0",)
    assert report.loaded == len(state)
    assert difference(model, built(TINY, 1), 32, 32) <= TOLERANCE


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_the_models_and_are_stated(dtype: torch.dtype) -> None:
    state = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in _state().items()}
    model = build(TINY)
    report = load_into(model, state)
    floats = sum(tensor.is_floating_point() for tensor in state.values())
    assert report.adapted == (f"{floats} tensors converted from {str(dtype)[6:]} to float32",)
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32, torch.int64}
    assert torch.equal(model.classifier.state_dict()["bias"], state["classifier.bias"].float())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_that_are_not_finite_are_refused(value: float) -> None:
    state = _state()
    state["classifier.bias"][3] = value
    line = _error(build(TINY), state)
    assert line == "1 tensor holds NaN or infinity (classifier.bias); the checkpoint is broken"


def test_quantised_integers_are_refused() -> None:
    state = _state() | {"conv_stem.weight": torch.ones(8, 3, 3, 3, dtype=torch.int8)}
    assert _error(build(TINY), state).startswith("1 tensor holds no floating-point numbers (stem.conv.weight is int8)")


def test_another_class_count_gets_the_same_fresh_classifier_each_time_and_says_so() -> None:
    first, second = build(replace(TINY, classes=7)), build(replace(TINY, classes=7))
    state = _state()
    drawn = torch.random.get_rng_state()
    report = load_into(first, state)
    assert torch.equal(drawn, torch.random.get_rng_state()), "the random state is left alone"
    load_into(second, state)
    a, b = first.state_dict(), second.state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert report.initialised == ("classifier for 7 classes (the file has 1000), at zero",)
    assert report.unused == ("classifier.weight", "classifier.bias")
    assert report.loaded == len(state) - 2
    assert not a["classifier.weight"].any()
    assert not a["classifier.bias"].any()


def test_a_fresh_classifier_on_trained_features_starts_at_chance() -> None:
    model = load("efficientnet_lite0", classes=3).model
    with torch.inference_mode():
        logits = model(torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0]))
    assert float(loss) == pytest.approx(math.log(3))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 13])
def test_a_grey_picture_gives_the_same_response_with_any_number_of_channels(channels: int) -> None:
    model = build(replace(TINY, in_channels=channels)).eval()
    report = load_into(model, _state())
    adapted = (f"stem filters from 3 to {channels} input channels",) if channels != 3 else ()
    assert report.adapted == adapted
    grey = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = built(TINY, 1)(grey.expand(-1, 3, -1, -1))
        got = model(grey.expand(-1, channels, -1, -1))
    assert float((got - expected).abs().max() / expected.abs().max()) <= TOLERANCE


def test_six_channels_are_the_rgb_filters_twice_at_half_strength() -> None:
    weight = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(adapt_stem(weight, 6), weight.repeat(1, 2, 1, 1) / 2)
    assert torch.allclose(adapt_stem(weight, 1), weight.sum(1, keepdim=True))


RECOGNISED = [
    (lambda: torchvision.models.efficientnet_b4(weights=None), "torchvision", ("efficientnet_b4",)),
    (lambda: torchvision.models.mobilenet_v2(weights=None), "torchvision", ("mobilenet_v2",)),
    (lambda: torchvision.models.resnet34(weights=None), "torchvision", ("resnet34",)),
    (lambda: timm.create_model("resnet50"), "torchvision", ("resnet50",)),
    (lambda: timm.create_model("tf_efficientnet_lite3", num_classes=9), "timm", ("efficientnet_lite3",)),
    (lambda: timm.create_model("efficientnet_es", in_chans=1), "timm", ("efficientnet_edgetpu_s",)),
    (lambda: timm.create_model("mobilenetv1_100"), "timm", ("mobilenet_v1",)),
    (lambda: timm.create_model("tf_efficientnet_l2"), "timm", ("efficientnet_l2", "efficientnet_l2_475")),
    (lambda: timm.create_model("mobilenetv3_small_100"), "timm", ()),
    (lambda: build(named("efficientnet_b2")), "compoundnet", ("efficientnet_b2",)),
]


@pytest.mark.parametrize(("make", "ecosystem", "members"), RECOGNISED)
def test_a_checkpoint_is_recognised_by_names_and_shapes(
    make: Callable[[], torch.nn.Module], ecosystem: str, members: tuple[str, ...]
) -> None:
    with torch.device("meta"):
        seen = recognise(make().state_dict())
    assert (seen.ecosystem, seen.members) == (ecosystem, members)


RECORD = Weights(
    name="mine",
    network=TINY,
    preprocess=Preprocess(size=(32, 32)),
    classes=tuple(f"class {i}" for i in range(1000)),
    source="a test",
    licence="CC0-1.0",
    metrics={"top1": 12.5},
)


def test_a_saved_model_comes_back_equal_with_its_record(tmp_path: Path) -> None:
    model = built(TINY, 1)
    save(tmp_path / "a.safetensors", model, RECORD)
    back = load(tmp_path / "a.safetensors")
    assert back.weights == RECORD
    assert not back.model.training
    assert back.model.network == TINY
    before, after = model.state_dict(), back.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert str(back.report) == f"{len(before)} tensors loaded, named as compoundnet names them"
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["compoundnet"])["network"]["version"] == 1


def test_saving_twice_writes_the_same_bytes_and_over_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    hashes: list[str] = []
    for _ in range(2):
        save(path, built(TINY, 1), RECORD)
        hashes.append(sha256(path))
    assert hashes[0] == hashes[1]
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_record_of_another_network_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'mine' is of another network than the model's"):
        save(tmp_path / "a.safetensors", build(replace(TINY, norm_eps=1e-5)), RECORD)
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A user's own operator."""

    def unfold(self, site: Site) -> Node:
        """One 3 x 3 convolution."""
        return seq(mix=site.conv_norm_act(site.inputs, site.outputs, 3, site.stride))


def test_a_model_of_a_users_own_operator_is_saved_and_loaded(tmp_path: Path) -> None:
    stages = (Stage(operator=Plain(), layers=2, channels=8, stride=2),)
    network = Network(stem=Stem(channels=4), stages=stages, classes=3, resolution=16)
    path = tmp_path / "a.safetensors"
    save(path, built(network, 1), Weights(name="own", network=network, preprocess=Preprocess(size=(16, 16))))
    back = load(path, operators={**OPERATORS, "Plain": Plain})
    assert back.weights.network == network
    assert difference(back.model, built(network, 1), 16, 16) == 0.0
    with pytest.raises(CheckpointError, match=r"its record cannot be read: .*unknown operator 'Plain'"):
        load(path)


@pytest.mark.parametrize("record", ["not json", "[]", '{"version": 1}', "[" * 100_000])
def test_a_damaged_record_is_one_line(tmp_path: Path, record: str) -> None:
    write_safetensors(tmp_path / "a.safetensors", built(TINY, 1).state_dict(), record)
    with pytest.raises(CheckpointError, match=r"a\.safetensors: its record cannot be read: ") as caught:
        load(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


def test_a_file_that_differs_from_its_record_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors(path, built(named("mobilenet_v1"), 1).state_dict(), json.dumps(RECORD.to_dict()))
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: tiny cannot take it: ")
    assert str(caught.value).endswith("; it looks like mobilenet_v1 (compoundnet)")


def test_the_rates_reach_the_model_and_the_random_state_is_left_alone(tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", built(TINY, 1), RECORD)
    torch.manual_seed(3)
    drawn = torch.random.get_rng_state()
    model = load(tmp_path / "a.safetensors", dropout=0.3, drop_path=0.2).model
    assert torch.equal(drawn, torch.random.get_rng_state())
    assert model.dropout.p == 0.3
    assert sorted(model.state_dict()) == sorted(built(TINY, 1).state_dict())


def test_an_adapted_model_has_a_record_that_follows(tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", built(TINY, 1), RECORD)
    fewer = load(tmp_path / "a.safetensors", classes=4)
    assert (fewer.weights.network.classes, fewer.weights.classes, dict(fewer.weights.metrics)) == (4, (), {})
    grey = load(tmp_path / "a.safetensors", in_channels=1)
    assert grey.weights.network == grey.model.network == replace(TINY, in_channels=1)
    assert grey.weights.classes == RECORD.classes
    save(tmp_path / "b.safetensors", grey.model, grey.weights)
    assert load(tmp_path / "b.safetensors").weights == grey.weights


def test_an_impossible_count_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", built(TINY, 1), RECORD)
    with pytest.raises(ValueError, match=r"^classes: 0 is not a whole number of at least 1"):
        load(tmp_path / "a.safetensors", classes=0)
    with pytest.raises(ValueError, match=r"^in_channels: 0 is not a whole number of at least 1"):
        load(tmp_path / "a.safetensors", in_channels=0)
