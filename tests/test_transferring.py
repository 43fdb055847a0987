"""Transfer: the parts against independent answers, and the promises of the whole."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from compoundnet.data import Memory
from compoundnet.data.examples import Examples
from compoundnet.prediction import probabilities
from compoundnet.recipes import diff, finetune
from compoundnet.transferring import finish, transfer
from compoundnet.transferring.clock import EXPORT_SECONDS
from compoundnet.transferring.features import front, normalised, passed, pooled
from compoundnet.transferring.keeping import calibrated
from compoundnet.transferring.linear import STRENGTHS, chosen, fit
from compoundnet.transferring.looking import read
from compoundnet.transferring.objective import Objective, objective_of
from compoundnet.transferring.running import Transferred
from compoundnet.transferring.scoring import temperature
from compoundnet.transferring.splitting import folds, split
from compoundnet.transferring.tail import Tail, merged, unfrozen
from compoundnet.transferring.views import PLAIN, Symmetry, left_over, seen, turned, views
from compoundnet.weights import Pretrained, load

from .labelled import Damaged, digits, relabelled

BUDGET = EXPORT_SECONDS  # none is left for an export, which takes longest


@pytest.fixture(scope="module")
def done(parent: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Transferred:
    return transfer(digits(), parent, tmp_path_factory.mktemp("made") / "out", budget=BUDGET, epochs=3)


# The head


@pytest.mark.parametrize("strength", [0.3, 0.01])
def test_the_linear_head_is_the_multinomial_regression_of_scikit_learn(strength: float) -> None:
    x, labels = np.random.default_rng(0).normal(size=(120, 6)), np.random.default_rng(1).integers(3, size=120)
    x = (x - x.mean(0)) / x.std(0)
    objective = objective_of("multiclass", labels, 3, weigh=False)
    found = fit(objective, torch.from_numpy(x), objective.targets(labels), strength)
    oracle = LogisticRegression(C=1 / (strength * len(x)), tol=1e-10, max_iter=10_000).fit(x, labels)
    logits = found(torch.from_numpy(x).float())
    np.testing.assert_allclose(logits.softmax(1).numpy(), oracle.predict_proba(x), atol=2e-4)


def test_a_feature_that_hardly_varies_is_not_blown_up() -> None:
    """One outlier in a dead feature must not decide: its weight is bounded by the mean spread of all features."""
    x = torch.randn(80, 5, generator=torch.Generator().manual_seed(0))
    x[:, 4] = 0.0
    objective = Objective(task="multiclass", outputs=2)
    labels = (x[:, 0] > 0).long().numpy()
    found = fit(objective, x, objective.targets(labels), 0.01)
    assert found.weight[:, 4].abs().max() < 0.1 * found.weight[:, 0].abs().max()


def test_a_search_without_time_left_ends_after_one_strength() -> None:
    x = torch.randn(1, 60, 4, generator=torch.Generator().manual_seed(0))
    objective, labels = Objective(task="multiclass", outputs=2), (x[0, :, 0] > 0).long().numpy()
    out = [np.arange(k, 60, 3) for k in range(3)]
    _, tried = chosen(objective, x, objective.targets(labels), out, left=lambda: 0.0)
    assert list(tried) == [STRENGTHS[0]]
    _, tried = chosen(objective, x, objective.targets(labels), out)
    assert len(tried) > 1


def test_weighed_classes_weigh_the_same_in_all() -> None:
    labels = np.array([0] * 9 + [1] * 3)
    weights = objective_of("multiclass", labels, 2, weigh=True).weights
    assert weights[0] * 9 == pytest.approx(weights[1] * 3)
    assert (weights[0] * 9 + weights[1] * 3) == pytest.approx(12)


# Features and tail


def test_kept_features_are_the_models_own(parent: Pretrained, tmp_path: Path) -> None:
    pixels, model = digits(11).pixels, parent.model
    all_views, preprocess = views("all"), parent.weights.preprocess
    made = passed(pooled(model), pixels, all_views, preprocess, "torch", tmp_path / "pooled.npy", 1)
    with torch.inference_mode():
        for view, features in zip(all_views, made, strict=True):
            x = torch.from_numpy(normalised(pixels, view, preprocess))
            own = model.pool(model.features(x)).flatten(1).numpy()
            np.testing.assert_allclose(features, own, rtol=2e-3, atol=2e-3 * np.abs(own).max())


def test_the_views_are_the_eight_symmetries_of_the_square() -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    made = {seen(picture, view).tobytes() for view in views("all")}
    turned = {np.rot90(p[0], k).tobytes() for p in (picture, picture[:, :, ::-1]) for k in range(4)}
    assert made == turned
    assert len(made) == 8


def test_front_and_tail_together_are_the_model(parent: Pretrained) -> None:
    x = torch.from_numpy(normalised(digits(4).pixels, PLAIN, parent.weights.preprocess))
    for first in (1, 4, 6):
        with torch.inference_mode():
            logits = Tail(parent.model, first, 0.0).eval()(front(parent.model, first)(x))
            torch.testing.assert_close(logits, parent.model(x), rtol=1e-3, atol=1e-4)


def test_the_merged_model_answers_as_the_trained_tail(parent: Pretrained) -> None:
    tail = Tail(parent.model, 3, 0.0)
    with torch.no_grad():
        for parameter in tail.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    x = torch.from_numpy(normalised(digits(4).pixels, PLAIN, parent.weights.preprocess))
    with torch.inference_mode():
        wanted = tail.eval()(front(parent.model, 3)(x))
        torch.testing.assert_close(merged(parent.model, tail)(x), wanted, rtol=1e-3, atol=1e-3)


def test_the_merged_models_norms_are_its_parents(parent: Pretrained) -> None:
    """Nothing but kernels and the norms' biases is trained, so that statistics still fit and training can go on."""
    made = merged(parent.model, Tail(parent.model, 3, 0.0)).state_dict()
    for name, value in parent.model.state_dict().items():
        torch.testing.assert_close(made[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_a_channel_that_its_norm_mutes_still_answers_as_trained(parent: Pretrained) -> None:
    model = copy.deepcopy(parent.model)
    [norm] = [module for module in model.top.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        norm.weight[:2] = torch.tensor([0.0, 1e-30])
    tail = Tail(model, 3, 0.0)
    with torch.no_grad():
        for parameter in tail.parameters():
            parameter.add_(0.05)
    x = front(model, 3)(torch.from_numpy(normalised(digits(4).pixels, PLAIN, parent.weights.preprocess)))
    made = merged(model, tail)
    torch.testing.assert_close(Tail(made, 3, 0.0).eval()(x), tail.eval()(x), rtol=1e-3, atol=1e-3)
    [kernels] = [module.weight for module in made.top.modules() if isinstance(module, torch.nn.Conv2d)]
    assert kernels.isfinite().all()
    assert kernels[:2].abs().max() < 10


def test_deeper_stages_learn_more_slowly(parent: Pretrained) -> None:
    found = unfrozen(Tail(parent.model, 4, 0.0))
    assert [part.name for part in found] == ["classifier", "top", "stages.6", "stages.5", "stages.4"]
    assert [part.share for part in found] == pytest.approx([1, 1, 0.8, 0.64, 0.512])


# Splitting, scores, calibration


def test_copies_stay_on_one_side() -> None:
    same = np.array([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 12, 13, 14, 15])
    for seed in range(20):
        found = split([0, 0, 1, 1] * 4, same, 0.4, seed)
        assert not set(same[found.train]) & set(same[found.validation])
        assert sorted([*found.train, *found.validation]) == list(range(16))
        for out in folds([0, 0, 1, 1] * 4, same, 3, seed):
            assert not set(same[out]) & set(np.delete(same, out))


def test_the_temperature_undoes_a_scale_and_lies_in_the_weights(parent: Pretrained) -> None:
    objective = Objective(task="multiclass", outputs=1000)
    x = torch.from_numpy(normalised(digits(4).pixels, PLAIN, parent.weights.preprocess))
    with torch.inference_mode():
        logits = parent.model(x)
        cooler = calibrated(parent.model, objective, 2.5)(x)
    np.testing.assert_allclose(probabilities(cooler), probabilities(logits / 2.5), atol=1e-6)
    labels = np.random.default_rng(0).integers(3, size=300)
    sharp = torch.from_numpy(np.random.default_rng(1).normal(size=(300, 3)) + 2 * np.eye(3)[labels])
    three = Objective(task="multiclass", outputs=3)
    heat = temperature(three, sharp, labels)
    assert temperature(three, 3 * sharp, labels) == pytest.approx(3 * heat, rel=1e-4)


@pytest.mark.parametrize(
    "objective",
    [
        Objective(task="multiclass", outputs=3, weights=(0.5, 1.0, 4.0)),
        Objective(task="multilabel", outputs=3),
    ],
    ids=["weighed classes", "several labels"],
)
def test_no_other_temperature_has_less_loss(objective: Objective) -> None:
    chance = np.random.default_rng(0)
    labels = chance.integers(3, size=200)
    logits = torch.from_numpy(chance.normal(size=(200, 3)) + 2 * np.eye(3)[labels]) * 2
    truth = labels if objective.task == "multiclass" else np.eye(3, dtype=np.float32)[labels]
    targets, heat = objective.targets(truth), temperature(objective, logits, truth)
    losses = [objective.loss(logits / (heat * by), targets).item() for by in (0.99, 1.0, 1.01)]
    assert losses[1] == min(losses)


# The whole


def test_it_learns_and_is_never_worse_than_the_head_alone(done: Transferred) -> None:
    assert done.head.figures["top1"] > 0.6
    assert done.epochs
    assert done.best.score.loss <= done.head.loss
    assert done.best.score.figures["mean_per_class"] >= done.head.figures["mean_per_class"]
    assert done.clock.elapsed <= 1.1 * BUDGET


@pytest.mark.slow
def test_what_would_be_worse_is_not_kept(parent: Pretrained, tmp_path: Path) -> None:
    """Labels that nothing explains: only the head, which the strongest L2 holds near the mean, can be kept."""
    held = digits(90)
    noise = relabelled(held, np.random.default_rng(0).integers(3, size=90), held.classes, "multiclass")
    found = transfer(noise, parent, tmp_path / "out", budget=BUDGET, epochs=3)
    better = [epoch for epoch in found.epochs if epoch.score.beats(found.head, "mean_per_class")]
    assert (found.best.how == "head only") == (not better)
    assert found.best.score.loss <= found.head.loss


def test_the_saved_model_is_the_kept_one_with_classes_and_preprocessing(done: Transferred) -> None:
    saved = load(done.place.model)
    assert saved.weights.classes == ("digit 0", "digit 1", "digit 2")
    assert saved.weights.preprocess.crop == 1.0
    assert saved.weights.metrics["validation_top1"] == pytest.approx(100 * done.best.score.figures["top1"])
    x = torch.from_numpy(normalised(done.pixels.pixels[done.split.validation], PLAIN, saved.weights.preprocess))
    with torch.inference_mode():
        torch.testing.assert_close(saved.model(x), done.best.logits / done.heat, rtol=0.02, atol=0.02)


def test_every_setting_has_its_reason(done: Transferred) -> None:
    said = {reason.setting for reason in done.reasons}
    assert said >= {"resolution", "symmetry", "validation", "class weights", "batch", "epochs", "unfrozen"}
    assert all(reason.value and reason.why for reason in done.reasons)


def test_what_the_recipe_does_not_set_itself_is_finetunes(done: Transferred) -> None:
    changed = {each.path for each in diff(finetune().recipe, done.settings.recipe)}
    assert changed == {
        *("epochs", "batch", "optimizer.rate", "optimizer.per", "optimizer.weight_decay", "optimizer.warmup_epochs"),
        *("augment.least_area", "augment.policy", "label_smoothing", "drop_connect", "patience"),
    }


class StopError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.slow
def test_an_interrupted_transfer_leaves_the_best_and_goes_on(parent: Pretrained, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("epoch 2:"):
            raise StopError

    out = tmp_path / "out"
    with pytest.raises(StopError):
        transfer(digits(), parent, out, budget=BUDGET, epochs=3, say=stop)
    assert load(out / "model.safetensors").weights.classes == ("digit 0", "digit 1", "digit 2")
    lines: list[str] = []
    found = transfer(digits(), parent, out, budget=BUDGET, epochs=3, say=lines.append)
    assert "going on after epoch 1" in lines
    assert [epoch.number for epoch in found.epochs] == list(range(1, len(found.epochs) + 1))
    with pytest.raises(ValueError, match="unfinished transfer with other settings; remove it or name another --out"):
        transfer(digits(), parent, out, budget=BUDGET, epochs=3, seed=1)


@pytest.mark.slow
def test_labels_that_may_be_several(parent: Pretrained, tmp_path: Path) -> None:
    held = digits()
    marks = np.stack([held.labels == 0, held.labels > 0, held.labels == 2], axis=1).astype(np.float32)
    several = relabelled(held, marks, ("zero", "more", "two"), "multilabel")
    found = transfer(several, parent, tmp_path / "out", budget=BUDGET, epochs=3)
    assert found.head.figures["mean_average_precision"] > 0.6
    rows = finish(found).figures["per_class"]
    assert [row["name"] for row in rows] == ["zero", "more", "two"]


@pytest.mark.slow
def test_numbers_are_answered_in_their_own_units(parent: Pretrained, tmp_path: Path) -> None:
    held = digits()
    size = (100 * (held.labels == 0) + 5000).astype(np.float32)[:, None]
    found = transfer(
        relabelled(held, size, ("size",), "regression"),
        parent,
        tmp_path / "out",
        budget=600.0,
        epochs=3,
        symmetry="none",
    )
    assert [path.name for path in finish(found).files[:2]] == ["model.safetensors", "model.onnx"]
    saved = load(found.place.model)
    x = torch.from_numpy(normalised(found.pixels.pixels, PLAIN, saved.weights.preprocess))
    with torch.inference_mode():
        answers = saved.model(x).numpy()
    assert found.best.score.figures["r2"] > 0.3
    assert np.abs(answers - size).mean() < 0.8 * np.abs(size - size.mean()).mean()


def test_damaged_pictures_are_left_out_and_named(parent: Pretrained, tmp_path: Path) -> None:
    whole = replace(parent.weights.preprocess, crop=1.0)
    found = read(Damaged(digits(), frozenset({3, 70})), whole, tmp_path / "pixels.npy", 1)
    assert found.corrupt == ("3: damaged", "70: damaged")
    assert found.kept.tolist() == [i for i in range(200) if i not in (3, 70)]
    np.testing.assert_array_equal(found.pixels[69], digits().pixels[71])


def test_a_picture_and_its_brighter_twin_are_copies(parent: Pretrained, tmp_path: Path) -> None:
    """As ``data.duplicates`` tells near ones, whatever their files are."""
    held = digits(40)
    pixels = np.concatenate([held.pixels // 2, held.pixels[:3] // 2 + 8, held.pixels[:1] // 2])
    labels = np.concatenate([held.labels, held.labels[:3], held.labels[:1]])
    twins = Memory(pixels, labels, held.classes)
    found = read(twins, parent.weights.preprocess, tmp_path / "pixels.npy", 1)
    assert found.same.tolist() == [*range(40), 0, 1, 2, 0]
    assert found.copies == 4


def test_copies_of_one_picture_alone_cannot_judge() -> None:
    with pytest.raises(ValueError, match="pictures: 6, all copies of 1; none is left to judge by"):
        split([0] * 6, np.zeros(6, np.int64), 0.2, 0)


# Bad input


def first(count: int) -> Memory:
    held = digits()
    return Memory(held.pixels[:count], held.labels[:count], held.classes)


@pytest.mark.parametrize(
    ("examples", "budget", "problem"),
    [
        (
            Memory(digits().pixels, np.zeros(200, np.int64), ("one",)),
            BUDGET,
            "pictures: one class only, 'one'; a classifier needs at least 2",
        ),
        (first(2), BUDGET, r"pictures: 1 class without a picture \('digit 2'\); add pictures or remove them"),
        (first(4), BUDGET, "'digit 1' has 1, 'digit 2' has 1; every class needs at least 2 pictures"),
        (
            Damaged(digits(), frozenset(range(100, 150))),
            BUDGET,
            "50 of 200 pictures cannot be read, more than 5%; mend or remove them: "
            "100, 101, 102, 103, 104: damaged; ...",
        ),
        (digits(), 5.0, "a budget of 5 s is too small.*give at least 10 s"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    examples: Examples, budget: float, problem: str, parent: Pretrained, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        transfer(examples, parent, tmp_path / "out", budget=budget)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_a_folder_with_other_things_is_left_alone(parent: Pretrained, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="not empty; name a new folder with --out"):
        transfer(digits(), parent, tmp_path, budget=BUDGET, epochs=3)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_network_without_weights_is_refused_with_those_that_have_some(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="no weights come with efficientnet_b0; names with weights: efficientnet_lite0"
    ):
        transfer(digits(), "efficientnet_b0", tmp_path / "out", budget=BUDGET, epochs=3)


def test_the_report_is_one_file_with_figures_that_can_be_read_again(done: Transferred) -> None:
    finished = finish(done)
    written = json.loads(done.place.figures.read_text())
    assert written == json.loads(json.dumps(finished.figures))
    assert written.keys() >= {"top1", "mean_per_class", "auroc", "calibration_error", "interval", "per_class", "bins"}
    assert written["top1"] == pytest.approx(done.best.score.figures["top1"], abs=0.03)
    assert sum(count for _, _, count in written["confusion"]) == len(done.split.validation)
    page = done.place.report.read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert not done.place.work.exists()


@pytest.mark.parametrize(("symmetry", "kept"), [("mirror", 1), ("all", 1), ("all", 2), ("all", 4)])
def test_turned_maps_stand_for_the_views_that_were_not_kept(symmetry: Symmetry, kept: int) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(1, 5, 5, 3), dtype=np.uint8)
    each = [seen(pixels, view).transpose(0, 3, 1, 2) for view in views(symmetry)]
    chance, found = np.random.default_rng(1), set[bytes]()
    for view in each[:kept]:
        maps = torch.from_numpy(np.repeat(view, 100, 0).copy())
        found |= {turn.numpy().tobytes() for turn in turned(maps, left_over(kept, symmetry), chance)}
    assert found == {view.tobytes() for view in each}
    assert left_over(len(each), symmetry) == ()
