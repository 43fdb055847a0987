"""A rescaled recipe keeps what should stay, and says what changed and why."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compoundnet.recipes import IMAGENET, Optimizer, Recipe, diff, scaled, settings
from compoundnet.schema import FieldError

from .recipes import PAPER, recipes


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
