"""The certificate: a true solution is proved from its file, and a wrong one is refuted."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compoundnet import Device, Network, Rounding, Scaling, named
from compoundnet.budget import Budget
from compoundnet.rules import RULES, Rule, rule
from compoundnet.schema import FieldError
from compoundnet.solving import Ranges, Solution, Surface, along, solve, surface, verify
from compoundnet.solving.certificate import to_dict
from compoundnet.solving.reading import unlike

from .budgets import SMALL
from .changed import changed


def test_what_differs_is_shown_where_it_differs() -> None:
    long = "x" * 100
    [found] = unlike("runners_up[0].name", long + "abc", long + "abd")
    assert found.endswith("the file says ...xxxxxxxxxxxxxxxxxxabc', enumeration finds ...xxxxxxxxxxxxxxxxxxabd'")
    assert list(unlike("a", [1, 2], [1])) == ["a: the file says there are 2, enumeration finds 1"]


@pytest.fixture(scope="module")
def solution() -> Solution:
    return solve(named("mobilenet_v2"), Budget(macs=60_000_000), RULES["efficientnet"], SMALL)


def written(solution: Solution) -> dict[str, Any]:
    return json.loads(json.dumps(to_dict(solution)))


def test_a_true_solution_is_proved(solution: Solution) -> None:
    found = verify(written(solution))
    assert found.holds
    assert found.checked > 500
    assert (found.enumerated, found.admissible) == (solution.enumerated, solution.admissible)


def _second(data: dict[str, Any]) -> None:
    data.update(data["runners_up"][0])


def _cheaper(data: dict[str, Any]) -> None:
    data["cost"]["macs"] -= 1


def _budget(data: dict[str, Any]) -> None:
    data["budget"]["macs"] += 1_000_000


def _fewer(data: dict[str, Any]) -> None:
    data["enumerated"] -= 1


def _network(data: dict[str, Any]) -> None:
    data["network"]["stages"][1]["layers"] += 1


def _ranges(data: dict[str, Any]) -> None:
    data["certificate"]["ranges"]["sides"] = [64, 96]


def _runner_up(data: dict[str, Any]) -> None:
    data["runners_up"].pop()


def _active(data: dict[str, Any]) -> None:
    data["active_limits"] = ["params"]


def _rounding(data: dict[str, Any]) -> None:
    data["rounding"]["keep"] = 0.8


def _base(data: dict[str, Any]) -> None:
    data["certificate"]["base"]["classes"] = 999


def _more(data: dict[str, Any]) -> None:
    data["top1"] = 99.0


CHANGES = [_second, _cheaper, _budget, _fewer, _network, _ranges, _runner_up, _active, _rounding, _base, _more]


@pytest.mark.parametrize("change", CHANGES)
def test_a_wrong_solution_is_refuted(change: Callable[[dict[str, Any]], None], solution: Solution) -> None:
    data = written(solution)
    change(data)
    found = verify(data)
    assert not found.holds
    assert "the file says" in found.problem or "no solution has it" in found.problem


def test_the_last_digits_of_logarithms_may_differ_between_machines(solution: Solution) -> None:
    data = written(solution)
    data["score"] = math.nextafter(data["score"], 0)
    assert verify(data).holds
    data["score"] *= 1.0001
    assert not verify(data).holds


def test_a_rule_with_many_digits_can_be_proved_and_an_own_one_is_a_function() -> None:
    budget = Budget(macs=60_000_000)
    found = solve(named("mobilenet_v2"), budget, rule("fast:0.12345678901"), SMALL)
    assert verify(written(found)).holds

    def depth(space: Surface, used: np.ndarray) -> np.ndarray:
        return used

    own = Rule(name="efficientnet", scaling=Scaling(1.3, 1.1, 1.15))
    for objective in (depth, own, Rule(name="mine", scaling=Scaling(2.0)), along(RULES["depth"], 0.9)):
        found = solve(named("mobilenet_v2"), budget, objective, SMALL)
        with pytest.raises(FieldError, match=r"objective: 'function:.*' cannot be written, nor proved; ") as caught:
            to_dict(found)
        assert "\n" not in str(caught.value)


def test_a_solution_from_a_surface_has_the_surfaces_ranges_and_can_be_proved() -> None:
    net, budget = named("mobilenet_v2"), Budget(macs=60_000_000)
    space = surface(net, SMALL)
    found = solve(net, budget, "rule:dWr", space=space)
    assert found.ranges == space.ranges == SMALL
    assert found == solve(net, budget, "rule:dWr", SMALL)
    assert verify(written(found)).holds


def test_a_surface_that_leaves_widths_out_is_found(solution: Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    from compoundnet.solving import ranges

    whole = ranges.width_breaks

    def some(network: Network, rounding: Rounding, low: float, high: float) -> set[float]:
        return set(sorted(whole(network, rounding, low, high))[::4])

    monkeypatch.setattr(ranges, "width_breaks", some)
    space = surface(solution.base, SMALL)
    found = verify(written(solve(solution.base, solution.budget, RULES["efficientnet"], SMALL, space=space)))
    assert "gives a network that was not enumerated" in found.problem


def test_a_surface_that_counts_wrong_is_found_by_the_scalar_cost(
    solution: Solution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second path: were enumeration itself wrong, ``cost`` on the real network would say so."""
    from compoundnet.solving import certificate

    def wrong(network: Network, ranges: Ranges, rounding: Rounding, device: Device | None = None) -> Surface:
        space = surface(network, ranges, rounding, device)
        return replace(space, costs=space.costs | {"macs": space.costs["macs"] - 1})

    monkeypatch.setattr(certificate, "surface", wrong)
    space = wrong(solution.base, SMALL, Rounding())
    data = written(solve(solution.base, solution.budget, RULES["efficientnet"], SMALL, space=space))
    found = verify(data)
    assert not found.holds
    assert "cost() counts otherwise at" in found.problem


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("version",), 2, "version: 2 is not supported"),
        (("version",), True, "version: True is not supported; this compoundnet reads 1"),
        (("version",), "9" * 10_000, r"version: '9{30,60}\.\.\. is not supported"),
        (("certificate",), None, "certificate: missing"),
        (("certificate", "base"), {}, "certificate.base.version"),
        (("certificate", "objective"), "function:most", "certificate.objective: 'function:most' is a function"),
        (("certificate", "objective"), "foo", "unknown objective 'foo'; known: accuracy, and rule:NAME such as"),
        (("certificate", "objective"), None, "certificate.objective: missing; a solution carries it"),
        (("certificate", "base"), None, "certificate.base: missing; a solution carries it"),
        (("certificate", "ranges"), None, "certificate.ranges: missing; a solution carries it"),
        (("rounding",), None, "rounding: missing; a solution carries it"),
        (("budget",), None, "budget: missing; a solution carries it"),
        (("version",), None, "version: missing; this compoundnet reads 1"),
        (("budget",), {"macs": 1, "dtype": None}, "budget.dtype: expected a text, got null"),
        (("certificate", "objective"), "rule:none", "certificate.objective: unknown rule 'none'"),
        (("certificate", "ranges"), {"sides": "all"}, "certificate.ranges.sides"),
        (("budget",), {"macs": "many"}, "budget.macs"),
    ],
)
def test_what_is_no_solution_is_one_line(
    path: tuple[str, ...], value: object, problem: str, solution: Solution
) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        verify(changed(written(solution), path, value))
    assert "\n" not in str(caught.value)
