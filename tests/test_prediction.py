"""Predictions: in the order given, the same however they are batched, bad files beside good ones."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from compoundnet import engines
from compoundnet.building import build, reset_classifier
from compoundnet.engines import Choice, Setting
from compoundnet.families import named
from compoundnet.images import read
from compoundnet.modules import ConvNet
from compoundnet.prediction import (
    Entry,
    Label,
    Prediction,
    best,
    expand,
    pipeline,
    plan,
    predict,
    predictions,
    probabilities,
)
from compoundnet.preprocess import Preprocess
from compoundnet.schema import FieldError
from compoundnet.weights import LoadReport, Pretrained, Weights, load
from tests.pictures import CHELSEA, COFFEE, HUBBLE, ROCKET, png_header

PHOTOS = [CHELSEA, COFFEE, ROCKET, HUBBLE]


@pytest.fixture(scope="module")
def lite0() -> Pretrained:
    return load("efficientnet_lite0")


def tiny(classes: tuple[str, ...] = (), count: int = 3) -> Pretrained:
    network = replace(named("tiny"), classes=count)
    weights = Weights(name="tiny", network=network, preprocess=Preprocess(size=(32, 32)), classes=classes)
    model = build(network, generator=torch.Generator().manual_seed(0)).eval()
    return Pretrained(model, weights, LoadReport(loaded=0, ecosystem="compoundnet"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """img1, img2 and img10 with subfolders, hidden files and files that are no pictures."""
    for name in ("img10.png", "img2.PNG", "img1.jpg", "sub/b.gif", "sub/.hidden.png", ".hid/c.png", ".d.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), "red").save(path)
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


# What is to be predicted


def names(entries: list[Entry], folder: Path) -> list[str]:
    return [os.path.relpath(entry.path, folder) for entry in entries]


def test_a_folder_gives_its_pictures_in_natural_order_without_hidden_files(folder: Path) -> None:
    assert names(expand([folder]), folder) == ["img1.jpg", "img2.PNG", "img10.png", "sub/b.gif"]


def test_a_glob_gives_what_it_matches_in_natural_order(folder: Path) -> None:
    assert names(expand([f"{folder}/img*"]), folder) == ["img1.jpg", "img2.PNG", "img10.png"]
    assert names(expand([f"{folder}/**/*.gif"]), folder) == ["sub/b.gif"]


def test_names_that_count_alike_have_one_order_on_every_machine(tmp_path: Path) -> None:
    for name in ("img1.png", "img01.png", "IMG1.png", "img001.png"):
        (tmp_path / name).write_bytes(b"x")
    assert names(expand([tmp_path]), tmp_path) == ["IMG1.png", "img001.png", "img01.png", "img1.png"]


def test_duplicates_and_the_order_of_the_arguments_stay(folder: Path) -> None:
    paths = [folder / "img2.PNG", folder / "img1.jpg", folder / "img2.PNG"]
    assert [entry.path for entry in expand(paths)] == [str(path) for path in paths]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "cat[1].png"
    path.write_bytes(b"x")
    assert expand([path]) == [Entry(str(path))]


def test_an_empty_folder_and_a_glob_without_match_are_errors(tmp_path: Path) -> None:
    (tmp_path / ".hidden.png").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    empty, nothing = expand([tmp_path, f"{tmp_path}/*.jpg"])
    assert empty.error == f"{tmp_path}: no picture in this folder; it needs files such as .jpg or .png"
    assert nothing.error == f"{tmp_path}/*.jpg: no file matches; check the glob"


def test_a_link_to_its_own_folder_does_not_turn_in_circles(folder: Path) -> None:
    (folder / "sub" / "again").symlink_to(folder)
    assert len(expand([folder])) == 4


# Answers


def test_photographs_are_recognised_in_the_order_given(lite0: Pretrained) -> None:
    predictions = predict([COFFEE, ROCKET, CHELSEA, COFFEE], lite0, top=3)
    assert [p.path for p in predictions] == [str(path) for path in (COFFEE, ROCKET, CHELSEA, COFFEE)]
    assert [p.top[0].label for p in predictions] == ["espresso", "missile", "tiger cat", "espresso"]
    assert predictions[0].top[0].index == 967
    for prediction in predictions:
        probabilities = [label.probability for label in prediction.top]
        assert len(probabilities) == 3
        assert probabilities == sorted(probabilities, reverse=True)


@pytest.mark.parametrize("top", [1, 5, 999, 1000, 2000])
@pytest.mark.parametrize("kind", ["any", "many alike", "all alike"])
def test_the_best_classes_are_the_first_of_all_in_order(kind: str, top: int) -> None:
    rng = np.random.default_rng(0)
    row_K = {"any": rng.random(1000), "many alike": rng.integers(0, 4, 1000), "all alike": np.zeros(1000)}[kind]
    ordered = sorted(range(1000), key=lambda index: (-row_K[index], index))
    assert [label.index for label in best("picture", row_K, (), top).top] == ordered[:top]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_an_error_and_a_class_that_is_impossible_is_none(value: float) -> None:
    row_K = np.zeros(1000, np.float32)
    row_K[7] = value
    if value == -np.inf:
        assert best("picture", probabilities([row_K])[0], (), 1000).top[-1] == Label("7", 7, 0.0)
        row_K[:] = value
    assert best("picture", probabilities([row_K])[0], (), 5).error == (
        "picture: the model's answer is not a number; check the weights"
    )


def test_the_answer_is_the_models_softmax(lite0: Pretrained) -> None:
    [prediction] = predict([HUBBLE], lite0, top=1000)
    with torch.inference_mode():
        logits = lite0.model(torch.from_numpy(read(HUBBLE, lite0.weights.preprocess))[None])
    expected = torch.softmax(logits[0].double(), 0)
    assert sum(label.probability for label in prediction.top) == pytest.approx(1.0)
    for label in prediction.top:
        assert label.probability == pytest.approx(float(expected[label.index]), abs=1e-6)


MIXED = [*PHOTOS, "missing.jpg", CHELSEA]


@pytest.fixture(scope="module")
def one_by_one(lite0: Pretrained) -> list[Prediction]:
    return [predict(path, lite0, engine="torch")[0] for path in MIXED]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "batch", "workers"),
    [(None, 2, 3), ("torch", 1, 1), ("torch", 2, 3), ("onnxruntime", 1, 1), ("onnxruntime", 16, 4), ("openvino", 2, 3)],
)
def test_neither_batches_workers_nor_engines_change_the_answer(
    lite0: Pretrained, one_by_one: list[Prediction], batch: int, workers: int, engine: str | None
) -> None:
    found = predict(MIXED, lite0, batch=batch, workers=workers, engine=engine)
    for one, two in zip(found, one_by_one, strict=True):
        assert (one.path, one.error) == (two.path, two.error)
        assert [label.index for label in one.top] == [label.index for label in two.top]
        for mine, theirs in zip(one.top, two.top, strict=True):
            assert mine.probability == pytest.approx(theirs.probability, abs=1e-5)


def test_a_truncated_file_is_reported_and_the_rest_is_done(lite0: Pretrained, tmp_path: Path) -> None:
    bad = {
        "cut.jpg": ROCKET.read_bytes()[:9000],
        "empty.png": b"",
        "text.jpg": b"hello, this is text",
        "bomb.png": png_header(50_000, 50_000),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    paths = [
        tmp_path / "cut.jpg",
        CHELSEA,
        tmp_path / "empty.png",
        tmp_path / "text.jpg",
        tmp_path / "bomb.png",
        COFFEE,
    ]
    predictions = predict(paths, lite0, batch=2)
    assert [p.error is None for p in predictions] == [False, True, False, False, False, True]
    assert [p.top == () for p in predictions] == [True, False, True, True, True, False]
    for prediction, problem in zip(
        [p for p in predictions if p.error], ["cut off", "empty", "known format", "50,000 x 50,000"], strict=True
    ):
        assert problem in (prediction.error or "")
        assert "\n" not in (prediction.error or "")


def test_the_model_answers_in_eval_mode_and_keeps_its_statistics() -> None:
    pretrained = tiny()
    expected = predict([CHELSEA], pretrained)
    pretrained.model.train()
    before = {key: value.clone() for key, value in pretrained.model.state_dict().items()}
    assert predict([CHELSEA], pretrained) == expected
    assert all(torch.equal(value, before[key]) for key, value in pretrained.model.state_dict().items())


def test_labels_are_the_weights_own_names_or_the_index() -> None:
    assert {label.label for label in predict([CHELSEA], tiny(("cat", "dog", "bird")))[0].top} == {"cat", "dog", "bird"}
    assert {label.label for label in predict([CHELSEA], tiny())[0].top} == {"0", "1", "2"}


def test_a_model_of_one_class_answers_with_certainty() -> None:
    assert predict([CHELSEA], tiny(("cat",), 1))[0].top == (Label("cat", 0, 1.0),)


def test_an_answer_that_is_no_number_is_an_error() -> None:
    pretrained = tiny()
    classifier = pretrained.model.classifier
    assert isinstance(classifier, nn.Linear)
    nn.init.constant_(classifier.weight, float("nan"))
    [prediction] = predict([CHELSEA], pretrained)
    assert prediction.error == f"{CHELSEA}: the model's answer is not a number; check the weights"
    assert prediction.top == ()


def test_to_dict_is_the_json_contract() -> None:
    good = Prediction("a.jpg", (Label("cat", 3, 0.5),))
    assert json.loads(json.dumps(good.to_dict())) == {
        "path": "a.jpg",
        "top": [{"label": "cat", "index": 3, "probability": 0.5}],
        "error": None,
    }
    assert Prediction("b.jpg", error="b.jpg: no").to_dict() == {"path": "b.jpg", "top": [], "error": "b.jpg: no"}


@pytest.mark.parametrize("name", ["top", "batch", "workers"])
@pytest.mark.parametrize("value", [0, -1, True])
def test_impossible_counts_are_refused(name: str, value: int) -> None:
    with pytest.raises(FieldError, match=f"{name}: {value} is not a whole number of at least 1"):
        predict([CHELSEA], tiny(), **cast("dict[str, Any]", {name: value}))


def test_a_model_of_other_channels_is_refused() -> None:
    network = replace(named("tiny"), in_channels=4)
    weights = Weights(name="tiny", network=network, preprocess=Preprocess(size=(32, 32)))
    pretrained = Pretrained(build(network), weights, LoadReport(loaded=0, ecosystem="compoundnet"))
    with pytest.raises(FieldError, match="the model takes 4 channels; pictures have 3"):
        predict([CHELSEA], pretrained)


# Running


def test_progress_is_told_after_every_picture_and_counts_bad_files() -> None:
    told: list[tuple[int, int]] = []
    paths = [CHELSEA, "missing.jpg", CHELSEA]
    predict(paths, tiny(), batch=2, on_done=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_nothing_to_predict_is_no_prediction() -> None:
    assert predict([], tiny()) == []


def test_answers_come_one_by_one_and_reading_never_runs_far_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the first answer is there, no more pictures have been read than may wait for their turn."""
    seen: list[str] = []

    def counted(source: str, *more: object, **named: object) -> object:
        seen.append(source)
        return read(source, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "read", counted)
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    answers = predictions([tmp_path / "a.png"] * 300, tiny(), workers=2)
    assert not seen
    next(answers)
    assert 0 < len(seen) <= 2 * 32 + 2
    assert len(list(answers)) == 299


def test_an_interruption_ends_the_workers_and_leaves_pytorchs_threads_as_they_were() -> None:
    before = torch.get_num_threads()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict([CHELSEA] * 20, tiny(), batch=2, workers=3, on_done=interrupt)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("predict")]
    assert torch.get_num_threads() == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before


def test_a_failure_of_the_engine_is_no_answer_but_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pretrained = tiny()

    def broken(images: torch.Tensor) -> float:
        return 1 / 0

    monkeypatch.setattr(pretrained.model, "forward", broken)
    with pytest.raises(ZeroDivisionError):
        predict([CHELSEA] * 20, pretrained)


# The plan


def test_few_pictures_take_no_more_workers_than_there_are_pictures() -> None:
    assert plan(tiny(), workers=4, pictures=1).workers == 1
    assert plan(tiny(), workers=4, batch=2, pictures=5).workers == 3
    assert plan(tiny(), workers=4, pictures=0).workers == 1
    assert plan(tiny(), workers=4).workers == 4


@pytest.mark.slow
def test_auto_plans_the_engine_and_batch_with_the_most_pictures_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOUNDNET_CACHE", str(tmp_path))
    tried: dict[int, Choice] = {}

    def timed(model: ConvNet, setting: Setting) -> Choice:
        assert (setting.streams, setting.size) == (2, (32, 32))
        ms = {1: {"torch": 3.0, "onnxruntime": 2.0}, 8: {"torch": 15.0, "onnxruntime": 17.0}}[setting.batch]
        tried[setting.batch] = Choice(min(ms, key=lambda name: ms[name]), ms)
        return tried[setting.batch]

    monkeypatch.setattr(engines, "choose", timed)
    planned = plan(tiny(), workers=2, engine="auto")
    assert (planned.engine, planned.batch) == ("torch", 8)
    assert str(planned) == "torch, 2 workers, 8 pictures at once"
    assert plan(tiny(), workers=2, engine="auto", batch=1).engine == "onnxruntime"


@pytest.mark.slow
def test_auto_really_clocks_the_engines_with_all_workers_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOUNDNET_CACHE", str(tmp_path))
    planned = plan(tiny(), workers=2, engine="auto", batch=2)
    [kept] = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")]
    assert kept["key"]["setting"] == {"size": [32, 32], "batch": 2, "threads": planned.threads, "streams": 2}
    assert kept["engine"] == planned.engine


def test_an_unknown_engine_is_refused_with_near_names() -> None:
    assert plan(tiny(), engine="model").engine == plan(tiny()).engine == "model"
    with pytest.raises(ValueError, match="unknown engine 'modell'; did you mean model"):
        plan(tiny(), engine="modell")
    with pytest.raises(ValueError, match="unknown engine 'onnx-runtime'; did you mean onnxruntime"):
        predict([CHELSEA], tiny(), engine="onnx-runtime")


def test_a_model_on_another_device_is_run_as_it_is() -> None:
    pretrained = tiny()
    pretrained.model.to("meta")
    planned = plan(pretrained, engine="auto")
    assert (planned.engine, planned.batch) == ("model", 32)
    with pytest.raises(FieldError, match="'openvino' runs on the CPU, the model is on 'meta'"):
        plan(pretrained, engine="openvino")


def test_a_single_path_is_one_picture(lite0: Pretrained) -> None:
    assert [p.path for p in predict(str(CHELSEA), lite0)] == [str(CHELSEA)]
    assert [p.path for p in predict(Path(CHELSEA), lite0)] == [str(CHELSEA)]


def test_class_names_of_another_number_than_the_outputs_are_refused() -> None:
    pretrained = load("efficientnet_lite0")
    reset_classifier(pretrained.model, 5)
    with pytest.raises(FieldError, match="the record names 1000 classes, the model has 5"):
        predict([CHELSEA], pretrained)


def test_a_bare_model_is_not_what_predict_takes(lite0: Pretrained) -> None:
    with pytest.raises(FieldError, match=r"is not what load\(\) returns"):
        predict([CHELSEA], cast("Any", lite0.model))
