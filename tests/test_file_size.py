"""The limit on the size of the file that save() writes, against files that were written."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings

from compoundnet import Network, Preprocess, Weights, build, cost, named, save
from compoundnet.budget import BYTES, LISTED, RECORD, Budget
from compoundnet.schema import FieldError
from compoundnet.weights.records import imagenet_classes

from .strategies import networks

FAMILIES = [
    *["tiny", "efficientnet_b0", "efficientnet_lite0", "efficientnet_edgetpu_s", "mobilenet_v1", "mobilenet_v2"],
    *["resnet18", "resnet50"],
]


def state(network: Network, device: str = "meta") -> dict[str, torch.Tensor]:
    with torch.device(device):
        return build(network).state_dict()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_families_hold_the_tensors_that_cost_counts(name: str) -> None:
    found, tensors = cost(named(name)), state(named(name))
    assert found.tensors == len(tensors)
    floats = sum(tensor.numel() for tensor in tensors.values() if tensor.is_floating_point())
    assert found.params + found.buffers == floats


@pytest.mark.slow
@given(networks())
@settings(max_examples=50, deadline=None)
def test_random_networks_hold_the_tensors_that_cost_counts(network: Network) -> None:
    found, tensors = cost(network), state(network)
    assert found.tensors == len(tensors)
    assert found.buffers == sum(t.numel() for name, t in tensors.items() if name.endswith(("_mean", "_var")))


def written(path: Path, network: Network, dtype: torch.dtype) -> tuple[int, int]:
    """Bytes of the file that save() writes with ImageNet's class names; and of its record."""
    model = build(network).to(dtype)
    classes = imagenet_classes() if network.classes == 1000 else ()
    weights = Weights(name="own", network=network, preprocess=Preprocess(size=(64, 64)), classes=classes)
    save(path, model, weights)
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        record = json.dumps(json.loads(file.read(length))["__metadata__"])
    return path.stat().st_size, len(record)


@pytest.mark.some(10)
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("dtype", [name for name in BYTES if name != "int8"])
def test_a_written_file_is_never_larger_than_counted_and_little_smaller(name: str, dtype: str, tmp_path: Path) -> None:
    network = named(name)
    size, record = written(tmp_path / "own.safetensors", network, getattr(torch, dtype))
    needed = Budget(file_size=1, dtype=dtype).needs(cost(network))["file_size"]
    assert size <= needed
    # What is not the tensors' own bytes is bounded, not counted: names, shapes and places, and the record.
    assert needed - size < (LISTED - 85) * cost(network).tensors + RECORD - record
    if name != "tiny":
        assert size > 0.995 * needed


@given(network=networks())
@settings(max_examples=20, deadline=None)
def test_files_of_random_networks_are_never_larger_than_counted(
    tmp_path_factory: pytest.TempPathFactory, network: Network
) -> None:
    size, _ = written(tmp_path_factory.mktemp("files") / "own.safetensors", network, torch.float32)
    assert size <= Budget(file_size=1).needs(cost(network))["file_size"]


def test_the_names_of_a_hundred_blocks_in_a_stage_still_fit() -> None:
    """The longest names there are: three digits of a block, and the shortcut of a Bottleneck."""
    base = named("resnet50")
    deep = replace(base, stages=(replace(base.stages[0], layers=120), *base.stages[1:]))
    size, listed = 0, 0
    for name, tensor in state(deep).items():
        size += tensor.nbytes
        start = str(size)
        listed += len(json.dumps({name: {"dtype": "BF16", "shape": [*tensor.shape], "data_offsets": [start, start]}}))
    assert listed + 8 * cost(deep).tensors / 5 < LISTED * cost(deep).tensors


def test_a_file_size_in_int8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="dtype: save writes no file in int8; limit its size in float32"):
        Budget(file_size=10**6, dtype="int8")
    assert Budget(memory=10**6, dtype="int8").limits == {"memory": 10**6}


def test_half_precision_halves_what_learns_and_not_the_names() -> None:
    found = cost(named("efficientnet_b0"))
    needs: list[Any] = [Budget(file_size=1, dtype=dtype).needs(found)["file_size"] for dtype in ("float32", "float16")]
    assert needs[0] - needs[1] == 2 * (found.params + found.buffers)
