"""The accuracy law's published points are as printed, and the law predicts them as well as it promises."""

import csv
import subprocess
import sys
from dataclasses import replace
from importlib import resources

import pytest
from benchmarks.accuracy import GRIDS, MOST_B, MOST_MAE, by_form, by_law, dearest, left_out, mae, prior, usual
from benchmarks.forms import FORMS

from compoundnet import MEMBERS, Network, Rounding, Scaling, accuracy_law, cost, named, scale
from compoundnet.accuracy import factors, published
from compoundnet.accuracy.fitting import VAGUE
from compoundnet.accuracy.pooling import BASES, others

from .accuracies import asked

BASE_OF = {
    "efficientnet": "efficientnet_b0",
    "efficientnet_100_epochs": "efficientnet_b0",
    "efficientnet_edgetpu": "efficientnet_edgetpu_s",
    "efficientnet_lite": "efficientnet_lite0",
    "mobilenet_v1": "mobilenet_v1",
    "mobilenet_v2": "mobilenet_v2",
    "resnet": "resnet50",
}


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
