"""The card of what was trained and fitted names every step: parent, data, recipe, date, figures and licence."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from compoundnet.export import export
from compoundnet.recipes import RECIPES
from compoundnet.schema import encode
from compoundnet.training import Interrupted, TrainingError, train
from compoundnet.training.origin import recipe_name
from compoundnet.transferring import transfer
from compoundnet.weights import Pretrained, load
from compoundnet.weights.cards import Made
from compoundnet.weights.hashing import json_sha256, tensors_sha256

from .training import NETWORK, PREPROCESS, examples, recipe

MADE = Made(date="2026-11-27", data="quarters")
TRAIN, VALIDATION = examples(48), examples(16, seed=1)


def fitted(folder: Path, **options: Any) -> Pretrained:
    given: dict[str, Any] = {"preprocess": PREPROCESS, "made": MADE} | options
    return load(train(NETWORK, recipe(epochs=2), TRAIN, VALIDATION, folder, **given).model)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    return fitted(tmp_path_factory.mktemp("runs") / "first")


def test_a_run_from_nothing_is_one_step(first: Pretrained) -> None:
    [step] = first.weights.card.steps
    assert (step.deed, step.name, step.date) == ("trained", "first", "2026-11-27")
    assert step.data == "quarters: 48 pictures, 4 classes"
    assert step.recipe_sha256 == json_sha256(encode(recipe(epochs=2)))
    assert step.metrics == first.weights.metrics
    assert step.tensors_sha256 == tensors_sha256(first.model)
    assert step.tool.startswith("compoundnet ")


def test_a_run_from_weights_follows_them_and_keeps_their_licence(first: Pretrained, tmp_path: Path) -> None:
    parent = replace(first, weights=replace(first.weights, licence="CC-BY-NC-4.0"))
    found = fitted(tmp_path / "second", weights=parent)
    before, step = found.weights.card.steps
    assert before == first.weights.card.steps[0]
    assert (step.name, step.licence, found.weights.licence) == ("second", "CC-BY-NC-4.0", "CC-BY-NC-4.0")
    assert step.tensors_sha256 == tensors_sha256(found.model) != before.tensors_sha256


def test_a_run_that_goes_on_another_day_has_the_date_of_its_start(tmp_path: Path) -> None:
    stops = iter((False, True))

    def interrupt(done: int, total: int) -> None:
        if next(stops, False):
            raise KeyboardInterrupt

    whole = fitted(tmp_path / "a" / "run")
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        fitted(tmp_path / "b" / "run", on_progress=interrupt)
    later = fitted(tmp_path / "b" / "run", made=Made(date="2031-01-01", data="other"), resume=True)
    assert later.weights == whole.weights
    one, other = ((tmp_path / name / "run/model.safetensors").read_bytes() for name in ("a", "b"))
    assert one == other


def stopped(folder: Path, after: int, **options: Any) -> None:
    """A run that Ctrl-C ends when so many steps are done."""

    def interrupt(done: int, total: int) -> None:
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises((Interrupted, KeyboardInterrupt)):
        fitted(folder, on_progress=interrupt, **options)


def test_a_run_that_goes_on_needs_neither_weights_nor_preprocessing_again(first: Pretrained, tmp_path: Path) -> None:
    parent = replace(first, weights=replace(first.weights, licence="MIT"))
    whole = fitted(tmp_path / "a" / "run", weights=parent, preprocess=None)
    stopped(tmp_path / "b" / "run", 4, weights=parent, preprocess=None)
    later = fitted(tmp_path / "b" / "run", preprocess=None, resume=True)
    assert later.weights == whole.weights
    assert [step.name for step in later.weights.card.steps] == ["first", "run"]


@pytest.mark.parametrize("given", ["none", "others"])
def test_where_nothing_is_saved_yet_the_same_weights_have_to_be_given(
    first: Pretrained, tmp_path: Path, given: str
) -> None:
    def killed(done: int, total: int) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fitted(tmp_path / "run", weights=first, on_progress=killed)
    shutil.rmtree(tmp_path / "run" / "resume", ignore_errors=True)
    others = None if given == "none" else replace(first, weights=replace(first.weights, licence="MIT"))
    with pytest.raises(TrainingError, match=r"it began from first and was given (drawn weights|first); give"):
        fitted(tmp_path / "run", weights=others, resume=True)
    assert fitted(tmp_path / "run", weights=first, resume=True).weights.card.steps[0].name == "first"


def test_a_run_from_before_there_were_cards_goes_on(tmp_path: Path) -> None:
    fitted(tmp_path / "run")
    about = tmp_path / "run/run.json"
    facts = json.loads(about.read_text())
    assert facts.pop("made") == encode(MADE)
    about.write_text(json.dumps(facts))
    assert fitted(tmp_path / "run", resume=True).weights.card.steps[0].date in ("", "2026-11-27")


@pytest.mark.slow
def test_a_transfer_follows_its_parent(parent: Pretrained, tmp_path: Path) -> None:
    taught = replace(parent, weights=replace(parent.weights, licence="MIT", metrics={"imagenet_top1": 50.0}))
    pixels = examples(60, side=32)
    done = transfer(pixels, taught, tmp_path / "out", budget=60, epochs=1, symmetry="none", made=MADE)
    kept = load(done.place.model)
    before, step = kept.weights.card.steps
    assert (before.name, before.metrics, before.licence) == ("tiny", {"imagenet_top1": 50.0}, "MIT")
    assert (step.deed, step.date, step.licence) == ("transferred", "2026-11-27", "MIT")
    assert step.data == "quarters: 60 pictures, 4 classes"
    assert step.metrics == kept.weights.metrics
    assert step.tensors_sha256 == tensors_sha256(kept.model)


def test_another_class_count_does_not_forget_the_figures_of_the_parent() -> None:
    adapted = load("efficientnet_lite0", classes=5).weights
    assert adapted.metrics == {}
    assert adapted.card.steps[0].metrics == {"imagenet_top1": 75.1}


def test_an_export_carries_the_card(first: Pretrained, tmp_path: Path) -> None:
    done = export(first, tmp_path / "a.safetensors")
    assert done.record.read_weights().card == first.weights.card
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["compoundnet"])["card"] == encode(first.weights.card)


def test_a_recipe_is_known_by_its_name_whatever_its_seed() -> None:
    for name, entry in RECIPES.items():
        assert RECIPES[recipe_name(replace(entry.recipe, seed=5))].recipe == entry.recipe, name


@pytest.mark.parametrize("name", ["run.json", "network.json", "recipe.json"])
def test_a_file_of_the_run_that_holds_no_object_is_one_line(tmp_path: Path, name: str) -> None:
    stopped(tmp_path / "run", 4)
    (tmp_path / "run" / name).write_text("[]")
    with pytest.raises(TrainingError, match=rf"{name}: is not what a run writes there; train into another folder"):
        fitted(tmp_path / "run", preprocess=None, resume=True)
