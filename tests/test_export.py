"""Exported artefacts answer as their models do, carry their record, and show when they are wrong."""

import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from examples.photos import photos
from PIL import Image

from compoundnet import Network, Preprocess, Pretrained, build, class_activation_map, load, named, predict
from compoundnet.cli import main
from compoundnet.export import (
    ArtefactError,
    Exported,
    ProofError,
    export,
    golden,
    onnx_preprocess,
    random_weights,
    seal,
)
from compoundnet.export.graph import Preparing
from compoundnet.export.proof import TOLERANCE
from compoundnet.images import decode, to_array
from tests.pictures import CHELSEA, COFFEE, ROCKET

LITE = "efficientnet_lite0"
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torch-export": ".pt2", "safetensors": ".safetensors"}


def tiny(**changes: object) -> Pretrained:
    network = Network.from_dict(named("tiny").to_dict() | {"classes": 10} | changes)
    return random_weights(network, "tiny")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """The tiny network in every format."""
    folder = tmp_path_factory.mktemp("exported")
    return {name: export(tiny(), folder / f"tiny{suffix}") for name, suffix in SUFFIXES.items()}


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Lite0 with its real weights as ONNX, from uint8 pictures to logits and maps."""
    path = tmp_path_factory.mktemp("lite") / "lite.onnx"
    return export(load(LITE), path, include_preprocess=True, dynamic="batch", cam=True)


def session(path: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    found = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = found.get_inputs()[0].name
    return lambda images: [np.asarray(output) for output in found.run(None, {name: images})]


@pytest.mark.parametrize("name", SUFFIXES)
def test_every_format_answers_as_the_model_does_and_can_be_verified(name: str, exported: dict[str, Exported]) -> None:
    from compoundnet.export import verify

    again = verify(exported[name].path)
    assert again.proof.images == 8
    assert again.proof.difference <= TOLERANCE
    assert again.proof.agreement == 1
    assert again.record == exported[name].record


@pytest.mark.parametrize("name", SUFFIXES)
def test_the_record_says_what_the_file_is(name: str, exported: dict[str, Exported]) -> None:
    record, model = exported[name].record, tiny()
    assert record.read_weights() == model.weights
    assert record.random_weights
    assert record.options.format == name
    assert record.preprocess == model.weights.preprocess


def test_a_safetensors_artefact_is_a_weights_file_too(exported: dict[str, Exported]) -> None:
    loaded = load(exported["safetensors"].path)
    state = tiny().model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.model.state_dict().items())


@pytest.mark.slow
def test_real_weights_keep_classes_licence_and_hash(lite: Exported) -> None:
    weights = lite.record.read_weights()
    assert weights == load(LITE).weights
    assert weights.classes[282] == "tiger cat"
    assert (weights.licence, len(weights.sha256), len(lite.record.tensors_sha256)) == ("Apache-2.0", 64, 64)


@pytest.mark.parametrize("name", SUFFIXES)
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_artefact_is_refused_in_one_line(
    name: str, damage: str, exported: dict[str, Exported], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copied(exported[name].path, tmp_path)
    target = path.with_suffix(".bin") if name == "openvino" else path
    data = bytearray(target.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    target.write_bytes({"flipped": data, "cut": data[: len(data) // 2], "empty": b""}[damage])
    assert main(["verify", str(path)]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert str(path) in err
    assert "export" in err


def copied(path: Path, folder: Path) -> Path:
    for part in path.parent.glob(f"{path.stem}.*"):
        if part.suffix in (path.suffix, ".bin"):
            (folder / part.name).write_bytes(part.read_bytes())
    return folder / path.name


def test_an_artefact_with_another_weight_is_refused_even_when_sealed(
    exported: dict[str, Exported], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proto = onnx.load_model(exported["onnx"].path)
    weight = max(proto.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    wrong = onnx.numpy_helper.to_array(weight).copy()
    wrong.reshape(-1)[0] += 1
    weight.CopyFrom(onnx.numpy_helper.from_array(wrong, weight.name))
    path = tmp_path / "wrong.onnx"
    path.write_bytes(proto.SerializeToString())
    seal.close([path])
    assert main(["verify", str(path)]) == 1
    assert "does not answer as its model did" in capsys.readouterr().err


def test_a_failing_proof_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("compoundnet.export.proof.TOLERANCE", 1e-12)
    assert main(["export", "tiny", "--random-weights", "--out", str(tmp_path / "t.onnx")]) == 1
    assert "not written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["same", "symmetric"])
@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_dynamic_artefacts_take_any_batch_and_size(padding: str, suffix: str, tmp_path: Path) -> None:
    model = tiny(padding=padding)
    done = export(model, tmp_path / f"t{suffix}", dynamic="size", cam=True)
    assert len({(case.height, case.width) for case in done.record.cases}) >= 3
    assert done.proof.map_difference <= TOLERANCE
    if suffix == ".onnx":
        images = torch.randn(3, 3, 97, 130, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            expected = model.model(images).numpy()
        assert np.abs(session(done.path)(images.numpy())[0] - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.slow
def test_a_pooled_resnet_takes_any_size(tmp_path: Path) -> None:
    network = Network.from_dict(named("resnet18").to_dict() | {"classes": 10, "resolution": 64})
    assert export(random_weights(network), tmp_path / "r.onnx", dynamic="size").proof.holds


@pytest.mark.slow
def test_torch_export_takes_any_size_with_symmetric_padding_and_refuses_the_other(tmp_path: Path) -> None:
    assert export(tiny(padding="symmetric", resolution=64), tmp_path / "t.pt2", dynamic="size").proof.holds
    with pytest.raises(ArtefactError, match="choose onnx"):
        export(tiny(), tmp_path / "same.pt2", dynamic="size")
    assert [path.name for path in tmp_path.iterdir()] == ["t.pt2"]


PREPROCESSES = [
    Preprocess(size=size, crop=crop, order=order, interpolation=interpolation)
    for order in ("crop_then_resize", "resize_then_crop")
    for interpolation in ("bicubic", "bilinear")
    for size, crop in (((224, 224), 0.875), ((160, 192), 240 / 272))
]


def levels(pixels: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    return pixels * np.array(preprocess.std)[:, None, None] * 255


def raw_pictures() -> Iterator[np.ndarray]:
    yield from (golden.pictures(3, 1, height, width) for height, width in ((301, 400), (96, 120), (230, 261)))
    for path in (CHELSEA, COFFEE, ROCKET):
        yield np.asarray(decode(path))[None]


@pytest.mark.parametrize("preprocess", PREPROCESSES, ids=str)
def test_preprocessing_in_the_graph_is_pillow_s_to_two_levels(preprocess: Preprocess) -> None:
    proto = onnx_preprocess.model(preprocess, True, 10, 20)
    run = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    share = 0.01 if preprocess.interpolation == "bicubic" else 0.1
    for picture in raw_pictures():
        expected = levels(to_array(Image.fromarray(picture[0]), preprocess), preprocess)
        by_onnx = np.asarray(run.run(None, {"pictures": picture})[0])[0]
        by_torch = Preparing(preprocess)(torch.from_numpy(picture.copy()))[0].numpy()
        for found in (by_onnx, by_torch):
            apart = np.abs(levels(found, preprocess) - expected)
            assert apart.max() < 2.1
            assert (apart > 0.5).mean() <= share


@pytest.mark.slow
def test_pictures_to_classes_in_one_file_as_predict_has_it(lite: Exported) -> None:
    run, model = session(lite.path), load(LITE)
    paths = photos()
    found = [int(run(np.asarray(decode(path))[None])[0].argmax()) for path in paths]
    assert found == [prediction.top[0].index for prediction in predict(paths, model, exact=True)]


@pytest.mark.slow
def test_the_maps_in_the_artefact_explain_the_logits_exactly(lite: Exported) -> None:
    logits, maps = session(lite.path)(np.asarray(decode(CHELSEA))[None])
    bias = load(LITE).model.state_dict()["classifier.bias"].numpy()
    assert maps.shape == (1, 1000, 7, 7)
    assert np.abs(maps.mean((2, 3)) + bias - logits).max() < 1e-5 * np.abs(logits).max()


@pytest.mark.parametrize("name", ["tiny", "resnet18"])
def test_the_mean_of_a_map_and_the_bias_are_the_logit(name: str) -> None:
    model = build(replace(named(name), classes=7)).eval()
    images = torch.randn(2, 3, 65, 97)
    with torch.inference_mode():
        features = model.features(images)
        maps = class_activation_map(features, model.state_dict()["classifier.weight"])
        law = maps.mean((2, 3)) + model.state_dict()["classifier.bias"]
        assert maps.shape == (2, 7, *features.shape[2:])
        assert torch.allclose(law, model(images), atol=1e-5)


@pytest.mark.slow
def test_a_torch_export_from_pictures_needs_no_preprocessing(tmp_path: Path) -> None:
    done = export(tiny(), tmp_path / "t.pt2", include_preprocess=True, dynamic="batch", cam=True)
    assert done.proof.holds


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["tiny", "--out", "t.onnx"], "no weights come with tiny"),
        (["tiny", "--random-weights", "--out", "t.tflite"], "is not one of .onnx"),
        (["tiny", "--random-weights", "--out", "t.pt2", "--format", "onnx"], "ends in .onnx"),
        (["tiny", "--random-weights", "--out", "no/folder/t.onnx"], "create it first"),
        (["tiny", "--random-weights", "--out", "t.safetensors", "--cam"], "no graph; choose onnx"),
        (
            ["tiny", "--random-weights", "--out", "t.onnx", "--include-preprocess", "--dynamic", "size"],
            "choose --dynamic batch",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_writes_nothing(
    argv: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *argv]) == 2
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_the_pip_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        assert name

    monkeypatch.setattr("compoundnet.export.formats.find_spec", nothing)
    with pytest.raises(ArtefactError, match=r"pip install 'compoundnet\[export\]'"):
        export(tiny(), tmp_path / "t.onnx")


def test_a_file_of_others_is_no_artefact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bare.onnx"
    path.write_bytes(onnx_preprocess.model(PREPROCESSES[0], True, 10, 20).SerializeToString())
    assert main(["verify", str(path)]) == 1
    assert "holds no compoundnet record" in capsys.readouterr().err


@pytest.mark.slow
def test_a_program_that_unpacks_to_far_more_is_refused_before_it_is_unpacked(
    exported: dict[str, Exported], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copied(exported["torch-export"].path, tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tiny/data/weights/weight_9999", bytes(100 << 20))
    tracemalloc.start()
    assert main(["verify", str(path)]) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "more than 4 times as many; torch.export packs nothing, so export the model again" in err
    assert peak < 25 << 20  # of which imports take 5 MB


@pytest.mark.slow
def test_verify_prints_its_record_as_json(exported: dict[str, Exported], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(exported["onnx"].path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["proof"]["agreement"] == 1
    assert shown["weights"]["network"] == tiny().weights.network.to_dict()


@pytest.mark.parametrize("name", ["tiny", "efficientnet_b0", "resnet18"])
def test_random_weights_answer_different_pictures_differently(name: str) -> None:
    model = random_weights(replace(named(name), resolution=64, classes=10))
    pictures = golden.normalised(golden.pictures(1, 3, 64, 64), model.weights.preprocess)
    with torch.inference_mode():
        logits = model.model(torch.from_numpy(pictures))
    assert logits.std(0).max() > 0.02 * logits.abs().max()


def test_golden_pictures_are_the_same_everywhere() -> None:
    assert golden.pictures(0, 1, 2, 2)[0, 0].tolist() == [[149, 80, 171], [138, 87, 199]]
    assert issubclass(ProofError, ArtefactError)
