"""Keras itself, on the PyTorch backend: the same logits for the same pictures, from its files to ours and back."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras.src.applications.efficientnet import EfficientNet
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

from compoundnet.families import named
from compoundnet.network import Network
from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD
from compoundnet.weights import load, write_keras
from tests.parity import built

# Keras 3.15 has PyTorch copy its tensors to numpy in a way that NumPy 2 has announced to end.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TOLERANCE = 1e-4
MEAN, STD = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
TINY = replace(named("tiny"), classes=10)


def tiny(**options: Any) -> keras.Model:
    """Keras's model of the widths and depths of TINY."""
    return EfficientNet(0.25, 0.25, 32, weights=options.pop("weights", None), **options)


def logits(model: keras.Model, pixels_NHWC: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(model(pixels_NHWC, training=False).cpu())


def ours(model: torch.nn.Module, pixels_NHWC: np.ndarray) -> np.ndarray:
    x = ((pixels_NHWC / 255 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2)
    with torch.inference_mode():
        return model(torch.from_numpy(np.ascontiguousarray(x))).numpy()


def pictures(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(0, 255, (2, height, width, 3)).astype(np.float32)


def randomise(model: keras.Model, seed: int = 3) -> None:
    """Values that make every weight and statistic count; the normalisation inside gets ImageNet's mean and variance."""
    draw = np.random.default_rng(seed)
    ranges = {"gamma": (0.6, 1.4), "beta": (-0.3, 0.3), "moving_mean": (-0.3, 0.3), "moving_variance": (0.5, 1.5)}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign(MEAN)
            layer.adapt_variance.assign(STD**2)
            layer.finalize_state()
            continue
        for variable in layer.weights:
            leaf = variable.path.rpartition("/")[2]
            fan = np.prod(variable.shape[:-1]) if leaf == "kernel" and "dwconv" not in layer.name else 9
            spread = 1.5 / float(np.sqrt(fan))
            low, high = ranges.get(leaf, (-spread, spread) if leaf == "kernel" else (-0.5, 0.5))
            variable.assign(draw.uniform(low, high, variable.shape).astype(np.float32))


def _legacy(model: keras.Model, path: Path) -> Path:
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
    return path


def _saved(model: keras.Model, path: Path) -> Path:
    model.save(path)
    return path


def _weights(model: keras.Model, path: Path) -> Path:
    model.save_weights(path)
    return path


SAVED: dict[str, tuple[Callable[[keras.Model, Path], Path], str]] = {
    "weights.h5 by name": (_legacy, "keras"),
    "model.h5": (_saved, "keras"),
    "a.weights.h5": (_weights, "keras_numbered"),
    "a.keras": (_saved, "keras_numbered"),
}


def check(theirs: keras.Model, path: Path, ecosystem: str, network: Network | None, size: tuple[int, int]) -> None:
    found = load(path, network=network)
    assert found.weights.ecosystem == ecosystem
    assert found.report.initialised == ()
    expected = logits(theirs, pictures(*size))
    assert expected.std() > 1e-2
    assert np.abs(ours(found.model, pictures(*size)) - expected).max() <= TOLERANCE


@pytest.mark.parametrize("how", SAVED)
@pytest.mark.filterwarnings("ignore:.*(HDF5|legacy).*")
def test_every_file_that_keras_saves_gives_keras_logits(tmp_path: Path, how: str) -> None:
    save, ecosystem = SAVED[how]
    theirs = tiny(classes=10, classifier_activation=None)
    randomise(theirs)
    path = save(theirs, tmp_path / how.removesuffix(" by name"))
    check(theirs, path, ecosystem, TINY, (32, 32))


@pytest.mark.some(1)
@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 79)])
def test_b0_is_recognised_and_gives_keras_logits(tmp_path: Path, height: int, width: int) -> None:
    """Keras pads for the size that its model is made for, so it is made for each."""
    theirs = keras.applications.EfficientNetB0(weights=None, classifier_activation=None, input_shape=(height, width, 3))
    randomise(theirs)
    path = _legacy(theirs, tmp_path / "efficientnetb0.h5")
    found = load(path)
    assert (found.weights.name, len(found.weights.classes)) == ("efficientnet_b0", 1000)
    assert (found.model.network.padding, found.model.network.norm_eps) == ("same", 1e-3)
    check(theirs, path, "keras", None, (height, width))


def test_keras_applications_take_what_is_written(tmp_path: Path) -> None:
    network = named("efficientnet_b0")
    model = built(network, seed=2)
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    assert write_keras(tmp_path / "ours.h5", tensors, network) == ()
    theirs = keras.applications.EfficientNetB0(
        weights=str(tmp_path / "ours.h5"), classifier_activation=None, input_shape=(64, 64, 3)
    )
    expected = ours(model, pictures(64, 64))
    assert np.abs(logits(theirs, pictures(64, 64)) - expected).max() <= TOLERANCE


def test_another_width_and_depth_and_another_normalisation_go_to_keras_too(tmp_path: Path) -> None:
    model = built(TINY, seed=4)
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    half = (0.5, 0.5, 0.5)
    write_keras(tmp_path / "ours.h5", tensors, TINY, mean=half, std=half)
    theirs = tiny(weights=str(tmp_path / "ours.h5"), classes=10, classifier_activation=None)
    x = torch.from_numpy(np.ascontiguousarray((pictures(32, 32) / 127.5 - 1).transpose(0, 3, 1, 2)))
    with torch.inference_mode():
        expected = model(x).numpy()
    assert np.abs(logits(theirs, pictures(32, 32)) - expected).max() <= TOLERANCE


def test_a_file_without_a_top_gives_keras_features_and_wants_a_class_count(tmp_path: Path) -> None:
    theirs = tiny(include_top=False, input_shape=(32, 32, 3), pooling="avg")
    randomise(theirs)
    path = _legacy(theirs, tmp_path / "tiny_notop.h5")
    with pytest.raises(ValueError, match="the file has no classifier; give classes="):
        load(path, network=TINY)
    found = load(path, network=TINY, classes=5)
    assert found.report.initialised == ("classifier for 5 classes (the file has none), at zero",)
    expected = logits(theirs, pictures(32, 32))
    found.model.classifier = torch.nn.Identity()
    assert np.abs(ours(found.model, pictures(32, 32)) - expected).max() <= TOLERANCE
