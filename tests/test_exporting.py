"""What leaves eager mode computes the same: compile, torch.export, scripted and traced ONNX."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from compoundnet import build, named
from compoundnet.layers import Padding
from compoundnet.modules import ConvNet

FAMILIES = ["tiny", "efficientnet_lite0", "efficientnet_edgetpu_s", "mobilenet_v1", "mobilenet_v2", "resnet18"]


def ready(name: str, padding: Padding = "same") -> tuple[ConvNet, torch.Tensor]:
    network = replace(named(name), padding=padding, resolution=64, classes=10)
    model = build(network, dropout=0.2, drop_path=0.2).eval()
    return model, torch.randn(2, 3, 64, 64)


def run_onnx(path: Path, images: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    [logits] = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    return np.asarray(logits)


def same(ours: torch.Tensor, theirs: np.ndarray | torch.Tensor) -> bool:
    return torch.allclose(ours, torch.as_tensor(theirs), atol=1e-4 * max(1.0, ours.abs().max().item()))


@pytest.mark.some(1)
@pytest.mark.parametrize("name", FAMILIES)
def test_scripting_gives_the_same_logits_at_any_size(name: str) -> None:
    model, _ = ready(name)
    scripted = _script(model)
    with torch.inference_mode():
        for size in ((64, 64), (65, 97)):
            images = torch.randn(1, 3, *size)
            assert torch.equal(scripted(images), model(images))


@pytest.mark.some(1)
@pytest.mark.parametrize("name", FAMILIES)
def test_torch_export_gives_the_same_logits_for_any_batch(name: str) -> None:
    model, images = ready(name)
    program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    more = torch.randn(5, 3, 64, 64)
    with torch.inference_mode():
        assert same(model(more), program.module()(more))


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_torch_export_takes_dynamic_height_and_width(padding: Padding) -> None:
    model, images = ready("tiny", padding)
    dynamic = dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)
    program = torch.export.export(model, (images,), dynamic_shapes=(dynamic,))
    other = torch.randn(1, 3, 97, 130)
    with torch.inference_mode():
        assert same(model(other), program.module()(other))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny", "resnet18"])
def test_torch_compile_gives_the_same_logits(name: str) -> None:
    """One whole graph: nothing in the walk over the tree breaks it."""
    model, images = ready(name)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    with torch.inference_mode():
        assert same(model(images), compiled(images))


@pytest.mark.slow
def test_torch_compile_trains(tmp_path: Path) -> None:
    model, images = ready("tiny")
    compiled = torch.compile(model.train(), fullgraph=True, backend="aot_eager")
    compiled(images).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.some(1)
@pytest.mark.parametrize("name", FAMILIES)
def test_onnx_of_the_scripted_model_gives_the_same_logits(name: str, tmp_path: Path) -> None:
    model, images = ready(name)
    path = tmp_path / "scripted.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of this exporter; engines still ask for it
        torch.onnx.export(_script(model), (images,), str(path), dynamo=False, input_names=["images"])
    with torch.inference_mode():
        assert same(model(images), run_onnx(path, images))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny", "resnet18"])
def test_onnx_of_the_exported_program_gives_the_same_logits_for_any_batch(name: str, tmp_path: Path) -> None:
    model, images = ready(name)
    path = tmp_path / "exported.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnxscript's own deprecations
        torch.onnx.export(model, (images,), str(path), dynamo=True, dynamic_shapes=({0: "batch"},), verbose=False)
    more = torch.randn(5, 3, 64, 64)
    with torch.inference_mode():
        assert same(model(more), run_onnx(path, more))


def _script(model: nn.Module) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, and still what mobile runtimes load
        return torch.jit.script(model)
