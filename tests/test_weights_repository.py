"""timm's repositories as folders: config.json says how to see pictures, or what is wrong with it in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from compoundnet.weights.errors import CheckpointError
from compoundnet.weights.repository import by_config, member_of, weights_file
from compoundnet.weights.told import NOTHING, Told

CONFIG: dict[str, Any] = {
    "architecture": "tf_efficientnet_b0",
    "num_classes": 10,
    "num_features": 1280,
    "pretrained_cfg": {
        "tag": "ns_jft_in1k",
        "custom_load": False,
        "input_size": [3, 224, 224],
        "fixed_input_size": False,
        "interpolation": "bilinear",
        "crop_pct": 0.9,
        "crop_mode": "center",
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.25, 0.3],
        "num_classes": 1000,
        "pool_size": [7, 7],
        "license": "apache-2.0",
    },
}


def told(folder: Path, config: object) -> Told:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return by_config(folder)


def test_the_preprocessing_is_the_configurations(tmp_path: Path) -> None:
    found = told(tmp_path, CONFIG)
    assert (found.member, found.surely, found.outputs, found.licence) == ("efficientnet_b0", True, 10, "apache-2.0")
    row = found.habit
    assert row is not None
    assert (row.padding, row.norm_eps, row.doubt) == ("same", 1e-3, "")
    assert (row.size, row.crop, row.order, row.interpolation) == (224, 0.9, "resize_then_crop", "bilinear")
    assert (row.mean, row.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


def test_networks_that_timm_trained_itself_pad_symmetrically(tmp_path: Path) -> None:
    row = told(tmp_path, CONFIG | {"architecture": "efficientnet_b0"}).habit
    assert row is not None
    assert (row.padding, row.norm_eps) == ("symmetric", 1e-5)


def test_the_form_of_before_is_read_and_names_of_classes_are_kept(tmp_path: Path) -> None:
    old = {"architecture": "efficientnet_b0", "num_classes": 2, "input_size": [3, 256, 256], "label_names": ["a", "b"]}
    found = told(tmp_path, old)
    assert found.classes == ("a", "b")
    assert found.habit is not None
    assert found.habit.size == 256


def test_a_folder_without_a_configuration_tells_nothing(tmp_path: Path) -> None:
    assert by_config(tmp_path) == NOTHING
    assert weights_file(tmp_path) is None
    (tmp_path / "pytorch_model.bin").write_bytes(b"1")
    assert weights_file(tmp_path) == tmp_path / "pytorch_model.bin"
    (tmp_path / "model.safetensors").write_bytes(b"1")
    assert weights_file(tmp_path) == tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("architecture", "member"),
    [
        ("tf_efficientnet_b7", "efficientnet_b7"),
        ("tf_efficientnet_b0_ns", "efficientnet_b0"),
        ("tf_efficientnet_b8_ap", "efficientnet_b8"),
        ("tf_efficientnet_l2_ns_475", "efficientnet_l2_475"),
        ("tf_efficientnet_lite4", "efficientnet_lite4"),
        ("efficientnet_es", "efficientnet_edgetpu_s"),
        ("tf_efficientnet_el", "efficientnet_edgetpu_l"),
        ("mobilenetv2_100", "mobilenet_v2"),
        ("resnet50", "resnet50"),
    ],
)
def test_timms_names_are_ours(architecture: str, member: str) -> None:
    assert member_of(architecture) == member


def inner(**changes: object) -> dict[str, Any]:
    return CONFIG | {"pretrained_cfg": CONFIG["pretrained_cfg"] | changes}


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            CONFIG | {"architecture": "vit_base_16"},
            "architecture: 'vit_base_16' is no network of ours",
        ),
        (CONFIG | {"architecture": "tiny"}, "architecture: 'tiny' is no network of ours"),
        (CONFIG | {"architecture": 3}, "architecture: expected a text, got 3"),
        (CONFIG | {"num_classes": "many"}, "num_classes: expected an integer, got 'many'"),
        (CONFIG | {"pretrained_cfg": []}, "pretrained_cfg: expected an object, got []"),
        (CONFIG | {"label_names": ["a"]}, "label_names: 1 names for 10 classes"),
        ({"model_type": "efficientnet"}, "architecture: missing; it is transformers' 'efficientnet'"),
        ({}, "architecture: missing; timm writes it"),
        (inner(mean=[1, 2]), "mean: expected 3 values, got 2"),
        (inner(std=[1, 0, 1]), "std[1]: 0.0 is not positive"),
        (inner(crop_pct=0), "crop_pct: 0.0 is not a share in (0, 1]"),
        (inner(crop_pct=float("nan")), "crop_pct: nan is not a share in (0, 1]"),
        (inner(crop_mode="squash"), "crop_mode: 'squash' is not read"),
        (inner(interpolation="lanczos"), "interpolation: 'lanczos' is not one of 'bicubic', 'bilinear'"),
        (inner(input_size=[3, 224]), "input_size: expected 3 values, got 2"),
        (inner(input_size=[3, 224, 256]), "input_size: (3, 224, 256) is not (channels, side, side)"),
        (inner(input_size=[3, 10**9, 10**9]), "input_size: (3, 1000000000, 1000000000) is not"),
        ("{", "could not be read as JSON"),
        ("", "could not be read as JSON"),
        ("[" * 100_000, "could not be read as JSON"),
        ("[1]", "expected an object, got [1]"),
        ('"' + "a" * (17 << 20) + '"', "more than 16,777,216 bytes"),
    ],
)
def test_a_wrong_configuration_is_one_line(tmp_path: Path, config: object, line: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        told(tmp_path, config)
    found = str(caught.value)
    assert found.startswith(f"{tmp_path / 'config.json'}: {line}")
    assert "\n" not in found
    assert len(found) < 500
