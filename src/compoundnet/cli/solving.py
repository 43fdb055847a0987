"""The commands of Eq. 2: solve, and verify-solution."""

import json as json_
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .calibrating import device_of, latency_note
from .laws import described, foreseen
from .limits import given_limits, print_ranges, ranges_for
from .networks import COST_ROWS
from .output import COUNTED, whole, write, write_json, write_table
from .progress import progress
from .sources import Source, json_of, read, text

if TYPE_CHECKING:
    from compoundnet.budget import Budget
    from compoundnet.cost import Cost
    from compoundnet.devices import Device
    from compoundnet.rules import Rule
    from compoundnet.solving import Candidate, Forecast, Solution
    from compoundnet.solving.forecast import Predicted


def solve_budget(
    net: str,
    max_macs: str | None = None,
    max_params: str | None = None,
    max_activations: str | None = None,
    max_memory: str | None = None,
    max_training_memory: str | None = None,
    max_file_size: str | None = None,
    max_latency: str | None = None,
    device: str | None = None,
    no_recheck: bool = False,
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32",
    batch: int = 1,
    optimizer: Literal["sgd", "momentum", "rmsprop", "adam"] = "rmsprop",
    objective: str | None = None,
    points: str | None = None,
    depth: str | None = None,
    width: str | None = None,
    sides: str | None = None,
    per_stage: bool = False,
    out: str | None = None,
    json: bool = False,
) -> int:
    """Find the best depth, width and resolution within a budget, among all rounded networks (Eq. 2).

    Args:
        max_macs: at most so many multiply-adds, such as 300M or 1.8G
        max_params: at most so many parameters, such as 5.3M
        max_activations: at most so many activations
        max_memory: at most so much memory for one image, parameters and largest activations, such as 64MB
        max_training_memory: at most so much memory for training, such as 4GiB
        max_file_size: at most so large a file of weights, such as 20MB
        max_latency: at most so much time for one call on --device, such as 30ms
        device: the file that calibrate wrote here, or roofline:GMACS:GBS, two constants of a machine
        dtype: what --max-memory and --max-file-size are counted in; default: float32
        batch: how many images --max-training-memory is for; default: 1
        optimizer: the optimizer of --max-training-memory; default: rmsprop
        objective: accuracy (default), or rule:NAME to follow a rule; per stage also rule:NAME:PHI, elastic:D:W:R
        points: own measured networks for the accuracy law, a CSV file with depth, width, resolution, macs and top1
        depth: the least and most factor of the depth; default: 0.25:4
        width: the least and most factor of the width; default: 0.25:2.5
        sides: the least and most side of the input in pixels, and the step; default: 96:640:4, or a larger step for
            networks of more sizes than can be counted
        out: write the solution to this JSON file, which every other command reads as its network
    """
    from compoundnet.budget import Budget

    from .per_stage import solve_per_stage

    counts = {"macs": max_macs, "params": max_params, "activations": max_activations}
    sizes = {"memory": max_memory, "training_memory": max_training_memory, "file_size": max_file_size}
    limits = given_limits(counts, sizes, _latency(max_latency, device))
    budget = Budget(**limits, dtype=dtype, batch=batch, optimizer=optimizer)
    search = Search(objective, points, depth, width, sides, device, no_recheck)
    return (solve_per_stage if per_stage else _solve_whole)(read(net), budget, search, out, json)


@dataclass(frozen=True)
class Search:
    """The options that say what is best, where to look, and what predicts."""

    objective: str | None
    points: str | None
    depth: str | None
    width: str | None
    sides: str | None
    device: str | None
    no_recheck: bool

    def timer(self) -> "Device | None":
        """The device, measured again, which takes some seconds: what else is wrong is said before."""
        return None if self.device is None else device_of(self.device, self.no_recheck)


def _solve_whole(source: Source, budget: "Budget", search: Search, out: str | None, json: bool) -> int:
    from compoundnet.solving import solve
    from compoundnet.solving.certificate import to_dict

    forecast, chosen = foreseen(source.network, search.points), _rule(search.objective)
    ranges = ranges_for(source, search.depth, search.width, search.sides)
    timer = search.timer()
    found = solve(source.network, budget, chosen or forecast, ranges, source.rounding, device=timer, forecast=forecast)
    return finish(to_dict(found), out, json, lambda: _print(source, search, found))


def _latency(latency: str | None, device: str | None) -> str | None:
    """The limit on latency, which goes with a device."""
    if (latency is None) != (device is None):
        raise ValueError("--max-latency and --device go together; give both: --max-latency 30ms --device device.json")
    return latency


def _rule(objective: str | None) -> "Rule | None":
    """The rule that is followed, None where accuracy is the objective. Raises ValueError, one line, for neither."""
    from compoundnet.schema import FieldError
    from compoundnet.solving.objectives import ACCURACY, rule_named

    try:
        return None if objective in (None, ACCURACY) else rule_named(str(objective))
    except FieldError as error:
        raise ValueError(f"--{error}") from None


def finish(record: dict[str, Any], out: str | None, json: bool, show: Callable[[], None]) -> int:
    """Write a solution to a file, and to standard output as JSON or as ``show`` does."""
    if out is not None:
        with whole(out) as file:
            file.write(json_.dumps(record, indent=1) + "\n")
    if json:
        write_json(record)
        return 0
    show()
    if out is not None:
        write(f"\nWritten to {out}; prove it with: compoundnet verify-solution {out}")
    return 0


def verify_solution(solution: str, json: bool = False) -> int:
    """Prove a solution again: enumerate all networks, and hold them against the cost of real ones."""
    from compoundnet.schema import FieldError
    from compoundnet.solving import verify

    data = json_of(solution, text(Path(solution), "a solution is JSON"))
    try:
        with progress("networks") as on_done:
            found = verify(data, on_done=on_done)
    except FieldError as error:
        raise ValueError(f"{solution}: {error}") from None
    counts = {"enumerated": found.enumerated, "admissible": found.admissible, "checked": found.checked}
    asked = {"budget": data["budget"], "objective": data["certificate"]["objective"]}
    law = data["certificate"].get("law")
    known = {} if law is None else {"law": {"group": law["group"], "own": law["own"]}}
    if json:
        write_json({"holds": found.holds, **counts, **asked, **known, "problem": found.problem})
    elif found.holds:
        checked = f"{found.checked:,} networks held against their scalar cost"
        fit = "" if found.admissible is None else f"{found.admissible:,} admissible of "
        by = asked["objective"]
        write(f"Proved: the best of {fit}{found.enumerated:,} networks; {checked}. Objective: {by!s:.60}.")
        for line in _claimed(data):
            write(line)
    if not found.holds:
        sys.stdout.flush()
        sys.stderr.write(f"compoundnet: error: {solution}: not proved: {found.problem}\n")
    return 0 if found.holds else 1


def _claimed(data: Mapping[str, Any]) -> Iterator[str]:
    """What was asked for in a solution that is proved: the limits, the law, the device."""
    from compoundnet import devices
    from compoundnet.accuracy import Law
    from compoundnet.budget import Budget
    from compoundnet.schema import decode

    held = data["certificate"]
    yield f"Limits: {decode(Budget, data['budget'])}."
    if (law := held.get("law")) is not None:
        found = Law.from_dict({key: value for key, value in law.items() if key != "base"})
        base = "the base that was scaled" if law["base"] == held["base"] else "the base of its group"
        yield f"Accuracy law: {described(found)}; factors relative to {base}."
    if (device := held.get("device")) is not None:
        yield f"Latency: {devices.from_dict(device)}."


def _print(name: str, solution: "Solution", budget: "Budget") -> None:
    best = solution.best
    write(f"{name} {_where(best)}")
    print_limits(budget, best.cost)
    write()
    costs = best.cost.to_dict()
    write_table(("Cost", "Exact"), [(title, f"{costs[key]:,}") for key, title in COST_ROWS.items()])
    write()
    others = solution.runners_up[:3]
    ups = [(_where(each), f"{each.cost.macs:,}", _percent(each.use), f"{each.score:.4f}") for each in others]
    write_table(("Next best", "Multiply-adds", "Of the budget", "Score"), ups)
    counts = f"{solution.admissible:,} networks within the budget, of {solution.enumerated:,} in range"
    active = f"limited by {' and '.join(map(_words, solution.active))}"
    if solution.admissible == solution.enumerated:
        active = "the range ends before the budget does: widen --depth, --width or --sides"
    write(f"\nThe best by {solution.objective} of {counts}; {active}.")
    for line in _foreseen(solution):
        write(line)
    if budget.limits.keys() <= {"params", "file_size"}:
        write("The side of the input costs no parameters; limit the multiply-adds too, or hold it: --sides 224.")
    if solution.device is not None:
        write(latency_note(solution.device))
    write(f"{COUNTED}\n\n{best.network}")


def print_limits(budget: "Budget", cost: "Cost") -> None:
    """What was asked of each limit, and what was got."""
    from compoundnet.budget import figure

    limits, needs = budget.limits, budget.needs(cost)
    rows = [
        (_words(each), figure(limits[each]), figure(needs[each]), _percent(needs[each] / limits[each]))
        for each in limits
    ]
    write_table(("Limit", "Asked", "Got", "Share"), rows)


def _foreseen(solution: "Solution") -> Iterator[str]:
    """What is predicted of the best network, from what, and what cannot be told from it."""
    found, forecast, ties = solution.predicted, solution.forecast, solution.ties
    if found is None or forecast is None:
        return
    where = "outside the data of the law, so trust it little" if found.outside else ""
    yield predicted_line(found, forecast, where)
    if ties is not None:
        yield (
            f"Of the admitted networks {ties.as_good:,} may be as good, as far as the law can tell; "
            f"the intervals of {ties.overlapping:,} overlap."
        )


def predicted_line(found: "Predicted", forecast: "Forecast", caveat: str) -> str:
    """One line with a prediction, its interval, its law, and what is to be said against it."""
    interval = f"90 % interval {found.low:.2f} to {found.high:.2f}"
    law = described(forecast.law)
    return f"Predicted top-1: {found.mean:.2f} %, {interval} (law: {law}){'; ' if caveat else ''}{caveat}."


def _words(name: str) -> str:
    return name.replace("_", " ")


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _where(found: "Candidate") -> str:
    scaling = found.scaling
    return f"d {scaling.depth:g}, w {scaling.width:g}, {found.network.resolution} x {found.network.resolution}"
