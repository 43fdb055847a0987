"""Recipes are values with the paper's numbers; what their differences are known to do is said."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from compoundnet.recipes import (
    EFFECTS,
    IMAGENET,
    RECIPES,
    AdvProp,
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

from .recipes import PAPER, recipes

PUBLISHED = Path(__file__).parent.parent / "results" / "published_top1.json"


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


def test_optimizer_and_schedule_share_the_fields_of_a_pace() -> None:
    shared = {field.name for field in fields(Pace)}
    assert shared < {field.name for field in fields(Optimizer)}
    assert {field.name for field in fields(Schedule)} - shared == {"epochs"}


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
