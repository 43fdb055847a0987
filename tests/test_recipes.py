"""Recipes as values: the paper's numbers, what rescaling keeps, what differences are known to do, the command."""

import json
import math
import re
import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compoundnet.recipes import (
    EFFECTS,
    IMAGENET,
    RECIPES,
    AdvProp,
    Augment,
    Optimizer,
    Pace,
    Recipe,
    Schedule,
    diff,
    entry,
    scaled,
    settings,
    transfer_kornblith,
)
from compoundnet.schema import FieldError, decode, encode

from .commands import Run, answer, run

__all__ = ["run"]  # the fixture
PUBLISHED = Path(__file__).parent.parent / "results" / "published_top1.json"
PAPER = entry("imagenet_b0").recipe

optimizers = st.builds(
    Optimizer,
    name=st.sampled_from(["rmsprop", "sgd", "adamw"]),
    rate=st.floats(1e-5, 1),
    per=st.integers(1, 4096),
    warmup_epochs=st.floats(0, 0.9),
    decay_kind=st.sampled_from(["staircase", "cosine", "constant"]),
    decay_epochs=st.floats(0.1, 10),
    clip_norm=st.none() | st.floats(0.1, 10),
)
recipes = st.builds(
    Recipe,
    epochs=st.floats(1, 500),
    batch=st.integers(1, 8192),
    optimizer=optimizers,
    augment=st.builds(Augment, policy=st.sampled_from(["none", "randaugment"]), mixup=st.floats(0, 1)),
    advprop=st.none() | st.builds(AdvProp, epsilon=st.floats(0.5, 8)),
    ema_decay=st.none() | st.floats(0.5, 0.9999),
    bn_momentum=st.floats(0.5, 0.999),
    patience=st.none() | st.integers(1, 50),
    seed=st.integers(0, 9),
)


# The table


def test_the_papers_recipe_is_section_5_2() -> None:
    optimizer = PAPER.optimizer
    assert (optimizer.name, optimizer.rho, optimizer.momentum, optimizer.eps) == ("rmsprop", 0.9, 0.9, 1e-3)
    assert (optimizer.weight_decay, optimizer.decay, optimizer.decay_epochs) == (1e-5, 0.97, 2.4)
    assert (PAPER.epochs, PAPER.batch, PAPER.bn_momentum, PAPER.ema_decay) == (350, 4096, 0.99, 0.9999)
    assert (PAPER.label_smoothing, PAPER.augment.policy) == (0.1, "autoaugment_v0")
    assert PAPER.schedule.peak(PAPER.batch) == pytest.approx(0.256)


def test_dropout_and_drop_connect_are_those_of_the_released_table() -> None:
    rates = [entry(f"imagenet_b{k}").recipe for k in range(9)]
    assert [rate.dropout for rate in rates] == [0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5, 0.5]
    assert {rate.drop_connect for rate in rates} == {0.2}


def test_the_steps_of_350_epochs_are_the_released_codes() -> None:
    """218,949 steps at a batch of 2,048 (the released default), to less than one epoch's rounding."""
    steps = scaled(PAPER, batch=2048).recipe.schedule.steps(IMAGENET // 2048)
    assert 0 <= 218_949 - steps < 350


def test_expected_accuracies_are_those_of_the_papers_table_2() -> None:
    rows = {row["network"]: row["top1"] for row in json.loads(PUBLISHED.read_text())["rows"]}
    for k in range(8):
        assert entry(f"imagenet_b{k}").letterhead.expected == f"{rows[f'efficientnet_b{k}']} % top-1 on ImageNet"
    assert "no top-1 is published" in entry("imagenet_b8").letterhead.expected


def test_randaugment_has_the_released_magnitudes() -> None:
    found = {name[-2:]: RECIPES[name].recipe.augment for name in RECIPES if "randaugment" in name}
    assert {name: (each.layers, each.magnitude) for name, each in found.items()} == {
        "b5": (2, 17),
        "b7": (2, 28),
        "b8": (2, 28),
    }


def test_advprop_attacks_larger_members_no_less_and_takes_epsilon_plus_one_steps() -> None:
    attacks = [entry(f"imagenet_advprop_b{k}").recipe.advprop for k in range(9)]
    assert all(attack is not None for attack in attacks)
    pairs = [(attack.epsilon, attack.steps, attack.step_size) for attack in attacks if attack is not None]
    assert pairs == sorted(pairs)
    assert (pairs[0], pairs[7]) == ((1, 1, 1), (4, 5, 1))
    assert all(steps == epsilon + 1 for epsilon, steps, _ in pairs if epsilon > 1)


@pytest.mark.parametrize("images", [2_040, 8_144, 50_000, 75_750])
def test_kornblith_takes_20000_steps_of_any_data_set(images: int) -> None:
    recipe = transfer_kornblith(images, rate=0.1, weight_decay=1e-4).recipe
    each = images // 256
    assert abs(recipe.schedule.steps(each) - 20_000) <= 1
    assert recipe.bn_momentum == max(1 - 10 / each, 0.9)
    assert recipe.optimizer.weight_decay == pytest.approx(1e-3)
    assert recipe.schedule.at(0, each, 256) == pytest.approx(0.1)


def test_the_proxy_goes_through_the_whole_staircase_in_5_epochs() -> None:
    proxy, each = entry("proxy").recipe, IMAGENET // 4096
    assert proxy.epochs == 5
    last = proxy.schedule.at(proxy.schedule.steps(each) - 1, each, 4096)
    assert last == pytest.approx(0.256 * 0.97**145, rel=0.04)


def test_every_recipe_names_its_source() -> None:
    assert all(each.letterhead.source for each in RECIPES.values())


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown recipe 'imagenet_b9'; did you mean imagenet_b8"):
        entry("imagenet_b9")


# The value


@given(recipe=recipes)
def test_json_goes_there_and_back(recipe: Recipe) -> None:
    assert decode(Recipe, json.loads(json.dumps(encode(recipe)))) == recipe


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"epoch": 3}, "epoch: unknown field of Recipe; did you mean epochs"),
        ({"optimizer": {"learning_rate": 0.1}}, "optimizer.learning_rate: unknown field of Optimizer; known: rate,"),
        (
            {"epochs": 4},
            r"^optimizer.warmup_epochs: 5 of 4 epochs; add optimizer.warmup_epochs=0, or give more epochs$",
        ),
        ({"batch": 6, "accumulate": 4}, "accumulate: 6 images do not split into as many parts"),
        ({"augment": {"shift": -1}}, "augment.shift: -1 is not a number of pixels"),
        ({"optimizer": {"momentum": 1}}, r"optimizer.momentum: 1.* is not a rate in \[0, 1\)"),
    ],
)
def test_impossible_recipes_are_refused_by_field(data: Any, problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        decode(Recipe, data)


def test_the_schedule_of_a_recipe_is_its_optimizers_pace_over_its_epochs() -> None:
    recipe = Recipe(epochs=20, optimizer=Optimizer(rate=0.3, per=64, decay_kind="cosine", warmup_epochs=2))
    assert recipe.schedule == Schedule(rate=0.3, per=64, decay_kind="cosine", warmup_epochs=2, epochs=20)


# Differences


def test_every_setting_has_its_effect_said() -> None:
    both = settings(Recipe()).keys() | settings(Recipe(advprop=AdvProp())).keys()
    assert both == EFFECTS.keys()


def test_an_effect_with_a_figure_names_its_source() -> None:
    figures = {path: effect for path, effect in EFFECTS.items() if re.search(r"\d\.\d", effect.text)}
    assert {"label_smoothing", "augment.cutmix", "augment.cutout"} < figures.keys()
    assert all(effect.source for effect in figures.values())


@given(one=recipes, two=recipes)
def test_differences_lead_from_one_recipe_to_the_other(one: Recipe, two: Recipe) -> None:
    found = {each.path: (each.first, each.second) for each in diff(one, two)}
    assert found == {each.path: (each.second, each.first) for each in diff(two, one)}
    assert diff(one, one) == ()
    a, b = settings(one), settings(two)
    same = {path for path in a.keys() & b.keys() if path not in found}
    assert all(a[path] == b[path] for path in same)
    assert all(a.get(path) == first and b.get(path) == second for path, (first, second) in found.items())


# Rescaling


@given(recipe=recipes)
def test_scaling_to_its_own_size_changes_nothing(recipe: Recipe) -> None:
    done = scaled(recipe, batch=recipe.batch, epochs=recipe.epochs, images=777, from_images=777)
    assert (done.recipe, done.changes) == (recipe, ())


@given(recipe=recipes, batch=st.integers(1, 8192), epochs=st.floats(1, 500), share=st.floats(0, 1))
def test_the_rate_at_an_equal_share_of_the_run_is_the_same_share_of_its_peak(
    recipe: Recipe, batch: int, epochs: float, share: float
) -> None:
    after = scaled(recipe, batch=batch, epochs=epochs).recipe
    each = 1_000_000  # steps fine enough that both runs have one at every share

    def of_peak(recipe: Recipe) -> float:
        step = round(share * recipe.epochs * each)
        return recipe.schedule.at(step, each, recipe.batch) / recipe.schedule.peak(recipe.batch)

    close = math.isclose(of_peak(after), of_peak(recipe), rel_tol=1e-4, abs_tol=1e-4)
    edge = math.isclose(of_peak(after), of_peak(recipe) * recipe.optimizer.decay, rel_tol=1e-4)
    edge |= math.isclose(of_peak(recipe), of_peak(after) * recipe.optimizer.decay, rel_tol=1e-4)
    warm = recipe.optimizer.warmup_epochs / recipe.epochs
    assert close or edge or abs(share - warm) < 1e-4  # a step apart at a stair, or at the warm-up's end


@given(batch=st.integers(1, 8192))
def test_rmsprop_scales_in_proportion_and_adamw_with_the_square_root(batch: int) -> None:
    adam = replace(PAPER, optimizer=Optimizer(name="adamw"))
    for recipe, power in ((PAPER, 1.0), (adam, 0.5)):
        after = scaled(recipe, batch=batch).recipe
        grown = after.schedule.peak(batch) / recipe.schedule.peak(recipe.batch)
        assert grown == pytest.approx((batch / recipe.batch) ** power)


@given(batch=st.integers(64, 8192), decay=st.floats(0.99, 0.9999))
def test_the_averages_window_stays_the_same_in_epochs_when_only_the_batch_changes(batch: int, decay: float) -> None:
    """What is kept of the average after one epoch, decay^(images / batch), stays."""
    before = replace(PAPER, ema_decay=decay)
    after = scaled(before, batch=batch).recipe
    assert after.ema_decay is not None
    assert after.ema_decay ** (1e4 / batch) == pytest.approx(decay ** (1e4 / before.batch))
    assert after.bn_momentum ** (1e4 / batch) == pytest.approx(before.bn_momentum ** (1e4 / before.batch))


@given(batch=st.integers(64, 4096), epochs=st.floats(10, 500), images=st.integers(10_000, 10**7))
def test_the_averages_window_stays_the_same_share_of_any_run(batch: int, epochs: float, images: int) -> None:
    after = scaled(PAPER, batch=batch, epochs=epochs, images=images, from_images=IMAGENET).recipe
    assert after.ema_decay is not None
    assert PAPER.ema_decay is not None
    log_kept = math.log(after.ema_decay) * epochs * images / batch
    assert log_kept == pytest.approx(math.log(PAPER.ema_decay) * 350 * IMAGENET / 4096, rel=1e-6)


@given(batch=st.integers(1, 512), epochs=st.floats(6, 500), images=st.integers(512, 10**7))
def test_batch_norms_forget_their_start_in_any_run(batch: int, epochs: float, images: int) -> None:
    """At most e^-10 of the statistics that nobody trained is left; the window is the same in images where it can be."""
    after = scaled(PAPER, batch=batch, epochs=epochs, images=images, from_images=IMAGENET).recipe
    steps, same = epochs * (images // batch), PAPER.bn_momentum ** (batch / PAPER.batch)
    assert after.bn_momentum**steps <= math.exp(-10)
    assert after.bn_momentum == same or (1 - after.bn_momentum) * steps == pytest.approx(10) or steps < 10


def test_a_long_window_that_was_meant_stays_the_same_share() -> None:
    """A recipe whose batch norms remember half of its run keeps that half, and is not cut to a tenth."""
    before = replace(PAPER, epochs=10.0, batch=100, bn_momentum=0.98)  # 50 steps of 100
    after = scaled(before, images=500, from_images=1000).recipe
    assert after.bn_momentum == pytest.approx(0.98**2)


def test_few_images_shorten_the_batch_norms_window_and_the_reason_is_said(run: Run) -> None:
    """With the same number of images, 69 % of the untrained statistics would be left after these 2,340 steps."""
    to = ["--batch", 64, "--epochs", 30, "--images", 5000]
    found = answer(run, "recipe", "scale", "imagenet_b0", *to)
    assert found["recipe"]["bn_momentum"] ** 2340 < math.exp(-10)
    why = next(each["why"] for each in found["changes"] if each["path"] == "bn_momentum")
    assert why.startswith("a tenth of the run")
    _, out, _ = run("recipe", "scale", "imagenet_b0", *to)
    assert "The batch norms remember 234 steps, 3 epochs, 10.0% of the run.\n" in out
    _, out, _ = run("recipe", "show", "imagenet_b0", "--images", 5000)
    assert "The batch norms remember 100 steps, 100 epochs, 28.6% of the run. That is long" in out


@given(recipe=recipes, batch=st.integers(1, 8192), epochs=st.floats(1, 500))
def test_all_that_changed_is_said_with_a_reason(recipe: Recipe, batch: int, epochs: float) -> None:
    done = scaled(recipe, batch=batch, epochs=epochs)
    told = {change.path: change for change in done.changes if change.path != "peak rate"}
    assert told.keys() == {each.path for each in diff(recipe, done.recipe)}
    assert all(change.why for change in done.changes)
    assert all(settings(done.recipe)[path] == change.after for path, change in told.items())


def test_parts_that_no_longer_divide_the_batch_are_given_up() -> None:
    done = scaled(replace(PAPER, accumulate=16), batch=1000)
    assert done.recipe.accumulate == 1
    assert "accumulate" in {change.path for change in done.changes}


@pytest.mark.parametrize("to", [{"batch": 0}, {"batch": 2.5}, {"epochs": 0}, {"epochs": math.nan}, {"images": 0}])
def test_impossible_sizes_are_refused(to: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match=rf"{next(iter(to))}: .* is not a"):
        scaled(PAPER, **to)


# The command


def test_show_gives_the_recipe_and_the_papers_rates(run: Run) -> None:
    found = answer(run, "recipe", "show", "imagenet_b0")
    assert decode(Recipe, found["recipe"]) == PAPER
    rates = {point["step"]: point["rate"] for point in found["rates"]}
    assert rates[0] == 0
    assert rates[5 * (IMAGENET // 4096)] == pytest.approx(0.256 * 0.97**2)
    code, out, _ = run("recipe", "show", "imagenet_b0")
    assert code == 0
    assert "0.24087" in out
    assert "remembers 10,000 steps" in out


def test_list_shows_every_recipe(run: Run) -> None:
    assert [row["name"] for row in answer(run, "recipe", "list")] == list(RECIPES)
    _, out, _ = run("recipe", "list")
    assert all(f"\n{name} " in out for name in RECIPES)


def test_a_written_recipe_is_read_again(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    code, out, err = run("recipe", "scale", "imagenet_b0", "--batch", 64, "--epochs", 30, "--out", path)
    assert (code, err) == (0, "")
    assert f"Written to {path}" in out
    shown = answer(run, "recipe", "show", path)
    assert decode(Recipe, shown["recipe"]) == scaled(PAPER, batch=64, epochs=30).recipe
    again = tmp_path / "again.json"
    again.write_text(json.dumps(shown))
    assert answer(run, "recipe", "diff", path, again) == []


def test_a_rescaled_recipe_remembers_its_images_when_it_is_scaled_again(run: Run, tmp_path: Path) -> None:
    """Two steps lead to where one leads, from the file and from --json, and the curve is drawn for these images."""
    once, two, last = (tmp_path / name for name in ("once.json", "two words.json", "last.json"))
    to = ["--images", 50_000, "--batch"]
    shown = answer(run, "recipe", "scale", "imagenet_b0", *to, 512, "--out", once)
    direct = scaled(PAPER, images=50_000, from_images=IMAGENET, batch=128).recipe
    two.write_text(json.dumps(shown))
    for before in (once, two):
        assert run("recipe", "scale", before, *to, 128, "--out", last)[0] == 0
        after = decode(Recipe, json.loads(last.read_text())["recipe"])
        assert (after.ema_decay, after.bn_momentum) == pytest.approx((direct.ema_decay, direct.bn_momentum), abs=1e-12)
        assert replace(after, ema_decay=None, bn_momentum=0.5) == replace(direct, ema_decay=None, bn_momentum=0.5)
        assert shlex.split(answer(run, "recipe", "show", last)["letterhead"]["command"])[3:5] == ["--recipe", str(last)]
    found = answer(run, "recipe", "show", once)
    assert (found["images"], found["letterhead"]["images"]) == (50_000, 50_000)
    assert found["rates"][-1]["step"] == 350 * (50_000 // 512) - 1


def test_a_recipe_alone_says_that_its_images_are_assumed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(encode(PAPER)))
    for argv in (["show", path], ["scale", path, "--images", 50_000]):
        code, _, err = run("recipe", *argv)
        assert code == 0
        assert f"{path}: does not say for how many images it was made; 1,281,167 are assumed" in err
        assert err.count("\n") == 1
    for images in (50_000, IMAGENET):
        path.write_text(json.dumps({"recipe": encode(PAPER), "images": images}))
        _, out, err = run("recipe", "show", path)
        assert f"with {images:,} images" in out
        assert err == ""
    path.write_text(json.dumps({"recipe": encode(PAPER), "images": 0}))
    assert "images: 0 is not a whole number" in run("recipe", "show", path)[2]


def test_diff_says_each_difference_with_what_is_known(run: Run) -> None:
    found = {row["path"]: row for row in answer(run, "recipe", "diff", "imagenet_b5", "imagenet_randaugment_b5")}
    assert found.keys() == {"augment.policy", "augment.magnitude"}
    assert "+0.1 (B5)" in found["augment.policy"]["effect"]["text"]
    _, out, _ = run("recipe", "diff", "imagenet_b0", "small")
    assert "ema_decay: 0.9999 | 0.999\n    without the average B5 scores 80 and not 83" in out
    assert "(no number is known)" in out


def test_a_window_longer_than_a_third_of_the_run_is_remarked(run: Run) -> None:
    _, out, _ = run("recipe", "show", "imagenet_b0", "--images", 100_000)
    assert "That is long" in out


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["shwo", "small"], "unknown action 'shwo'; did you mean show?"),
        (["show"], "recipe show takes one recipe, got 0"),
        (["diff", "small"], "recipe diff takes two recipes, got 1"),
        (["show", "smal"], "unknown recipe 'smal'; did you mean small?"),
        (["show", "none.json"], "none.json: no such file"),
        (["scale", "small"], "nothing to scale to; give --batch, --epochs or --images"),
        (["scale", "small", "--batch", "0"], "batch: 0 is not a whole number of at least 1"),
        (["scale", "imagenet_b0", "--images", "100"], "100 images do not fill one step of 4,096"),
        (["list", "--batch", "3"], "--batch does not go with recipe list"),
        (["show", "small", "--out", "x.json"], "--out does not go with recipe show"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, argv: list[str], problem: str) -> None:
    code, out, err = run("recipe", *argv)
    assert (code, out) == (2, "")
    assert problem in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty; a recipe is a JSON object"),
        ("[1]", "expected an object with Recipe's fields"),
        ('{"epocs": 3}', "epocs: unknown field of Recipe; did you mean epochs"),
        ('{"recipe": {"optimizer": {"rat": 1}}}', "optimizer.rat: unknown field of Optimizer; did you mean rate"),
        ('{"seed": 1, "seed": 2}', "the key 'seed' stands twice"),
        ('{"epochs": NaN}', "NaN is not a JSON number"),
    ],
)
def test_a_malformed_file_is_one_line(run: Run, tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    code, out, err = run("recipe", "show", path)
    assert (code, out) == (2, "")
    assert problem in err
    assert err.startswith(f"compoundnet: error: {path}")


def test_nothing_is_written_when_scaling_fails(run: Run, tmp_path: Path) -> None:
    assert run("recipe", "scale", "imagenet_b0", "--images", 9, "--out", tmp_path / "x.json")[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_optimizer_and_schedule_share_the_fields_of_a_pace() -> None:
    shared = {field.name for field in fields(Pace)}
    assert shared < {field.name for field in fields(Optimizer)}
    assert {field.name for field in fields(Schedule)} - shared == {"epochs"}
