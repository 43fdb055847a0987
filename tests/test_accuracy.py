"""The accuracy law: published points as printed, its figures as promised, its laws, and own points."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np
import pytest
from benchmarks.accuracy import GRIDS, MOST_B, MOST_MAE, by_form, by_law, dearest, left_out, mae, prior, usual
from benchmarks.forms import FORMS
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import MEMBERS, Law, Network, Point, Rounding, Scaling, accuracy_law, cost, named, scale
from compoundnet.accuracy import GROUPS, depths, factors, published, read_points, widths
from compoundnet.accuracy.curve import NAMES, curve
from compoundnet.accuracy.fitting import VAGUE, fit
from compoundnet.accuracy.law import unseen
from compoundnet.accuracy.pooling import BASES, others, pooled
from compoundnet.schema import FieldError
from compoundnet.solving import surface

BASE_OF = {
    "efficientnet": "efficientnet_b0",
    "efficientnet_100_epochs": "efficientnet_b0",
    "efficientnet_edgetpu": "efficientnet_edgetpu_s",
    "efficientnet_lite": "efficientnet_lite0",
    "mobilenet_v1": "mobilenet_v1",
    "mobilenet_v2": "mobilenet_v2",
    "resnet": "resnet50",
}
GRID = [(name, group) for name, group in (("efficientnet_b0", "efficientnet"), ("mobilenet_v2", "mobilenet_v2"))]
LOGS = st.floats(-1.3, 1.3)
HEADER = "depth,width,resolution,macs,top1\n"


def point(**changes: Any) -> Point:
    given: dict[str, Any] = {"depth": 1.0, "width": 1.0, "resolution": 224, "macs": 385_814_752, "top1": 70.0}
    return Point(**{**given, **changes})


def asked(points: Any) -> Any:
    return np.array([(p.depth, p.width, p.resolution, p.macs) for p in points]).T


# Published points


@pytest.mark.parametrize(
    ("family", "recipe", "top1"),
    [
        # Tan and Le 2019, Table 2; Table 7.
        ("efficientnet", "autoaugment", [77.1, 79.1, 80.1, 81.6, 82.9, 83.6, 84.0, 84.3]),
        ("efficientnet", "table7", [77.3, 79.0, 78.9, 79.1, 81.1]),
        # tensorflow/tpu, efficientnet/README.md, baseline preprocessing.
        ("efficientnet", "baseline", [76.7, 78.7, 79.8, 81.1, 82.5, 83.1]),
        # tensorflow/tpu, efficientnet/lite/README.md (FP32) and efficientnet/edgetpu/README.md (float).
        ("efficientnet_lite", "lite", [75.1, 76.7, 77.6, 79.8, 81.5]),
        ("efficientnet_edgetpu", "edgetpu", [77.23, 78.69, 80.62]),
        # Han et al. 2020, the authors' readme.
        ("efficientnet", "tinynet", [76.8, 75.0, 71.2, 67.0, 59.9]),
        # Tan and Le 2019, Table 3.
        ("mobilenet_v1", "table3", [70.6, 74.2, 72.7, 75.6]),
        ("resnet", "table3", [76.0, 78.1, 77.7, 77.5]),
        # tensorflow/tpu, resnet_rs/README.md.
        ("resnet", "resnet_rs", [78.8, 80.3, 81.2, 82.0, 82.2, 83.0, 83.4, 83.8, 84.0, 84.2, 84.4]),
    ],
)
def test_published_accuracies_are_as_printed(family: str, recipe: str, top1: list[float]) -> None:
    assert [each.top1 for each in published()[family] if each.recipe == recipe] == top1


def test_the_grids_are_whole() -> None:
    assert [len(usual(family)) for family in GRIDS] == [16, 22, 25]
    for family in GRIDS:
        grid = {(each.width, each.resolution): each for each in usual(family)}
        assert len(grid) == len(usual(family))
    corners = {
        "mobilenet_v1": [(70.9, 569), (41.5, 14)],  # tensorflow/models, slim: MobileNet_v1_1.0_224, _0.25_128
        "mobilenet_v2": [(75.0, 582), (45.5, 11)],  # slim: 1.4_224, 0.35_96
        "mnasnet": [(77.2, 591.5), (49.3, 12.7)],  # tensorflow/tpu: 1.4-224, 0.35-96
    }
    for family, (dear, cheap) in corners.items():
        ordered = sorted(usual(family), key=lambda each: each.macs)
        for each, (top1, millions) in ((ordered[-1], dear), (ordered[0], cheap)):
            assert each.top1 == top1
            assert each.macs == pytest.approx(millions * 1e6, rel=0.09)


def test_every_point_names_its_source() -> None:
    assert all(each.source and each.model for points in published().values() for each in points)


def scaled(family: str, recipe: str, d: float, w: float) -> Network:
    member = MEMBERS[BASE_OF[family]]
    rounding = Rounding(layers="nearest", stem="fixed", head="grow") if recipe == "tinynet" else member.rounding
    return scale(member.base, Scaling(d, w, 1.0), rounding)


def test_factors_and_exact_multiply_adds_are_those_of_the_networks() -> None:
    """The factors that a paper prints, through our rounding, give what the file holds."""
    text = resources.files("compoundnet.accuracy").joinpath("published.csv").read_text(encoding="utf-8")
    checked = 0
    for row in csv.DictReader(text.splitlines()):
        if row["group"] not in BASE_OF or "layers / 50" in row["source"]:
            continue
        network = scaled(row["group"], row["recipe"], float(row["d"]), float(row["w"]))
        network = replace(network, resolution=int(row["resolution"]))
        depth, width, side = factors(network, named(BASE_OF[row["group"]]))
        assert (float(row["depth"]), float(row["width"])) == (float(f"{depth:.6g}"), float(f"{width:.6g}")), row
        assert int(row["resolution"]) == side
        if row["counted"] == "exact":
            assert cost(network).macs == int(row["macs"]), row
            checked += 1
    assert checked == 83


def test_bases_are_the_multiply_adds_of_the_networks() -> None:
    assert {name: BASES[name].macs for name in BASE_OF} == {
        name: cost(named(network)).macs for name, network in BASE_OF.items()
    }


# What it promises


@pytest.mark.parametrize("family", GRIDS)
def test_points_left_out_and_the_dearest_are_predicted_within_half_a_point(family: str) -> None:
    law = by_law(family, prior(family))
    missed, _ = left_out(usual(family), law)
    assert mae(missed) <= MOST_MAE
    assert dearest(usual(family), law)[0] <= MOST_MAE


@pytest.mark.parametrize("family", GRIDS)
def test_without_other_families_points_left_out_are_predicted_as_well(family: str) -> None:
    assert mae(left_out(usual(family), by_law(family, VAGUE))[0]) <= MOST_MAE


@pytest.mark.parametrize(("family", "form"), [("mobilenet_v1", "log-quadratic"), ("mnasnet", "c + A macs^-b")])
def test_it_is_nearer_than_the_single_form_that_is_best_there(family: str, form: str) -> None:
    assert form in FORMS
    law, other = by_law(family, prior(family)), by_form(form)
    assert mae(left_out(usual(family), law)[0]) < mae(left_out(usual(family), other)[0])
    assert dearest(usual(family), law)[0] < dearest(usual(family), other)[0]


def test_nine_of_ten_points_left_out_lie_in_their_interval() -> None:
    covered = [left_out(usual(family), by_law(family, prior(family)))[1] for family in GRIDS]
    assert 0.85 <= sum(covered) / 63 <= 0.95
    assert covered[1] / 22 >= 0.85


def test_b0_to_b7_are_within_a_fifth_of_a_point() -> None:
    points = usual("efficientnet")
    law = accuracy_law("efficientnet")
    missed = law.predict(*asked(points)).mean - [each.top1 for each in points]
    assert mae(missed) <= MOST_B
    beside = [each for each in published()["efficientnet"] if each not in points]
    assert mae(left_out(points, by_law("efficientnet", prior("efficientnet"), beside))[0]) <= MOST_B
    alone, _ = left_out(points, by_law("efficientnet", prior("efficientnet")))
    assert max(map(abs, alone)) <= MOST_B


@pytest.mark.parametrize("family", ["efficientnet_lite", "efficientnet_edgetpu"])
def test_the_small_groups_predict_each_of_their_networks_from_the_others_within_half_a_point(family: str) -> None:
    missed, covered = left_out(usual(family), by_law(family, prior(family)))
    assert max(map(abs, missed)) <= 0.5
    assert covered == len(usual(family))


def test_networks_of_one_architecture_never_inform_each_other() -> None:
    """So Lite and EdgeTPU leave the laws of B0 to B7 as they were."""
    kin = {"efficientnet_100_epochs", "efficientnet_edgetpu", "efficientnet_lite", "efficientnet_v2", "efficientnet"}
    for family in kin:
        assert set(others(family)) == set(published()) - kin


def test_one_dimension_alone_saturates() -> None:
    """Table 7: at about equal multiply-adds the compound network is more than a point ahead of each dimension alone."""
    b0 = named("efficientnet_b0")
    ways = [Scaling(1.4, 1.2, 1.3), Scaling(4, 1, 1), Scaling(1, 2, 1), Scaling(1, 1, 2)]
    networks = [scale(b0, way) for way in ways]
    law = accuracy_law("efficientnet")
    compound, *others_ = (float(law.predict(*factors(each, b0), cost(each).macs).mean) for each in networks)
    assert all(compound - each > 1 for each in others_)
    twice, four = (law.predict(d, 1, 224, 386e6 * d).mean for d in (2.0, 4.0))
    assert four - twice < twice - law.predict(1, 1, 224, 386e6).mean


def test_the_law_needs_no_torch_and_no_family() -> None:
    code = "import sys, compoundnet as c; c.accuracy_law('resnet'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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


# Own points


def test_one_own_point_sets_the_level_and_keeps_the_shape() -> None:
    law = accuracy_law("efficientnet")
    points = usual("efficientnet")
    own = law.updated([point(top1=60.0)])
    before, after = (np.log(100 - each.predict(*asked(points)).mean) for each in (law, own))
    assert own.predict(1, 1, 224, 385_814_752).mean == pytest.approx(60, abs=0.3)
    np.testing.assert_allclose(after - before, after[0] - before[0], atol=0.01)


def test_own_points_bend_the_shape_and_narrow_the_interval() -> None:
    """A recipe in which larger networks gain nothing."""
    sizes = [(1.0, 1.0, 224), (1.4375, 1.0, 240), (1.4375, 1.1, 260), (1.75, 1.2, 300), (2.3, 1.4, 380)]
    macs = [3.9e8, 6.9e8, 9.9e8, 1.8e9, 4.4e9]
    flat = [point(depth=d, width=w, resolution=r, macs=m, top1=70.0) for (d, w, r), m in zip(sizes, macs, strict=True)]
    one, all_ = (accuracy_law("efficientnet").updated(flat[:count]) for count in (1, 5))
    large = (2.3, 1.4, 380, 4.4e9)
    assert abs(all_.predict(*large).mean - 70) < abs(one.predict(*large).mean - 70) / 2
    assert one.updated(flat[1:]) == all_


def test_a_few_own_points_make_the_pooled_law_useful() -> None:
    """MnasNet-A1, as if nobody had published it: three of its networks, and the other 22."""
    points = sorted(usual("mnasnet"), key=lambda each: each.macs)
    known = (points[0], points[12], points[-1])
    rest = [each for each in points if each not in known]
    tops = np.array([each.top1 for each in rest])
    before = unseen((), others("mnasnet")).predict(*asked(rest))
    own = tuple(point(**{name: getattr(each, name) for name in vars(point())} | {"recipe": "own"}) for each in known)
    after = unseen(own, others("mnasnet")).predict(*asked(rest))
    assert mae(after.mean - tops) < 1 < mae(before.mean - tops)
    assert np.mean(after.high - after.low) < np.mean(before.high - before.low) / 3
    assert ((before.low < tops) & (tops < before.high)).all()


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


# Own points from a file


def test_a_file_of_own_points_is_read_in_any_order_of_columns() -> None:
    text = "\ufefftop1, macs ,depth,width,resolution\r\n\r\n74.5,390e6,1,1,224\r\n75,8e8,1.4,1,240\n"
    assert read_points(text) == (
        point(top1=74.5, macs=390e6),
        point(top1=75.0, macs=8e8, depth=1.4, resolution=240),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty; the first line names the columns: depth,width,resolution,macs,top1"),
        (HEADER, "no rows below the header"),
        ("depth,width,side,macs,top1\n1,1,1,1,1", "line 1: unknown column 'side'"),
        ("depth,width,resolution,macs\n1,1,1,1", "line 1: the column top1 is missing"),
        ("depth,depth,resolution,macs,top1\n1,1,1,1,1", "line 1: the column depth stands twice"),
        (HEADER + "1,1,224,4e8", "line 2: 4 values; the header has 5 columns"),
        (HEADER + "1,1,224,4e8,70\n1,1,224,4e8,70,2", "line 3: 6 values"),
        (HEADER + "1,1,224,4G,70", "line 2, macs: '4G' is not a number"),
        (HEADER + "1,1,224,4_0,70", "line 2, macs: '4_0' is not a plain number"),
        (HEADER + "1,,224,4e8,70", "line 2, width: '' is not a number"),
        (HEADER + "1,1,224,4e8,nan", "line 2, top1: nan is not a percentage above 0 and below 100"),
        (HEADER + "1,1,224,4e8,100", "line 2, top1: 100.0 is not a percentage"),
        (HEADER + "1,1,224,inf,70", "line 2, macs: inf is not a count"),
        (HEADER + "0,1,224,4e8,70", "line 2, depth: 0.0 is not a factor above 0, at most 64"),
        (HEADER + "1,1,9000,4e8,70", "line 2, resolution: 9000.0 is not a side of 1 to 8192 pixels"),
        (HEADER + "1,1,224,4e8,70\n\n1,1,224,5e8,71", "line 4, macs: 5e\\+08 differs from 4e\\+08 in line 2"),
        (HEADER + "1,1,224,4e8,70\n" * 201, "201 rows; at most 200"),
        (HEADER + " " * 100_001, "more than 100,000 characters"),
        (HEADER + '1,1,224,4e8,"70', "not a CSV table: unexpected end of data"),
    ],
)
def test_a_wrong_file_gets_one_clear_line(text: str, problem: str) -> None:
    with pytest.raises(FieldError, match=problem) as caught:
        read_points(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="0123456789,.\n\r\"'eE+-_ \x00depthwidtop1µ", max_size=80), st.sampled_from(["", HEADER]))
def test_any_text_is_points_or_one_line(text: str, start: str) -> None:
    said = "points"
    try:
        assert read_points(start + text)
    except FieldError as error:
        said = str(error)
    assert said.isprintable(), said


def test_shares_are_not_taken_for_percentages() -> None:
    rows = "depth,width,resolution,macs,top1\n1,1,224,385814752,0.749\n1,1,240,442000000,0.76\n"
    with pytest.raises(FieldError, match=r"top1: 0.76 at most; accuracies are percentages, so write 76 for that share"):
        read_points(rows)
