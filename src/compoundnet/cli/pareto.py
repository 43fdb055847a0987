"""The command of the front: pareto."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TextIO

from compoundnet.budget import Budget, OptimizerName
from compoundnet.families import Member
from compoundnet.plots.files import checked
from compoundnet.rules import Rule
from compoundnet.rules import rule as rule_of
from compoundnet.schema import require_count

from .calibrating import device_of
from .fronts import COSTS, Found, Released, chart, print_tables, record, write_csv
from .laws import foreseen
from .limits import given_limits, print_ranges, ranges_for
from .output import whole, write, write_json
from .progress import progress
from .sources import Source, read

if TYPE_CHECKING:
    from compoundnet.devices import Device
    from compoundnet.solving import Forecast, Ranges
    from compoundnet.solving.front import Front
    from compoundnet.solving.predicted import Mark, Scale

_PHIS = tuple(map(float, range(-12, 15)))
_DIGITS = 4  # of a predicted percentage; what lies below is no difference


def pareto_front(
    net: str,
    cost: Literal["macs", "params", "activations", "memory", "training-memory", "latency"] = "macs",
    max_macs: str | None = None,
    max_params: str | None = None,
    max_activations: str | None = None,
    max_memory: str | None = None,
    max_training_memory: str | None = None,
    max_file_size: str | None = None,
    max_latency: str | None = None,
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32",
    batch: int = 1,
    optimizer: OptimizerName = "rmsprop",
    device: str | None = None,
    no_recheck: bool = False,
    rule: str = "efficientnet",
    depth: str | None = None,
    width: str | None = None,
    sides: str | None = None,
    points: str | None = None,
    rows: int = 20,
    csv: str | None = None,
    plot: str | None = None,
    json: bool = False,
) -> int:
    """List the networks that no other one beats in both predicted accuracy and a cost (the Pareto front).

    Args:
        cost: what is weighed against accuracy: macs (default), params, activations, memory, training-memory, latency
        max_macs: at most so many multiply-adds, such as 300M or 1.8G
        max_params: at most so many parameters, such as 5.3M
        max_activations: at most so many activations
        max_memory: at most so much memory for one image, parameters and largest activations, such as 64MB
        max_training_memory: at most so much memory for training, such as 4GiB
        max_file_size: at most so large a file of weights, such as 20MB
        max_latency: at most so much time for one call on --device, such as 30ms
        dtype: what memory and files are counted in; default: float32
        batch: how many images training memory is for; default: 1
        optimizer: that of training memory: sgd, momentum (sgd with it), rmsprop, adam or adamw; default: rmsprop
        device: the file that calibrate wrote here, or roofline:GMACS:GBS, which latency is predicted from
        rule: the rule that the front is set beside; default: efficientnet
        depth: the least and most factor of the depth; default: 0.25:4
        width: the least and most factor of the width; default: 0.25:2.5
        sides: the least and most side of the input in pixels, and the step; default: 96:640:4, or a larger step
        points: own measured networks for the accuracy law, a CSV file with depth, width, resolution, macs and top1
        rows: how many networks of the front to list, evenly over the logarithm of the cost; default: 20
        csv: write the whole front to this file
        plot: draw it to this .svg, .png or .html file
    """
    suffix = "" if plot is None else checked(plot)
    counts = {"macs": max_macs, "params": max_params, "activations": max_activations}
    sizes = {"memory": max_memory, "training_memory": max_training_memory, "file_size": max_file_size}
    budget = Budget(**_limits(counts, sizes, max_latency), dtype=dtype, batch=batch, optimizer=optimizer)
    timer = _device(cost, max_latency, device, no_recheck)
    with _opened(csv, plot) as files:
        ranges = ranges_for(source := read(net), depth, width, sides)
        by = _scale(foreseen(source.network, points), cost, budget, timer)
        found = _found(source, cost, by, rule_of(rule), ranges, rows)
        _fill(found, files.get(csv), files.get(plot), suffix)
    return _show(found, [*files], json, lambda: print_ranges(source, ranges, sides))


def _show(found: Found, files: Sequence[str | None], json: bool, looked: Callable[[], None]) -> int:
    if json:
        write_json(record(found))
        return 0
    print_tables(found)
    looked()
    if files:
        write(f"\nWritten to {' and '.join(map(str, files))}")
    return 0


def _limits(counts: dict[str, str | None], sizes: dict[str, str | None], latency: str | None) -> dict[str, Any]:
    """The limits that were given; a front needs none."""
    given = any(each is not None for each in (*counts.values(), *sizes.values(), latency))
    return given_limits(counts, sizes, latency) if given else {}


@contextmanager
def _opened(*paths: str | None) -> Iterator[dict[str | None, TextIO]]:
    """The files to write, by path, before any work begins."""
    given = [path for path in paths if path is not None]
    if len({os.path.realpath(path) for path in given}) < len(given):
        raise ValueError(f"{given[0]}: --csv and --plot name one file; give each its own")
    with ExitStack() as stack:
        yield {path: stack.enter_context(whole(path)) for path in given}


def _fill(found: Found, table: TextIO | None, plot: TextIO | None, suffix: str) -> None:
    from compoundnet.plots import picture

    if table is not None:
        write_csv(found, table)
    if plot is not None:
        plot.buffer.write(picture(chart(found), suffix))


def _scale(forecast: "Forecast", cost: str, budget: Budget, device: "Device | None") -> "Scale":
    from compoundnet.solving.predicted import Scale

    return Scale(forecast.law, forecast.base, COSTS[cost].key, budget, device)


def _found(source: Source, cost: str, by: "Scale", rule: Rule, ranges: "Ranges", rows: int) -> Found:
    import numpy as np

    from compoundnet.solving.front import front, thinned
    from compoundnet.solving.predicted import predicted, ray
    from compoundnet.solving.surface import surface
    from compoundnet.solving.whose_law import family_of

    require_count(rows, "rows")
    _, origin = family_of(source.network)
    with progress("parts of the costs") as on_done:
        space = surface(source.network, ranges, source.rounding, by.device, on_done)
    top1 = predicted(space, by.law, by.base)
    mean, low, high = (np.round(each, _DIGITS) for each in (top1.mean, top1.low, top1.high))
    whole_front = front(space, mean, by.cost, by.budget, (low, high))
    marks = ray(source.network, rule, _PHIS, by, source.rounding)
    return Found(
        name=source.name,
        cost=COSTS[cost],
        budget=by.budget,
        law=by.law,
        front=whole_front,
        listed=thinned(whole_front, rows),
        ranges=ranges,
        outside=top1.outside.ravel(),
        rule=rule,
        ray={phi: each for phi, each in marks.items() if _within(whole_front, each)},
        released=() if origin is None else tuple(_released(origin, by, whole_front)),
    )


def _within(front: "Front", mark: "Mark") -> bool:
    return bool(front.costs[0] <= mark.cost <= front.dearest)


def _released(origin: Member, by: "Scale", front: "Front") -> Iterator[Released]:
    """The networks of the family whose accuracy was published for the recipe that the law predicts."""
    from compoundnet.accuracy import GROUPS, published
    from compoundnet.solving.predicted import mark, rounded_to

    family, recipe = GROUPS[by.law.group]
    points = [point for point in published()[family] if point.recipe == recipe]
    for point, scaling in rounded_to(points, origin.network, origin.rounding).items():
        found = mark(origin.network, scaling, by, origin.rounding)
        if _within(front, found):
            best = float(front.scores[front.costs <= found.cost][-1])
            yield Released(point.model, found, point.top1, best, point.source)


def _device(cost: str, limit: str | None, given: str | None, no_recheck: bool) -> "Device | None":
    """The device that --device names, which predicts the latency that is weighed or limited."""
    if given is not None:
        return device_of(given, no_recheck)
    if cost == "latency" or limit is not None:
        raise ValueError("--cost latency and --max-latency need a device; give --device, a file that calibrate wrote")
    return None
