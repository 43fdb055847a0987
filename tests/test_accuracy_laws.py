"""The accuracy law on any networks: intervals, arrays, slopes and differences; it is written down and made again."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import MEMBERS, Law, Point, accuracy_law, named
from compoundnet.accuracy import GROUPS, depths, factors, published, widths
from compoundnet.accuracy.curve import NAMES, curve
from compoundnet.accuracy.fitting import VAGUE, fit
from compoundnet.accuracy.pooling import BASES, others, pooled
from compoundnet.schema import FieldError
from compoundnet.solving import surface

from .accuracies import asked, point

GRID = [(name, group) for name, group in (("efficientnet_b0", "efficientnet"), ("mobilenet_v2", "mobilenet_v2"))]
LOGS = st.floats(-1.3, 1.3)


# Its laws


@settings(deadline=None, max_examples=60)
@given(group=st.sampled_from(sorted(GROUPS)), d=LOGS, w=LOGS, r=st.floats(64, 700), level=st.floats(0.05, 0.99))
def test_an_interval_contains_its_mean_and_widens_with_its_level(
    group: str, d: float, w: float, r: float, level: float
) -> None:
    depth, width = np.exp([d, w])
    macs = 4e8 * depth * width**2 * (r / 224) ** 2
    law = accuracy_law(group)
    found, wider = law.predict(depth, width, r, macs, level), law.predict(depth, width, r, macs, (1 + level) / 2)
    assert 0 < wider.low <= found.low <= found.mean <= found.high <= wider.high < 100


@settings(deadline=None, max_examples=40)
@given(d=LOGS, w=LOGS, r=st.integers(64, 640), data=st.data())
def test_arrays_broadcast_and_give_what_scalars_give(d: float, w: float, r: int, data: st.DataObject) -> None:
    law = accuracy_law(data.draw(st.sampled_from(sorted(GROUPS))))
    depth = np.exp(d) * np.array([0.9, 1.0, 1.1])[None, :, None]
    width, side = np.exp(w) * np.array([1.0, 1.2])[:, None, None], np.array([r, r + 8, r + 16, r + 24])
    macs = 4e8 * depth * width**2 * (side / 224) ** 2
    found = law.predict(depth, width, side, macs)
    assert found.mean.shape == found.low.shape == found.high.shape == found.outside.shape == (2, 3, 4)
    one = law.predict(depth[0, 2, 0], width[1, 0, 0], side[3], macs[1, 2, 3])
    np.testing.assert_allclose([one.mean, one.low, one.high], [each[1, 2, 3] for each in found[:3]], rtol=1e-12)
    assert one.outside == found.outside[1, 2, 3]
    assert law.predict(np.empty((0, 3)), 1, 224, 1e8).mean.shape == (0, 3)


def test_chunks_change_nothing() -> None:
    law = accuracy_law("mobilenet_v2")
    widths_ = np.linspace(0.3, 2, 20_001)
    found = law.predict(1, widths_, 160, 3e8 * widths_**2)
    again = law.predict(1, widths_[::-1], 160, 3e8 * widths_[::-1] ** 2)
    np.testing.assert_allclose(found.mean, again.mean[::-1], rtol=1e-13)


@pytest.mark.parametrize(("name", "group"), GRID)
def test_a_network_larger_in_everything_is_not_predicted_much_worse(name: str, group: str) -> None:
    """On all networks of the surface; the remainder may bend the curve by no more than 0.35 points within the data."""
    member = MEMBERS[name]
    space = surface(member.base, rounding=member.rounding)
    width = widths([values[1:-1] for values in space.width.values], member.base)[::4]
    order = np.argsort(width, kind="stable")
    depth = depths(space.depth.values, member.base)[None, ::2, None]
    macs = space.costs["macs"][::4, ::2, ::4][order]
    found = accuracy_law(group).predict(depth, width[order][:, None, None], np.array(space.sides)[::4], macs)
    best = found.mean
    for axis in range(3):
        best = np.maximum.accumulate(best, axis)
    drop = best - found.mean
    assert drop[~found.outside].max() <= 0.35
    assert drop.max() <= 1.0
    assert found.mean.min() > 1
    assert found.mean.max() < 86


@pytest.mark.parametrize("group", ["efficientnet", "mobilenet_v1", "mobilenet_v2", "mnasnet", "resnet"])
def test_intervals_grow_away_from_the_data(group: str) -> None:
    law = accuracy_law(group)
    points = published()[GROUPS[group][0]]
    found = law.predict(*asked(points))
    assert not found.outside.any()
    steps = np.array([1, 3, 9, 27.0])
    largest = max(points, key=lambda each: each.macs)
    away = law.predict(largest.depth, largest.width * steps, largest.resolution, largest.macs * steps**2)
    errors = np.log((100 - away.low) / (100 - away.high))
    assert (np.diff(errors) > 0).all()
    assert list(away.outside) == [False, True, True, True]
    lowest = law.predict(0.01, 0.01, 8, 1e3)
    assert 0 < lowest.low <= lowest.mean <= lowest.high < 100


def test_a_network_that_no_family_resembles_lies_outside() -> None:
    assert accuracy_law().predict(1, 1, 224, 4e8).outside
    assert accuracy_law("mnasnet").predict(2, 1, 160, 3.2e8).outside  # all its points have one depth
    assert not accuracy_law("efficientnet").predict(1.4375, 1, 240, 686_802_832).outside


def test_the_derivatives_of_the_curve_are_its_slopes() -> None:
    rng = np.random.default_rng(0)
    logs, excess = rng.normal(0, 0.7, (3, 50)), rng.normal(0, 0.3, 50)
    theta = np.array(VAGUE.mean) + rng.normal(0, 0.3, len(NAMES))
    _, slopes = curve(theta, logs, excess)
    for place in range(len(NAMES)):
        step = np.zeros(len(NAMES))
        step[place] = 1e-6
        numeric = (curve(theta + step, logs, excess)[0] - curve(theta - step, logs, excess)[0]) / 2e-6
        np.testing.assert_allclose(slopes[place], numeric, rtol=1e-6, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(group=st.sampled_from(["efficientnet", "mobilenet_v1", "resnet", ""]), d=LOGS, w=LOGS, r=st.floats(96, 640))
def test_a_difference_is_that_of_the_predictions_and_better_known(group: str, d: float, w: float, r: float) -> None:
    law = accuracy_law(group)
    depth, width = np.exp([d, w])
    one, other = (1.0, 1.0, 224.0, 4e8), (depth, width, r, 4e8 * depth * width**2 * (r / 224) ** 2)
    found, back = law.ahead(one, *other), law.ahead(other, *one)
    first, second = law.predict(*one), law.predict(*other)
    assert found.mean == pytest.approx(first.mean - second.mean, abs=1e-9)
    assert found.low <= found.mean <= found.high
    assert back.mean == pytest.approx(-found.mean, abs=1e-9)
    assert found.high - found.low <= (first.high - first.low) + (second.high - second.low)
    itself = law.ahead(one, *one)
    np.testing.assert_allclose([itself.mean, itself.low, itself.high], 0, atol=1e-6)


# The law as a value


def test_a_law_can_be_written_down_and_made_again() -> None:
    law = accuracy_law("mobilenet_v2").updated([point(top1=61.5), point(width=0.5, macs=97e6, top1=55.25)])
    again = Law.from_dict(json.loads(json.dumps(law.to_dict())))
    assert again == law
    for group in GROUPS:
        assert Law.from_dict(accuracy_law(group).to_dict()) == accuracy_law(group)


def test_a_fit_is_converged_and_so_the_same_on_every_machine() -> None:
    """Another order of the sums, as another machine may have, changes nothing that is printed."""
    points, base = published()["mobilenet_v2"], BASES["mobilenet_v2"]
    families = [(published()[name], BASES[name]) for name in others("mobilenet_v2")]

    def turned(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return (points[0], *points[:0:-1])  # the first point names the usual recipe

    one = fit(points, base, pooled(families), "slim")
    other = fit(points[::-1], base, pooled([(turned(each), base) for each, base in families[::-1]]), "slim")
    found = [Law("", (), each).predict([0.5, 1, 4], 1.3, 192, 5e8) for each in (one, other)]
    for a, b in zip(found[0][:3], found[1][:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"version": 2}, "group: missing; LawRecord needs it"),
        ({"version": 9, "group": "", "published": "x"}, "version: 9 is not supported; this compoundnet reads 1"),
        ({"version": 1, "group": "", "published": "x"}, "published: 'x' is not the hash of this version's points"),
        ({"version": 1, "group": "", "published": "x", "own": [[1, 1]]}, r"own\[0\]: expected 5 values, got 2"),
    ],
)
def test_what_is_no_law_is_refused(data: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        Law.from_dict(data)


def test_bad_queries_are_refused() -> None:
    law = accuracy_law("efficientnet")
    with pytest.raises(FieldError, match=r"width: 0\.0 is not a number above 0"):
        law.predict(1, [1, 0], 224, 1e8)
    with pytest.raises(FieldError, match="macs: nan is not a number above 0"):
        law.predict(1, 1, 224, np.nan)
    with pytest.raises(FieldError, match="level: 1 is not a probability between 0 and 1"):
        law.predict(1, 1, 224, 1e8, level=1)
    with pytest.raises(ValueError, match="unknown group 'mobilenet'; did you mean mobilenet_v2"):
        accuracy_law("mobilenet")
    with pytest.raises(FieldError, match="points: 201 of them; at most 200"):
        law.updated([point()] * 201)
    with pytest.raises(FieldError, match="stages: the two networks have different numbers of stages"):
        factors(named("resnet50"), named("efficientnet_b0"))
