"""Per-stage scaling: a true solution is proved from its file, and an untrue one is refuted."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from compoundnet import Elastic, Nearest, accuracy_law, cost, devices, latency, named, solve_stages, stage_choices
from compoundnet.budget import Budget
from compoundnet.devices.device import Sample
from compoundnet.schema import FieldError
from compoundnet.solving import Forecast, verify
from compoundnet.solving.stages import StageSolution

from .changed import changed
from .drawn_stages import Objective, float_of_layers, measured
from .stage_solutions import other, small, written


def test_a_solution_by_latency_is_proved_under_its_device_and_refuted_under_any_other() -> None:
    base = named("tiny")
    device = measured(np.random.default_rng(0), base)
    samples = (Sample(base, (1.0,)),)
    chosen = stage_choices(base, width=(0.75, 1.25), depth=(1.0, 2.0), sides=(64, 96))
    limit = 1.2 * latency(replace(base, resolution=64), device)
    budget = Budget(latency_ms=limit, params=450_000)
    forecast = Forecast(accuracy_law("efficientnet"), named("efficientnet_b0"))
    law = Elastic(depth=0.3, width=0.4, resolution=0.5)
    found = solve_stages(base, budget, law, chosen, device=replace(device, samples=samples), forecast=forecast)
    data = written(found)
    assert data["certificate"]["device"] == json.loads(json.dumps(devices.to_dict(device)))
    assert data["cost"]["latency_ms"] == latency(found.network, device) <= limit
    assert data["predicted_top1"]["outside"] is True
    proof = verify(data)
    assert proof.holds, proof.problem
    faster = devices.to_dict(replace(device, overhead_ms=device.overhead_ms / 2))
    untrue: list[tuple[tuple[str, ...], object]] = [
        (("cost", "latency_ms"), data["cost"]["latency_ms"] * 0.999),
        (("certificate", "device"), faster),
        (("predicted_top1", "mean"), 99.0),
        (("certificate", "law", "base"), base.to_dict() | {"classes": 7}),
    ]
    assert not any(verify(changed(data, path, value)).holds for path, value in untrue)
    dearer = written(found)
    other(dearer, replace(found.network, resolution=64 if found.network.resolution == 96 else 96), device)
    assert not verify(dearer).holds
    del data["certificate"]["device"]
    with pytest.raises(FieldError, match="a limit on latency needs a device"):
        verify(data)


@pytest.fixture(scope="module")
def solution() -> StageSolution:
    return small(Elastic(depth=0.3, width=0.4, resolution=0.5))


def lawful(index: int, width: int, layers: int) -> float:
    return math.sqrt(layers) + width / 100


@pytest.mark.parametrize(
    "objective",
    [
        Elastic(depth=0.3, width=0.4, resolution=0.5, shares="equal"),
        Nearest(rule="fast:0.25", phi=1.5),
        lawful,
        float_of_layers,
    ],
)
def test_a_true_solution_is_proved_whatever_its_objective(objective: Objective) -> None:
    found = small(objective)
    proof = verify(written(found))
    assert proof.problem == ""
    assert proof.checked > 250
    assert (proof.enumerated, proof.admissible) == (found.enumerated, None)


def test_networks_that_are_truly_worse_are_refuted_one_by_one(solution: StageSolution) -> None:
    """Each fits the budget and is told without a false number: only that none is better is not so."""
    data, chosen, best = written(solution), solution.choices, solution.network
    claims = []
    for i, stage in enumerate(best.stages):
        for width, layers in product(chosen.widths[i], chosen.repeats[i]):
            stages = list(best.stages)
            stages[i] = replace(stage, channels=width, layers=layers)
            claims.append(replace(best, stages=tuple(stages)))
    claims += [replace(best, resolution=side) for side in chosen.sides]
    worse = [each for each in claims if each != best and solution.budget.admits(cost(each))]
    assert len(worse) > 8
    for network in worse[::2]:
        other(data, network)
        found = verify(data)
        assert not found.holds
        assert (
            "network: a better one is within the budget (score" in found.problem or "a random one is" in found.problem
        )
    other(data, best)
    assert verify(data).holds


def test_equal_score_with_more_multiply_adds_is_refuted() -> None:
    found = small(float_of_layers)
    data, chosen, best = written(found), found.choices, found.network
    dearer = [
        replace(best, stages=tuple(replace(s, channels=w) if i == k else s for k, s in enumerate(best.stages)))
        for i, widths in enumerate(chosen.widths)
        for w in widths
        if w // 4 == best.stages[i].channels // 4 and w > best.stages[i].channels
    ] + [replace(best, resolution=side) for side in chosen.sides if side > best.resolution]
    dearer = [each for each in dearer if found.budget.admits(cost(each))]
    assert dearer
    other(data, dearer[0])
    assert "network: a better one is within the budget" in verify(data).problem


def _cost(data: dict[str, Any]) -> None:
    data["cost"]["macs"] -= 1


def _score(data: dict[str, Any]) -> None:
    data["score"] += 2**-20


def _budget(data: dict[str, Any]) -> None:
    data["budget"]["macs"] *= 2


def _tighter(data: dict[str, Any]) -> None:
    data["budget"]["macs"] = data["cost"]["macs"] - 1


def _enumerated(data: dict[str, Any]) -> None:
    data["enumerated"] += 1


def _layers(data: dict[str, Any]) -> None:
    data["network"]["stages"][1]["layers"] += 1


def _kernel(data: dict[str, Any]) -> None:
    data["network"]["stages"][1]["operator"]["kernel"] += 2


def _narrower(data: dict[str, Any]) -> None:
    data["certificate"]["choices"]["sides"].pop(0)
    data["certificate"]["gains"]["sides"].pop(0)
    data["certificate"]["prices"].pop(0)


def _gains(data: dict[str, Any]) -> None:
    rows = data["certificate"]["gains"]["stages"][0]
    rows[0] = [gain + 0.5 for gain in rows[0]]


def _objective(data: dict[str, Any]) -> None:
    data["certificate"]["objective"] = "elastic:0.4:0.4:0.5:activations"


def _base(data: dict[str, Any]) -> None:
    data["certificate"]["base"]["classes"] += 1


def _active(data: dict[str, Any]) -> None:
    data["active_limits"] = ["params", "macs"]


def _divisor(data: dict[str, Any]) -> None:
    data["rounding"]["divisor"] = 16


def _stem(data: dict[str, Any]) -> None:
    data["rounding"]["stem"] = "fixed"


def _both(data: dict[str, Any]) -> None:
    """Both places say what does not give the choices."""
    data["rounding"]["divisor"] = data["certificate"]["rounding"]["divisor"] = 4


def _unrounded(data: dict[str, Any]) -> None:
    del data["rounding"]


def _scaling(data: dict[str, Any]) -> None:
    data["scaling"]["depth"][0] += 1


def _more(data: dict[str, Any]) -> None:
    data["top1"] = 99.0


CHANGES = [
    _cost,
    _score,
    _budget,
    _tighter,
    _enumerated,
    _layers,
    _kernel,
    _narrower,
    _gains,
    _objective,
    _base,
    _active,
    _divisor,
    _stem,
    _both,
    _unrounded,
]


@pytest.mark.parametrize("change", [*CHANGES, _scaling, _more])
def test_a_changed_file_is_refuted(change: Callable[[dict[str, Any]], None], solution: StageSolution) -> None:
    data = written(solution)
    change(data)
    found = verify(data)
    assert not found.holds
    assert "\n" not in found.problem


def test_wider_choices_that_hold_a_better_network_refute_the_claim(solution: StageSolution) -> None:
    """A claim for more choices than were searched, each number of which follows."""
    wider = stage_choices(solution.base, width=(0.75, 1.25), depth=(1.0, 2.0), sides=(64, 96, 128))
    law = Elastic(depth=0.3, width=0.4, resolution=0.5)
    better = solve_stages(solution.base, solution.budget, law, wider)
    assert better.score > solution.score
    data = written(better)
    other(data, solution.network)
    assert "network: a better one is within the budget" in verify(data).problem


def test_poor_prices_prove_what_good_ones_do(solution: StageSolution) -> None:
    """Prices only save work: with none at all the search is longer, and finds the same."""
    data = written(solution)
    data["certificate"]["prices"] = [[0.0, 0.0] for _ in data["certificate"]["prices"]]
    assert verify(data).holds


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("version",), 2, "version: 2 is not supported"),
        (("version",), True, "version: True is not supported; this compoundnet reads 1"),
        (("version",), "9" * 10_000, r"version: '9{30,60}\.\.\. is not supported"),
        (("certificate", "base"), None, "certificate.base: missing; a solution carries it"),
        (("certificate", "choices", "stem"), [], "certificate.choices.stem: nothing to choose from"),
        (("certificate", "choices", "widths"), "all", "certificate.choices.widths: expected a list"),
        (("certificate", "gains", "sides"), [0.0], "certificate.gains.sides: not one number for every side"),
        (("certificate", "gains", "sides"), [0.1, 0.1], "certificate.gains: not all are multiples of 2"),
        (("certificate", "gains"), None, "certificate.gains: missing"),
        (("certificate", "objective"), "rule:none:1.0", "certificate.objective: unknown rule 'none'"),
        (("certificate", "objective"), 5, "certificate.objective: expected a text"),
        (("certificate", "prices"), [], "certificate.prices: not one for every side and limit"),
        (("certificate", "prices"), [[-1.0, 0.0], [0.0, 0.0]], "certificate.prices: not all are from 0 up"),
        (("certificate", "prices"), [[1e300, 0.0], [0.0, 0.0]], "certificate.prices: not all are from 0 up"),
        (("network",), {}, "network.version"),
        (("budget",), {"macs": "many"}, "budget.macs"),
        (("budget",), {}, "budget: nothing is limited"),
    ],
)
def test_what_is_no_per_stage_solution_is_one_line(
    path: tuple[str, ...], value: object, problem: str, solution: StageSolution
) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        verify(changed(written(solution), path, value))
    assert "\n" not in str(caught.value)
