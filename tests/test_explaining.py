"""explain: which powers of the rule a network took, and what the rule itself gives."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import MEMBERS, RULES, Budget, Network, Scaling, cost, largest_phi, member, named, scale
from compoundnet.schema import FieldError
from compoundnet.solving.explaining import Explanation, difference, explain
from tests.commands import Run, answer, run

__all__ = ["run"]  # a fixture

# Own arithmetic over the released table: phi from depth, width and resolution.
IMPLIED = {
    "efficientnet_b1": (0.52, 0.00, 0.49),
    "efficientnet_b2": (1.00, 1.00, 1.07),
    "efficientnet_b3": (1.85, 1.91, 2.09),
    "efficientnet_b4": (3.22, 3.53, 3.78),
    "efficientnet_b5": (4.32, 4.93, 5.09),
    "efficientnet_b6": (5.24, 6.17, 6.14),
    "efficientnet_b7": (6.21, 7.27, 7.05),
}
# The paper's FLOPS over B0's 0.39 billion, as powers of two.
DOUBLINGS = {"b1": 0.84, "b2": 1.36, "b3": 2.21, "b4": 3.43, "b5": 4.67, "b6": 5.61, "b7": 6.57}


@cache
def released(name: str, **given: Any) -> Explanation:
    found = member(name)
    return explain(found.network, found.base, rounding=found.rounding, scaling=found.scaling, **given)


def phis(found: Explanation) -> list[float | None]:
    return [axis.phi for axis in found.moved]


@pytest.mark.parametrize("name", IMPLIED)
def test_the_released_table_takes_the_known_powers(name: str) -> None:
    assert tuple(round(phi or 0.0, 2) for phi in phis(released(name))) == IMPLIED[name]


@pytest.mark.parametrize("name", DOUBLINGS)
def test_doublings_are_those_of_the_papers_flops_but_for_its_rounding(name: str) -> None:
    assert released(f"efficientnet_{name}").doublings == pytest.approx(DOUBLINGS[name], abs=0.1)


@pytest.mark.parametrize(("phi", "ratio"), [(1, 2.57), (2, 4.69), (-1, 0.78), (-2, 0.46)])
def test_the_rules_own_networks_cost_the_known_multiples_of_b0(phi: int, ratio: float) -> None:
    b0 = named("efficientnet_b0")
    assert round(released("efficientnet_b0", phi=phi).near.cost.macs / cost(b0).macs, 2) == ratio


def test_no_released_network_but_the_base_is_a_power_of_the_rule() -> None:
    assert released("efficientnet_b0").power == 0
    assert [released(name).power for name in IMPLIED] == [None] * len(IMPLIED)


@pytest.mark.parametrize("name", ["efficientnet_b1"])
def test_what_the_rule_reaches_with_the_same_multiply_adds_is_the_largest_phi(name: str) -> None:
    found, origin = released(name), member(name)
    budget = Budget(macs=found.cost.macs)
    assert found.equal is not None
    reached = largest_phi(origin.base, RULES["efficientnet"], budget, origin.rounding)
    assert found.equal.network == reached.network


@settings(deadline=None, max_examples=25)
@given(
    name=st.sampled_from(["efficientnet_b0", "efficientnet_lite0", "mobilenet_v2", "resnet50"]),
    rule=st.sampled_from(["efficientnet", "dwr", "width"]),
    phi=st.integers(-2, 3),
)
def test_what_a_rule_gave_is_recognised(name: str, rule: str, phi: int) -> None:
    origin = member(name)
    network = scale(origin.base, RULES[rule] ** phi, origin.rounding)
    found = explain(network, origin.base, RULES[rule], origin.rounding, phi=float(phi))
    assert found.power == phi
    assert found.near.network == network
    assert all(axis.uniform for axis in found.moved)
    factors = Scaling(**{axis.axis: axis.factor for axis in found.moved})
    assert scale(origin.base, factors, origin.rounding) == network


def test_factors_are_found_from_layers_and_channels() -> None:
    origin = member("mobilenet_v2")
    network = scale(origin.base, Scaling(width=1.4), origin.rounding)
    found = explain(network, origin.base, rounding=origin.rounding)
    assert [axis.factor for axis in found.moved] == [1.0, 1.4, 1.0]
    assert found.moved[1].phi == pytest.approx(3.53, abs=0.005)


def test_depth_that_differs_by_stage_is_said_to() -> None:
    depth, width, resolution = explain(named("resnet101"), named("resnet50")).moved
    assert (depth.uniform, depth.factor) == (False, 33 / 16)
    assert (width.uniform, width.factor, resolution.factor) == (True, 1.0, 1.0)


def test_an_axis_that_the_rule_leaves_alone_has_no_power() -> None:
    assert phis(released("efficientnet_b2", rule=RULES["width"]))[::2] == [None, None]


@pytest.mark.parametrize(
    ("name", "base", "problem"),
    [
        ("resnet50", "efficientnet_b0", "stem.kernel: 7, but the base has 3; no scaling changes that"),
        ("efficientnet_lite0", "efficientnet_b0", r"stages\[0\].operator.se: 0.0, but the base has 0.25"),
        ("efficientnet_edgetpu_s", "efficientnet_b0", "number of stages: 6, but the base has 7"),
        ("resnet50", "resnet34", r"stages\[0\].operator"),
    ],
)
def test_networks_that_are_no_scaling_are_refused_with_what_differs(name: str, base: str, problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        explain(named(name), named(base))


@pytest.mark.some(5)
@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_can_be_explained(name: str) -> None:
    found = released(name)
    origin = member(name)
    assert [axis.factor for axis in found.moved] == [
        origin.scaling.depth,
        origin.scaling.width,
        origin.scaling.resolution,
    ]
    assert found.ratio == cost(origin.network).macs / cost(origin.base).macs


# The command


@pytest.mark.some(5)
@pytest.mark.parametrize("name", MEMBERS)
def test_every_preset_is_set_beside_the_first_of_its_family(run: Run, name: str) -> None:
    first = next(base for base in MEMBERS if difference(named(name), named(base)) is None)
    bases = {"efficientnet_b0", "efficientnet_lite0", "efficientnet_edgetpu_s", "mobilenet_v1", "mobilenet_v2"}
    assert first in bases | {"resnet18", "resnet50"}
    assert answer(run, "explain", name)["base"] == first


def test_resnet152_is_resnet50_deepened_unevenly(run: Run) -> None:
    data = answer(run, "explain", "resnet152")
    assert (data["base"], data["axes"]["depth"]["factor"], data["axes"]["depth"]["uniform"]) == (
        "resnet50",
        3.125,
        False,
    )


def test_the_table_sets_the_network_beside_the_rules_own(run: Run) -> None:
    code, out, err = run("explain", "efficientnet_b4")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()[3:7]] == [
        ["depth", "1.8", "3.22"],
        ["width", "1.4", "3.53"],
        ["resolution", "1.696", "3.78"],
        ["multiply-adds", "11.39", "3.73"],
    ]
    at_4 = scale(named("efficientnet_b0"), RULES["efficientnet"] ** 4)
    [row] = [line for line in out.splitlines() if line.startswith("Multiply-adds")]
    assert row.split()[1:3] == [f"{cost(named('efficientnet_b4')).macs:,}", f"{cost(at_4).macs:,}"]
    [row] = [line for line in out.splitlines() if line.startswith("stage 7")]
    assert row.split()[-6:] == ["1", "2", "3", "320", "448", "472"]


def test_the_sentences_are_made_from_the_numbers(run: Run) -> None:
    data = answer(run, "explain", "efficientnet_b4")
    said = " ".join(data["sentences"])
    for words in ("depth is that of phi 3.22", "392 pixels", "39 blocks", "33.2 blocks become 39", "the 380 of"):
        assert words in said
    assert data["near"]["network"]["resolution"] == 392
    other = " ".join(answer(run, "explain", "efficientnet_lite4")["sentences"])
    assert "the 300 of efficientnet_lite4 were set apart" in other


def test_the_json_says_all_that_the_tables_say(run: Run) -> None:
    data = answer(run, "explain", "efficientnet_b7", "--phi", "7")
    assert [round(data["axes"][axis]["phi"], 2) for axis in ("depth", "width", "resolution")] == [6.21, 7.27, 7.05]
    near = Network.from_dict(data["near"]["network"])
    assert near == scale(named("efficientnet_b0"), Scaling(**data["near"]["scaling"]))
    assert data["near"]["cost"] == cost(near).to_dict()
    assert data["equal"]["cost"]["macs"] <= data["cost"]["macs"] == cost(named("efficientnet_b7")).macs
    assert [part["layers"]["rule"] for part in data["stages"][1:-1]] == [stage.layers for stage in near.stages]


def test_a_file_is_explained_by_the_base_it_is_given(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    assert run("scale", "efficientnet_lite0", "--phi", "2", "--out", path)[0] == 0
    data = answer(run, "explain", path, "--base", "efficientnet_lite0")
    assert data["power"] == 2
    assert data["sentences"][0].endswith("is exactly what rule efficientnet gives at phi 2.")
    path.write_text(json.dumps(named("efficientnet_b0").to_dict()))
    assert answer(run, "explain", path, "--base", "efficientnet_b0")["power"] == 0


def test_a_file_of_solve_is_explained_by_the_base_it_was_scaled_from(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    given = ("--max-macs", "450M", "--depth", "1:1.5", "--width", "1", "--sides", "224:260:4")
    solved = answer(run, "solve", "efficientnet_lite0", *given, "--out", path)
    data = answer(run, "explain", path)
    assert data["base"] == "efficientnet_lite0"
    assert data["axes"]["width"]["factor"] == 1
    assert data["axes"]["resolution"]["factor"] == solved["scaling"]["resolution"]
    # The rule's own network is rounded as the file says: Lite keeps its head.
    assert data["stages"][-1]["channels"] == {"base": 1280, "network": 1280, "rule": 1280}
    assert answer(run, "explain", path, "--base", "efficientnet_lite0")["axes"] == data["axes"]
    solved["certificate"]["base"] = {}
    path.write_text(json.dumps(solved))
    code, _, err = run("explain", path)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"compoundnet: error: {path}: certificate.base.version: ")


def test_like_says_how_the_rule_rounds(run: Run) -> None:
    plain = answer(run, "explain", "efficientnet_lite0", "--base", "efficientnet_lite0", "--phi", "1")
    other = answer(run, "explain", "efficientnet_lite0", "--like", "efficientnet_b0", "--phi", "1")
    assert plain["stages"][0]["channels"]["rule"] == 32
    assert other["stages"][-1]["channels"]["rule"] > plain["stages"][-1]["channels"]["rule"] == 1280


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ("efficientnet_b0 --base resnet50", "efficientnet_b0 against resnet50: stem.kernel: 3, but the base has 7"),
        ("efficientnet_b4 --rule nope", "unknown rule 'nope'"),
        ("efficientnet_b4 --phi nan", "--phi: expected a number, got 'nan'"),
        ("efficientnet_b4 --phi 99", "--phi: 99 gives no network (stages: "),
        ("efficientnet_b4 --like nothing", "unknown network 'nothing'"),
        ("efficientnet_b4 --base nothing", "unknown network 'nothing'"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(run: Run, argv: str, problem: str) -> None:
    code, out, err = run("explain", *argv.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"compoundnet: error: {problem}")
    assert err.count("\n") == 1


def test_a_file_without_its_base_is_asked_for_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(named("tiny").to_dict()))
    code, _, err = run("explain", path)
    assert (code, err.count("\n")) == (2, 1)
    assert "the file does not say what it was scaled from; give --base" in err
