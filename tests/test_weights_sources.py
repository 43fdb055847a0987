"""Files as their makers publish them, loaded whole: mmpretrain's, timm's repositories, averaged runs, broken ones."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from compoundnet.families import named
from compoundnet.network import Network
from compoundnet.weights import CheckpointError, from_ours, load, recognise
from compoundnet.weights.names import shapes
from tests.parity import TOLERANCE, built, difference, randomise

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = named("tiny")


def state(network: Network, ecosystem: str, seed: int = 1) -> dict[str, Tensor]:
    return from_ours(built(network, seed).state_dict(), network, ecosystem)


def line(path: Path, **options: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(path, **options)
    found = str(caught.value)
    assert "\n" not in found
    assert len(found) < 900
    return found


def meta(network: Network, ecosystem: str) -> dict[str, Tensor]:
    return from_ours(
        {name: torch.empty(shape, device="meta") for name, shape in shapes(network).items()}, network, ecosystem
    )


@pytest.mark.parametrize("name", [*(f"b{i}" for i in range(9)), "edgetpu_s", "edgetpu_m", "edgetpu_l"])
def test_mmpretrains_variants_are_recognised(name: str) -> None:
    seen = recognise(meta(named(f"efficientnet_{name}"), "mmpretrain"))
    assert (seen.ecosystem, seen.members) == ("mmpretrain", (f"efficientnet_{name}",))


def test_mmpretrains_edgetpu_l_is_another_network_and_says_where() -> None:
    """It counts the first block's expansion from 40 channels, 3 times, the released network from 32, 4 times."""
    tensors = meta(named("efficientnet_edgetpu_l"), "mmpretrain")
    for name in ("conv1.conv.weight", "conv1.bn.weight"):
        full = f"backbone.layers.1.0.{name}"
        tensors[full] = torch.empty((120, *tensors[full].shape[1:]), device="meta")
    assert recognise(tensors).members == ()


def test_a_file_of_mmpretrain_loads_with_its_habits(tmp_path: Path) -> None:
    network = named("efficientnet_b0")
    path = tmp_path / "efficientnet-b0_3rdparty_8xb32-aa-advprop_in1k_20220119-26434485.pth"
    torch.save({"meta": {"epoch": 1}, "state_dict": state(network, "mmpretrain")}, path)
    found = load(path)
    assert (found.weights.name, found.weights.ecosystem) == ("efficientnet_b0", "mmpretrain")
    assert found.weights.network == network
    assert found.weights.preprocess.mean == (0.5, 0.5, 0.5)
    assert found.report.loaded == 360
    assert difference(found.model, built(network, 1), 48, 48) == 0


def test_averaged_weights_of_a_run_are_loaded_and_the_raw_ones_if_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth.tar"
    torch.save({"state_dict": state(TINY, "timm", 1), "state_dict_ema": state(TINY, "timm", 2), "epoch": 7}, path)
    assert difference(load(path, network=TINY).model, built(TINY, 2), 32, 32) == 0
    assert difference(load(path, network=TINY, averaged=False).model, built(TINY, 1), 32, 32) == 0
    assert "adapted: read from the file's 'state_dict_ema', the averaged weights" in str(
        load(path, network=TINY).report
    )
    torch.save(state(TINY, "timm"), path)
    assert "holds raw weights only" in line(path, network=TINY, averaged=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32_and_integers_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = state(TINY, "timm")
    save_file({k: v.to(dtype).contiguous() if v.is_floating_point() else v for k, v in tensors.items()}, tmp_path / "a")
    report = load(tmp_path / "a", network=TINY).report
    assert any(f"converted from {str(dtype)[6:]} to float32" in deed for deed in report.adapted)
    torch.save(tensors | {"conv_stem.weight": torch.ones(8, 3, 3, 3, dtype=torch.int8)}, tmp_path / "b.pth")
    assert "no floating-point numbers" in line(tmp_path / "b.pth", network=TINY)


def test_missing_statistics_and_another_head_say_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    parameters = {
        k: v for k, v in state(named("efficientnet_b0"), "timm").items() if "running" not in k and "num_b" not in k
    }
    torch.save(parameters, path)
    found = line(path)
    assert "the closest is efficientnet_b0: 98 missing" in found
    assert "the batch norms' statistics are missing: save model.state_dict(), not the parameters alone" in found
    torch.save(state(TINY, "timm") | {"head_dist.weight": torch.ones(2), "head_dist.bias": torch.ones(2)}, path)
    assert "2 extra (head_dist.weight, head_dist.bias); the extra ones look like another head" in line(
        path, network=TINY
    )


# timm's repositories.

CFG: dict[str, Any] = {
    "input_size": [3, 64, 64],
    "interpolation": "bilinear",
    "crop_pct": 0.9,
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.25, 0.3],
    "license": "apache-2.0",
}


def repository(folder: Path, model: str, config: dict[str, Any], weights: str = "model.safetensors") -> torch.nn.Module:
    theirs = timm.create_model(model, num_classes=config["num_classes"])
    randomise(theirs, 3)
    if weights.endswith(".bin"):
        torch.save(theirs.state_dict(), folder / weights)
    else:
        save_file(theirs.state_dict(), folder / weights)
    (folder / "config.json").write_text(json.dumps(config))
    return theirs.eval()


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("tf_efficientnet_b0", "model.safetensors"),
        ("efficientnet_b0", "pytorch_model.bin"),
        ("resnet18", "model.safetensors"),
    ],
)
def test_a_repository_loads_with_its_own_preprocessing(tmp_path: Path, model: str, weights: str) -> None:
    theirs = repository(tmp_path, model, {"architecture": model, "num_classes": 7, "pretrained_cfg": CFG}, weights)
    found = load(tmp_path)
    pre = found.weights.preprocess
    assert (pre.size, pre.crop, pre.interpolation, pre.order) == ((64, 64), 0.9, "bilinear", "resize_then_crop")
    assert (pre.mean, pre.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    assert (found.weights.ecosystem, found.weights.licence) == ("timm", "apache-2.0")
    assert found.weights.source == f"a repository of timm's {model}"
    assert any(deed.startswith("preprocessing as its config.json has it: 64 pixels") for deed in found.report.assumed)
    assert not any("twin" in deed for deed in found.report.assumed)
    assert difference(found.model, theirs, 64, 64) <= TOLERANCE


def test_the_preprocessing_of_a_repository_is_timms_own_transform(tmp_path: Path) -> None:
    repository(
        tmp_path, "tf_efficientnet_b0", {"architecture": "tf_efficientnet_b0", "num_classes": 2, "pretrained_cfg": CFG}
    )
    pre = load(tmp_path).weights.preprocess
    theirs = timm.data.resolve_data_config({}, pretrained_cfg=CFG)
    assert [3, *pre.size] == list(theirs["input_size"])
    assert (pre.crop, pre.interpolation) == (theirs["crop_pct"], theirs["interpolation"])
    assert (pre.mean, pre.std) == (tuple(theirs["mean"]), tuple(theirs["std"]))


def test_a_repository_that_contradicts_itself_is_one_line(tmp_path: Path) -> None:
    config = {"architecture": "tf_efficientnet_b0", "num_classes": 7, "pretrained_cfg": CFG}
    repository(tmp_path, "tf_efficientnet_b0", config)
    (tmp_path / "config.json").write_text(json.dumps(config | {"architecture": "tf_efficientnet_b1"}))
    assert "its config.json says efficientnet_b1, but its tensors are those of efficientnet_b0" in line(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_classes": 5}))
    assert "its config.json says 5 classes, but its classifier has 7" in line(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert line(tmp_path).startswith(f"{tmp_path / 'config.json'}: could not be read as JSON")


def test_class_names_of_a_repository_are_kept(tmp_path: Path) -> None:
    names = [f"class {i}" for i in range(3)]
    repository(
        tmp_path,
        "resnet18",
        {"architecture": "resnet18", "num_classes": 3, "label_names": names, "pretrained_cfg": CFG},
    )
    assert load(tmp_path).weights.classes == tuple(names)


def test_our_own_record_is_before_a_configuration(tmp_path: Path) -> None:
    from compoundnet.export import random_weights
    from compoundnet.weights import save

    made = random_weights(TINY, "tiny")
    save(tmp_path / "model.safetensors", made.model, made.weights)
    (tmp_path / "config.json").write_text("{")
    assert load(tmp_path).weights == made.weights
