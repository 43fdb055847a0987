"""The command of Eq. 2: solve."""

import json as json_
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from compoundnet.budget import OptimizerName

from .calibrating import device_of
from .laws import foreseen
from .limits import given_limits, ranges_for
from .output import whole, write, write_json
from .progress import progress
from .solutions import print_solution
from .sources import Source, read

if TYPE_CHECKING:
    from compoundnet.budget import Budget
    from compoundnet.devices import Device
    from compoundnet.rules import Rule


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
    optimizer: OptimizerName = "rmsprop",
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
        optimizer: that of --max-training-memory: sgd, momentum (sgd with it), rmsprop, adam or adamw; default: rmsprop
        objective: accuracy (default), or rule:NAME to follow a rule; per stage also rule:NAME:PHI, elastic:D:W:R
        points: own measured networks for the accuracy law, a CSV file with depth, width, resolution, macs and top1
        depth: the least and most factor of the depth; default: 0.25:4
        width: the least and most factor of the width; default: 0.25:2.5
        sides: the least and most side of the input in pixels, and the step; default: 96:640:4, or a larger step
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
    from compoundnet.solving import solve, surface
    from compoundnet.solving.certificate import to_dict

    forecast, chosen = foreseen(source.network, search.points), _rule(search.objective)
    ranges = ranges_for(source, search.depth, search.width, search.sides)
    timer = search.timer()
    with progress("parts of the costs") as on_done:
        space = surface(source.network, ranges, source.rounding, timer, on_done)
    with progress("networks") as on_done:
        asked = (source.network, budget, chosen, ranges, source.rounding, space)
        found = solve(*asked, device=timer, forecast=forecast, on_done=on_done)
    return finish(to_dict(found), out, json, lambda: print_solution(source, search.sides, found))


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
