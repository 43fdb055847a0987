"""The commands of Eq. 2: solve, and verify-solution."""

import json as json_
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .calibrating import device_of, latency_note
from .networks import COST_ROWS
from .output import COUNTED, whole, write, write_json, write_table
from .progress import progress
from .sources import json_of, read, text
from .units import count, duration, size

if TYPE_CHECKING:
    from compoundnet.budget import Budget
    from compoundnet.solving import Candidate, Ranges, Solution


def solve_budget(
    net: str,
    max_macs: str | None = None,
    max_params: str | None = None,
    max_activations: str | None = None,
    max_memory: str | None = None,
    max_training_memory: str | None = None,
    max_latency: str | None = None,
    device: str | None = None,
    no_recheck: bool = False,
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32",
    batch: int = 1,
    optimizer: Literal["sgd", "momentum", "rmsprop", "adam"] = "rmsprop",
    objective: str = "rule:efficientnet",
    depth: str | None = None,
    width: str | None = None,
    sides: str | None = None,
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
        max_latency: at most so much time for one call on --device, such as 30ms
        device: the file that calibrate wrote here, or roofline:GMACS:GBS, two constants of a machine
        dtype: what --max-memory is counted in; default: float32
        batch: how many images --max-training-memory is for; default: 1
        optimizer: the optimizer of --max-training-memory; default: rmsprop
        objective: rule:NAME, to follow that rule's direction; efficientnet (default), dwr, dWr, fast:0.5, depth, ...
        depth: the least and most factor of the depth; default: 0.25:4
        width: the least and most factor of the width; default: 0.25:2.5
        sides: the least and most side of the input in pixels, and the step; default: 96:640:4
        out: write the solution to this JSON file, which every other command reads as its network
    """
    from compoundnet.budget import Budget
    from compoundnet.rules import rule
    from compoundnet.solving import solve
    from compoundnet.solving.certificate import to_dict

    counts = {"macs": max_macs, "params": max_params, "activations": max_activations}
    sizes = {"memory": max_memory, "training_memory": max_training_memory}
    limits = _limits(counts, sizes, _latency(max_latency, device))
    budget = Budget(**limits, dtype=dtype, batch=batch, optimizer=optimizer)
    source, name = read(net), _rule(objective)
    predicts = None if device is None else device_of(device, no_recheck)
    solution = solve(source.network, budget, rule(name), _ranges(depth, width, sides), source.rounding, device=predicts)
    record = to_dict(solution)
    if out is not None:
        with whole(out) as file:
            file.write(json_.dumps(record, indent=1) + "\n")
    if json:
        write_json(record)
    else:
        _print(source.name, solution, budget, out)
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
    if json:
        write_json({"holds": found.holds, **counts, "problem": found.problem})
    elif found.holds:
        checked = f"{found.checked:,} networks held against their scalar cost"
        write(f"Proved: the best of {found.admissible:,} admissible of {found.enumerated:,} networks; {checked}.")
    if not found.holds:
        sys.stdout.flush()
        sys.stderr.write(f"compoundnet: error: {solution}: not proved: {found.problem}\n")
    return 0 if found.holds else 1


def _limits(counts: dict[str, str | None], sizes: dict[str, str | None], latency: float | None) -> dict[str, Any]:
    """The limits that were given, in whole numbers and milliseconds."""
    limits = {name: count(text, _option(name)) for name, text in counts.items() if text is not None}
    limits |= {name: size(text, _option(name)) for name, text in sizes.items() if text is not None}
    limits |= {} if latency is None else {"latency_ms": latency}
    if not limits:
        options = "--max-macs, --max-params, --max-activations, --max-memory, --max-latency"
        raise ValueError(f"no limit; give {options} or more of them")
    return limits


def _latency(max_latency: str | None, device: str | None) -> float | None:
    """The limit in milliseconds; it means nothing without a device, nor a device without it."""
    if (max_latency is None) != (device is None):
        raise ValueError("--max-latency and --device go together; give both: --max-latency 30ms --device device.json")
    return None if max_latency is None else duration(max_latency, "--max-latency")


def _rule(objective: str) -> str:
    kind, _, name = objective.partition(":")
    if kind != "rule":
        raise ValueError(f"--objective: {objective!r} is not rule:NAME, such as rule:efficientnet")
    return name


def _option(limit: str) -> str:
    return f"--max-{limit.replace('_', '-')}"


def _ranges(depth: str | None, width: str | None, sides: str | None) -> "Ranges":
    from compoundnet.solving import Ranges
    from compoundnet.solving.ranges import MOST_SIDES

    default = Ranges()
    low, high, step = _numbers(sides, "--sides", "96:640:4", 3) if sides else (0.0, 0.0, 0.0)
    if sides and not (all(value == int(value) for value in (low, high, step)) and step >= 1):
        raise ValueError(f"--sides: {sides!r} are not whole numbers of pixels with a step of at least 1")
    return Ranges(
        depth=default.depth if depth is None else _pair(depth, "--depth"),
        width=default.width if width is None else _pair(width, "--width"),
        sides=tuple(range(int(low), int(high) + 1, int(step))[: MOST_SIDES + 1]) if sides else default.sides,
    )


def _pair(given: str, option: str) -> tuple[float, float]:
    low, high = _numbers(given, option, "0.5:2", 2)
    return low, high


def _numbers(given: str, option: str, example: str, parts: int) -> tuple[float, ...]:
    """So many numbers between colons; one alone is least and most, with any step."""
    try:
        numbers = tuple(float(part) for part in given.split(":"))
    except ValueError:
        numbers = ()
    if len(numbers) == 1:
        numbers = (*numbers * 2, 1.0)[:parts]
    if len(numbers) != parts or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{option}: {given!r} is not {parts} numbers such as {example}, or one")
    return numbers


def _print(name: str, solution: "Solution", budget: "Budget", out: str | None) -> None:
    best, limits = solution.best, budget.limits
    from compoundnet.budget import figure

    write(f"{name} {_where(best)}")
    needs = budget.needs(best.cost)
    rows = [
        (_words(each), figure(limits[each]), figure(needs[each]), _percent(needs[each] / limits[each]))
        for each in limits
    ]
    write_table(("Limit", "Asked", "Got", "Share"), rows)
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
    if solution.device is not None:
        write(latency_note(solution.device))
    write(f"{COUNTED}\n\n{best.network}")
    if out is not None:
        write(f"\nWritten to {out}; prove it with: compoundnet verify-solution {out}")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _where(found: "Candidate") -> str:
    scaling = found.scaling
    return f"d {scaling.depth:g}, w {scaling.width:g}, {found.network.resolution} x {found.network.resolution}"
