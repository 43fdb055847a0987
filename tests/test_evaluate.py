"""evaluate(): a model on labelled pictures, in Python and on the command line."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from compoundnet import build, load, named, save
from compoundnet.data import Memory, folder
from compoundnet.evaluating import evaluate
from compoundnet.preprocess import Preprocess
from compoundnet.weights import Pretrained, Weights, imagenet_classes, places
from compoundnet.weights.records import imagenet_synsets
from tests.commands import Run, answer, run

__all__ = ["run"]  # a fixture
NAMES = ("ant", "bee", "cat", "dog")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with names, which nobody trained."""
    network = replace(named("tiny"), classes=len(NAMES))
    model = build(network, generator=torch.Generator().manual_seed(5)).eval()
    size = (network.resolution, network.resolution)
    record = Weights(name="small", network=network, preprocess=Preprocess(size=size), classes=NAMES)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    metrics = {"own_top1": 61.5, "validation_top1": 58.25, "validation_loss": 1.25}
    save(path, model, replace(record, metrics=metrics))
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of some of the classes, in an order that is not the model's."""
    root, rng = tmp_path_factory.mktemp("labelled"), np.random.default_rng(0)
    for name, count in (("dog", 5), ("bee", 3)):
        (root / name).mkdir()
        for index in range(count):
            pixels = rng.integers(256, size=(40, 50, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return root


def by_hand(pretrained: Pretrained, root: Path) -> tuple[np.ndarray, np.ndarray]:
    from compoundnet.images import read

    files = [(path, NAMES.index(path.parent.name)) for path in sorted(root.rglob("*.png"))]
    x_NCHW = torch.from_numpy(np.stack([read(str(path), pretrained.weights.preprocess) for path, _ in files]))
    with torch.inference_mode():
        return pretrained.model(x_NCHW).numpy(), np.array([label for _, label in files])


def test_figures_are_those_of_the_model_called_by_hand(weights: Path, pictures: Path) -> None:
    pretrained = load(weights)
    logits, labels = by_hand(pretrained, pictures)
    found = evaluate(pretrained, folder(pictures)).metrics
    assert found.n == 8
    assert found.top1 == (logits.argmax(axis=1) == labels).mean()
    assert {each.name: each.n for each in found.per_class} == {"ant": 0, "bee": 3, "cat": 0, "dog": 5}
    assert np.array(found.confusion).sum(axis=1).tolist() == [0, 3, 0, 5]
    assert np.array(found.confusion).sum(axis=0).tolist() == np.bincount(logits.argmax(axis=1), minlength=4).tolist()


@pytest.mark.some(1)
@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_engines_and_batches_give_the_same_figures(weights: Path, pictures: Path, engine: str) -> None:
    pretrained = load(weights)
    plain = evaluate(pretrained, folder(pictures)).metrics
    found = evaluate(pretrained, folder(pictures), engine=engine, batch=3, workers=2).metrics
    assert found.confusion == plain.confusion
    assert found.nll == pytest.approx(plain.nll, rel=1e-4)


def test_a_picture_that_cannot_be_read_is_left_out_and_said_and_many_are_refused(
    weights: Path, pictures: Path, tmp_path: Path
) -> None:
    import shutil

    root = tmp_path / "some"
    shutil.copytree(pictures, root)
    (root / "bee" / "0.png").write_bytes(b"no picture")
    found = evaluate(load(weights), folder(root), most_unreadable=0.2)
    assert (found.metrics.n, len(found.unreadable)) == (7, 1)
    assert "0.png" in found.unreadable[0]
    with pytest.raises(
        ValueError, match=r"1 of 8 pictures cannot be read, more than 5%; mend or remove them: .*0\.png"
    ):
        evaluate(load(weights), folder(root))


def test_several_labels_and_numbers_are_measured_too(weights: Path) -> None:
    rng = np.random.default_rng(2)
    pixels = rng.integers(256, size=(12, 32, 32)).astype(np.uint8)
    several = Memory(pixels, (rng.random((12, 4)) < 0.5).astype(np.float32), NAMES[::-1], task="multilabel")
    found = evaluate(load(weights), several).metrics
    assert [each.name for each in found.per_class] == list(NAMES)
    assert [each.n for each in found.per_class] == several.labels[:, ::-1].sum(axis=0).tolist()
    numbers = Memory(pixels, rng.normal(size=(12, 4)).astype(np.float32), NAMES, task="regression")
    assert evaluate(load(weights), numbers).metrics.main == "r2"


def test_the_thousand_synsets_are_imagenets_classes_in_the_order_of_their_ids() -> None:
    record = load("efficientnet_lite0").weights
    ids = [f"n{10_000_000 + 37 * index}" for index in range(1000)]
    shuffled = [ids[index] for index in np.random.default_rng(0).permutation(1000)]
    assert places("data", shuffled, record) == [ids.index(name) for name in shuffled]
    assert places("data", [str(index) for index in range(999, -1, -1)], record) == list(range(999, -1, -1))
    assert record.classes == imagenet_classes()


def test_some_synsets_are_found_by_their_ids_and_others_are_refused_with_the_nearest() -> None:
    record = load("efficientnet_lite0").weights
    assert len(imagenet_synsets()) == 1000
    for name, label in (("n01440764", "tench"), ("n02123045", "tabby"), ("n15075141", "toilet tissue")):
        assert record.classes[places("data", [name], record)[0]] == label
    assert places("data", ["n02123045", "tench", "7"], record) == [281, 0, 7]
    with pytest.raises(
        ValueError, match=r"1 of 2 classes is none of the model's \('n02123044'\); did you mean n02.* or n02123045 or "
    ):
        places("data", ["n02123044", "n01440764"], record)
    with pytest.raises(ValueError, match="'tabby' and 'n02123045' are both class 281; join them"):
        places("data", ["tabby", "n02123045"], record)


def test_some_synsets_without_timm_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    record = load("efficientnet_lite0").weights
    monkeypatch.setitem(sys.modules, "timm.data", None)  # as where it is not installed
    with pytest.raises(
        ValueError, match=r"\('n01440764'\); fewer .*pip install timm\), or evaluate --map to names or an"
    ):
        places("data", ["n01440764"], record)


def test_the_command_prints_figures_classes_and_what_was_published(run: Run, weights: Path, pictures: Path) -> None:
    code, out, err = run("evaluate", str(weights), "--data", str(pictures))
    assert (code, err) == (0, "")
    for line in ("small on 8 pictures", "Top-1", "95 % interval of Top-1", "own_top1 61.5 %", "Each class, the worst"):
        assert line in out
    assert "32 x 32 pixels, crop then resize" in out


def test_what_a_run_validated_is_not_called_published_and_only_accuracies_are_percent(
    run: Run, weights: Path, pictures: Path
) -> None:
    out = run("evaluate", str(weights), "--data", str(pictures))[1].splitlines()
    recorded = [line for line in out if line.startswith(("Published", "Validation"))]
    assert recorded[0].startswith("Published with these weights: own_top1 61.5 %, ")
    assert recorded[1:] == ["Validation during training: top1 58.25 %", "Validation during training: loss 1.25"]


def test_a_runs_folder_is_its_model(run: Run, weights: Path, pictures: Path) -> None:
    found = answer(run, "evaluate", str(weights.parent), "--data", str(pictures), "--json")
    assert found == answer(run, "evaluate", str(weights), "--data", str(pictures), "--json")


def test_the_json_has_what_was_promised(run: Run, weights: Path, pictures: Path) -> None:
    found = answer(run, "evaluate", str(weights), "--data", str(pictures), "--json")
    assert {"top1", "top5", "per_class", "calibration_error", "n", "interval"} <= set(found)
    assert found["n"] == 8
    assert found["interval"][0] <= found["top1"] <= found["interval"][1]
    assert found["published"] == {"own_top1": 61.5}
    assert found["validation_during_training"] == {"top1": 58.25, "loss": 1.25}


def test_a_list_of_paths_and_labels_does_too(run: Run, weights: Path, pictures: Path, tmp_path: Path) -> None:
    rows = [f"{path},{path.parent.name}" for path in sorted(pictures.rglob("*.png"))]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["path,label", *rows]) + "\n")
    found = answer(run, "evaluate", str(weights), "--data", str(listed), "--json")
    plain = answer(run, "evaluate", str(weights), "--data", str(pictures), "--json")
    assert json.dumps({**found, "data": ""}) == json.dumps({**plain, "data": ""})


def test_a_checkpoint_of_another_network_is_said_in_one_line(run: Run, pictures: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.pth"
    torch.save(build(named("tiny"), generator=torch.Generator().manual_seed(0)).state_dict(), bare)
    code, out, err = run("evaluate", str(bare), "--data", str(pictures), "--network", "mobilenet_v1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "bare.pth: mobilenet_v1 cannot take it" in err
    assert "it looks like tiny" in err


def test_wrong_usage_is_one_line_and_code_2(run: Run, weights: Path, pictures: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for name in ("bat", "cot"):
        (other / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(other / name / "0.png")
    cases = {
        ("evaluate", str(weights), "--data", str(other)): "2 of 2 classes are none of the model's ('bat', 'cot')",
        ("evaluate", str(weights), "--data", str(tmp_path / "none")): "no such folder",
        ("evaluate", str(tmp_path / "none.pth"), "--data", str(pictures)): "none.pth",
        ("evaluate", str(weights), "--data", str(pictures), "--engine", "warp"): "unknown engine 'warp'",
        ("evaluate", str(weights), "--data", str(pictures), "--network", "resnet18"): "bring their own network",
        ("evaluate", str(weights), "--data", str(pictures), "--worst", "0"): "worst",
    }
    for argv, problem in cases.items():
        code, out, err = run(*argv)
        assert (code, out) == (2, ""), argv
        assert problem in err
        assert err.count("\n") == 1
