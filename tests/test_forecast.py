"""Predicted accuracy as an objective: the best by brute force, its ties, and a certificate that can be refuted."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from compoundnet import MEMBERS, RULES, Budget, Cost, Point, Ranges, Scaling, accuracy_law, cost, named, scale, solve
from compoundnet.accuracy import factors
from compoundnet.schema import FieldError
from compoundnet.solving import Forecast, Solution, surface, verify
from compoundnet.solving.certificate import to_dict
from compoundnet.solving.whose_law import BASES
from tests.commands import Run, answer, run

__all__ = ["run"]  # a fixture

SMALL = Ranges(depth=(0.5, 1.5), width=(0.6, 1.2), sides=(128, 160, 192, 224))
GIVEN = ("--depth", "0.5:1.5", "--width", "0.6:1.2", "--sides", "128:224:32")
FAMILIES = [("efficientnet_b0", "efficientnet"), ("mobilenet_v2", "mobilenet_v2"), ("mobilenet_v1", "mobilenet_v1")]
OWN = (
    Point(depth=1, width=1, resolution=224, macs=300_774_272, top1=68.0),
    Point(depth=1, width=0.75, resolution=160, macs=107_000_000, top1=60.0),
)


def forecast(name: str, group: str, own: tuple[Point, ...] = ()) -> Forecast:
    return Forecast(accuracy_law(group, own), MEMBERS[name].base)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "group"), FAMILIES)
def test_the_best_by_accuracy_is_the_best_of_all_one_by_one(name: str, group: str) -> None:
    member, by = MEMBERS[name], forecast(name, group)
    space = surface(member.base, SMALL, member.rounding)
    every: list[tuple[Cost, tuple[bool, float]]] = []
    for index in product(*map(range, space.shape)):
        network = scale(member.base, space.scaling(index), member.rounding)
        counted = cost(network)
        foreseen = by.law.predict(*factors(network, member.base), counted.macs)
        every.append((counted, (not foreseen.outside, float(foreseen.mean))))
    for share in (0.3, 0.6, 0.9, 1.2):
        budget = Budget(macs=int(share * cost(member.base).macs))
        found = solve(member.base, budget, by, SMALL, member.rounding)
        admitted = [rank for counted, rank in every if budget.admits(counted)]
        assert found.admissible == len(admitted)
        assert found.best.score == pytest.approx(max(admitted)[1], abs=1e-6)
        assert found.predicted is not None
        assert found.predicted == by.one(found.best.network, found.best.cost)
        assert found.predicted.low < found.predicted.mean < found.predicted.high


def test_a_larger_budget_is_never_predicted_less_accurate() -> None:
    by, b0 = forecast("efficientnet_b0", "efficientnet"), named("efficientnet_b0")
    space = surface(b0, SMALL)
    scores = [
        solve(b0, Budget(macs=millions * 10**6), by, SMALL, space=space).best.score for millions in range(80, 500, 60)
    ]
    assert scores == sorted(scores)


def test_the_best_network_is_one_of_its_ties_and_all_of_them_overlap() -> None:
    found = solve(named("mobilenet_v2"), Budget(macs=200_000_000), forecast("mobilenet_v2", "mobilenet_v2"), SMALL)
    assert found.ties is not None
    assert 1 <= found.ties.as_good <= found.ties.overlapping <= found.admissible


def test_networks_outside_the_data_come_last_unless_all_are() -> None:
    b0, by = named("efficientnet_b0"), forecast("efficientnet_b0", "efficientnet")
    wide = Ranges(depth=(0.3, 4.0), width=(0.25, 2.5), sides=(96, 160, 224, 400))
    inside = solve(b0, Budget(macs=300_000_000), by, wide)
    assert inside.predicted is not None
    assert not inside.predicted.outside
    pooled = solve(b0, Budget(macs=300_000_000), Forecast(accuracy_law(""), b0), wide)
    assert pooled.predicted is not None
    assert pooled.predicted.outside


def test_a_rule_may_be_followed_and_its_accuracy_foreseen() -> None:
    by = forecast("mobilenet_v2", "mobilenet_v2")
    found = solve(named("mobilenet_v2"), Budget(macs=200_000_000), RULES["dWr"], SMALL, forecast=by)
    assert found.predicted == by.one(found.best.network, found.best.cost)
    assert found.ties is None
    assert verify(written(found)).holds


@pytest.mark.parametrize("objective", [None, "accuracy"])
def test_a_forecast_is_the_accuracy_that_is_the_objective(objective: str | None) -> None:
    net, budget, own = named("mobilenet_v2"), Budget(macs=200_000_000), forecast("mobilenet_v2", "mobilenet_v2", OWN)
    found = solve(net, budget, objective, SMALL, forecast=own)
    assert found.forecast == own
    assert found == solve(net, budget, own, SMALL) == solve(net, budget, own, SMALL, forecast=own)
    assert found.predicted != solve(net, budget, objective, SMALL).predicted


def test_many_networks_are_predicted_in_parts_that_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    by, budget = forecast("mobilenet_v2", "mobilenet_v2"), Budget(macs=200_000_000)
    whole = solve(named("mobilenet_v2"), budget, by, SMALL)
    monkeypatch.setattr(sys.modules["compoundnet.solving.forecast"], "_PART", 1000)
    reports = list[tuple[int, int]]()
    parts = solve(named("mobilenet_v2"), budget, by, SMALL, on_done=lambda done, total: reports.append((done, total)))
    assert (parts.best.index, parts.ties) == (whole.best.index, whole.ties)
    total = whole.admissible
    assert reports == [*((done, total) for done in range(1000, total, 1000)), (total, total)]


def test_two_forecasts_are_refused() -> None:
    one, other = (forecast("mobilenet_v2", "mobilenet_v2", own) for own in ((), OWN))
    with pytest.raises(FieldError, match="forecast: another one than the objective, which is a forecast itself"):
        solve(named("mobilenet_v2"), Budget(macs=200_000_000), one, SMALL, forecast=other)
    with pytest.raises(FieldError, match=r"forecast: .* is not a Forecast"):
        solve(named("mobilenet_v2"), Budget(macs=200_000_000), None, SMALL, forecast=one.law)  # pyrefly: ignore


# The certificate


def written(solution: Solution) -> dict[str, Any]:
    return json.loads(json.dumps(to_dict(solution)))


@pytest.fixture(scope="module")
def solution() -> Solution:
    return solve(named("mobilenet_v2"), Budget(macs=200_000_000), forecast("mobilenet_v2", "mobilenet_v2", OWN), SMALL)


def test_a_solution_by_accuracy_with_own_points_is_proved(solution: Solution) -> None:
    found = verify(written(solution))
    assert found.holds, found.problem
    assert found.checked > 500


def _prediction(data: dict[str, Any]) -> None:
    data["predicted_top1"]["mean"] += 0.01


def _ties(data: dict[str, Any]) -> None:
    data["ties"]["as_good"] += 1


def _point(data: dict[str, Any]) -> None:
    data["certificate"]["law"]["own"][0][4] += 1.0


def _no_point(data: dict[str, Any]) -> None:
    data["certificate"]["law"]["own"].pop()


def _group(data: dict[str, Any]) -> None:
    data["certificate"]["law"]["group"] = "mnasnet"


def _base(data: dict[str, Any]) -> None:
    data["certificate"]["law"]["base"]["stages"][3]["layers"] += 1


def _objective(data: dict[str, Any]) -> None:
    data["certificate"]["objective"] = "rule:efficientnet"


def _second(data: dict[str, Any]) -> None:
    data.update(data["runners_up"][0])


@pytest.mark.parametrize("change", [_prediction, _ties, _point, _no_point, _group, _base, _objective, _second])
def test_a_changed_solution_by_accuracy_is_refuted(
    change: Callable[[dict[str, Any]], None], solution: Solution
) -> None:
    data = written(solution)
    change(data)
    assert not verify(data).holds


@pytest.mark.slow
def test_a_law_relative_to_a_network_of_ones_choice_is_refuted_though_every_number_follows() -> None:
    """A base of fewer blocks makes all networks deeper, and so more accurate: the file is true to itself."""
    base, law = named("mobilenet_v2"), accuracy_law("mobilenet_v2")
    shallow = replace(base, stages=tuple(replace(stage, layers=1) for stage in base.stages))
    found = solve(base, Budget(macs=200_000_000), Forecast(law, shallow), SMALL)
    problem = verify(written(found)).problem
    assert problem.startswith("certificate.law.base: neither certificate.base nor what the factors of group mobilenet_")
    # What was scaled, and the base of the group, are two that may differ.
    wide = scale(base, Scaling(1, 1.4, 1))
    for by in (Forecast(law, wide), Forecast(law, base)):
        assert verify(written(solve(wide, Budget(macs=200_000_000), by, SMALL))).holds


def test_the_bases_that_a_proof_knows_are_those_of_the_groups() -> None:
    for group, name in BASES.items():
        assert Forecast(accuracy_law(group), named(name)).unfounded(named("tiny")) == ""
        other = replace(named(name), classes=10)
        assert "certificate.law.base" in Forecast(accuracy_law(group), other).unfounded(named("tiny"))
    assert "the pooled law" in Forecast(accuracy_law(), named("resnet18")).unfounded(named("tiny"))


@pytest.mark.parametrize(
    ("law", "problem"),
    [
        (None, "certificate.law: missing; the accuracy that is the objective is its"),
        ([], r"certificate.law: expected an object, got \[\]"),
        ({"base": {}}, "certificate.law.base.version"),
    ],
)
def test_a_law_that_is_none_is_one_line(law: object, problem: str, solution: Solution) -> None:
    data = written(solution)
    data["certificate"]["law"] = law
    with pytest.raises(FieldError, match=problem):
        verify(data)


# On the command line


def test_solve_predicts_by_default_and_says_so(run: Run) -> None:
    data = answer(run, "solve", "mobilenet_v2", "--max-macs", "200M", *GIVEN)
    assert data["certificate"]["objective"] == "accuracy"
    assert set(data["predicted_top1"]) == {"mean", "low", "high", "outside"}
    assert set(data["ties"]) == {"overlapping", "as_good"}
    code, text, err = run("solve", "mobilenet_v2", "--max-macs", "200M", *GIVEN)
    assert (code, err) == (0, "")
    assert f"Predicted top-1: {data['predicted_top1']['mean']:.2f} %, 90 % interval" in text
    assert "(law: mobilenet_v2)." in text
    assert f"{data['ties']['as_good']:,} may be as good" in text


def test_a_network_of_no_published_family_is_told_to_trust_little(run: Run) -> None:
    code, text, _ = run("solve", "resnet18", "--max-macs", "800M", *GIVEN)
    assert code == 0
    assert "law: pooled over all families, as none was published for this network" in text
    assert "outside the data of the law, so trust it little" in text


def test_own_points_move_the_prediction(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows = [f"{p.depth},{p.width},{p.resolution},{p.macs},{p.top1}" for p in OWN]
    path.write_text("depth,width,resolution,macs,top1\n" + "\n".join(rows) + "\n")
    given = ("--max-macs", "200M", *GIVEN)
    before = answer(run, "solve", "mobilenet_v2", *given)["predicted_top1"]["mean"]
    after = answer(run, "solve", "mobilenet_v2", *given, "--points", path)["predicted_top1"]["mean"]
    assert after < before - 2
    assert "with 2 own points" in run("solve", "mobilenet_v2", *given, "--points", path)[1]
    path.write_text("depth,width\n1,1\n")
    code, out, err = run("solve", "mobilenet_v2", *given, "--points", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"compoundnet: error: {path}: ")


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ("--objective accuracy --per-stage", "--objective: accuracy judges whole networks"),
        ("--points /no/such.csv", "/no/such.csv: No such file or directory"),
        ("--max-latency 3ms", "--max-latency and --device go together"),
    ],
)
def test_what_cannot_go_together_is_one_line(run: Run, argv: str, problem: str) -> None:
    code, out, err = run("solve", "tiny", "--max-macs", "1G", *argv.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"compoundnet: error: {problem}")


def test_bytes_stand_beside_the_cost_where_they_were_limited(run: Run) -> None:
    given = ("--max-memory", "20MB", "--max-file-size", "12MB", *GIVEN)
    found = answer(run, "solve", "mobilenet_v2", *given)
    network = scale(named("mobilenet_v2"), Scaling(**found["scaling"]), MEMBERS["mobilenet_v2"].rounding)
    needs = Budget(memory=20_000_000, file_size=12_000_000).needs(cost(network))
    assert found["cost"]["memory_bytes"] == needs["memory"]
    assert found["cost"]["file_size_bytes"] == needs["file_size"]
