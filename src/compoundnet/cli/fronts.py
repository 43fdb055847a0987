"""A front as tables, CSV, JSON and a chart."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

from compoundnet.budget import Budget
from compoundnet.cost import CONVENTION
from compoundnet.plots import Chart, Line
from compoundnet.rules import Rule
from compoundnet.schema import encode

from .laws import described
from .output import COUNTED_AS, write, write_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compoundnet.accuracy import Law
    from compoundnet.solving import Ranges
    from compoundnet.solving.front import Front, Point
    from compoundnet.solving.predicted import Mark

_DRAWN = 200  # points of a line; more cannot be told apart


@dataclass(frozen=True)
class Weighed:
    """A cost to weigh against accuracy: its key in surfaces and budgets, its words, the unit and what one is of it."""

    key: str
    words: str
    unit: str = ""
    one: float = 1.0


COSTS: Mapping[str, Weighed] = MappingProxyType(
    {
        "macs": Weighed("macs", "multiply-adds"),
        "params": Weighed("params", "parameters"),
        "activations": Weighed("activations", "activations"),
        "memory": Weighed("memory", "memory of one image", "B"),
        "training-memory": Weighed("training_memory", "training memory", "B"),
        "latency": Weighed("latency_ms", "latency", "s", 1e-3),
    }
)


@dataclass(frozen=True)
class Released:
    """A published network: what it costs, its published top-1, and the best that the front has for no more."""

    name: str
    mark: "Mark"
    top1: float
    best: float
    source: str


@dataclass(frozen=True)
class Found:
    """All that the command found: ``outside`` says of the surface's networks which lie outside the law's data."""

    name: str
    cost: Weighed
    budget: Budget
    law: "Law"
    front: "Front"
    listed: "Front"
    ranges: "Ranges"
    outside: "NDArray[Any]"
    rule: Rule
    ray: Mapping[float, "Mark"]
    released: tuple[Released, ...]


def print_tables(found: Found) -> None:
    """The front at a few costs, and the released networks beside it."""
    write(
        f"{found.name}: {len(found.front):,} of {found.front.admissible:,} networks are on the front of "
        f"predicted top-1 against {found.cost.words}; {len(found.listed)} of them"
    )
    others = [each for each in ("macs", "params") if each != found.cost.key]
    head = (
        "Depth",
        "Width",
        "Pixels",
        _title(found),
        *(COSTS[each].words.capitalize() for each in others),
        "Top-1 (%)",
    )
    rows = [
        (
            *(f"{point.scaling.depth:g}", f"{point.scaling.width:g}", f"{_side(point)}", _count(point.cost)),
            *(_count(point.space.costs[each][point.index]) for each in others),
            *(f"{point.score:.2f}", f"{point.low:.2f} to {point.high:.2f}", "outside" if outside else ""),
        )
        for point, outside in _each(found, found.listed)
    ]
    write_table((*head, "90 % interval", "Data"), rows)
    if found.released:
        write()
        rows = [
            (each.name, _count(each.mark.cost), f"{each.top1:.1f}", f"{each.mark.mean:.2f}", f"{each.best:.2f}")
            for each in found.released
        ]
        write_table(("Released", _title(found), "Published", "Predicted", "Front, no dearer"), rows)
    write(f"\nAccuracy law: {described(found.law)}; outside: beyond the published networks it was fitted to.")
    write(COUNTED_AS)


def _title(found: Found) -> str:
    words = found.cost.words.capitalize()
    return f"{words} (ms)" if found.cost.unit == "s" else f"{words} (bytes)" if found.cost.unit == "B" else words


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _side(point: "Point") -> int:
    return point.space.sides[point.index[2]]


def _each(found: Found, front: "Front") -> Iterator[tuple["Point", bool]]:
    return zip(front, (bool(each) for each in found.outside[front.places]), strict=True)


def write_csv(found: Found, file: TextIO) -> None:
    """The whole front, a line each: factors, side, all costs, prediction."""
    space, key = found.front.space, found.cost.key
    extra = [] if key in space.costs else [key]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["depth", "width", "resolution", *space.costs, *extra, "top1", "low", "high", "outside"])
    for point, outside in _each(found, found.front):
        factors = [f"{point.scaling.depth:g}", f"{point.scaling.width:g}", _side(point)]
        costs = [_plain(space.costs[name][point.index]) for name in space.costs]
        top1 = [point.score, point.low, point.high]
        writer.writerow([*factors, *costs, *([_plain(point.cost)] if extra else []), *top1, int(outside)])


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else float(value)


def record(found: Found) -> dict[str, Any]:
    """The JSON contract of ``compoundnet pareto --json``."""
    space = found.front.space
    listed = [
        {
            "scaling": encode(point.scaling),
            "resolution": _side(point),
            "cost": {name: _plain(space.costs[name][point.index]) for name in space.costs},
            found.cost.key: _plain(point.cost),
            "predicted_top1": {"mean": point.score, "low": point.low, "high": point.high, "outside": outside},
        }
        for point, outside in _each(found, found.listed)
    ]
    marks = [{"phi": phi, **_mark(found, each)} for phi, each in found.ray.items()]
    released = [
        {"name": each.name, **_mark(found, each.mark), "published_top1": each.top1, "front_top1": each.best}
        for each in found.released
    ]
    counts = {"enumerated": len(space), "admissible": found.front.admissible, "front": len(found.front)}
    asked = {"network": found.name, "cost": found.cost.key, "budget": encode(found.budget), "law": found.law.group}
    ruled = {"rule": {"name": found.rule.name, "networks": marks}}
    return {
        **asked,
        **counts,
        "ranges": encode(found.ranges),
        "points": listed,
        "released": released,
        **ruled,
        "convention": CONVENTION,
    }


def _mark(found: Found, mark: "Mark") -> dict[str, Any]:
    top1 = {"mean": round(mark.mean, 4), "low": round(mark.low, 4), "high": round(mark.high, 4)}
    where = {"scaling": encode(mark.scaling), "resolution": mark.side}
    return {**where, found.cost.key: _plain(mark.cost), "predicted_top1": top1}


def chart(found: Found) -> Chart:
    """What a picture shows: the front with its interval, the rule's networks, the released ones."""
    from compoundnet.solving.front import thinned

    words, one = found.cost.words, found.cost.one
    drawn = thinned(found.front, _DRAWN)
    names = tuple(f"d {p.scaling.depth:g}, w {p.scaling.width:g}, {_side(p)} x {_side(p)}" for p in drawn)
    xs, ys, lows, highs = (
        tuple(column.tolist()) for column in (drawn.costs * one, drawn.scores, drawn.lows, drawn.highs)
    )
    front = Line(xs, ys, lows, highs, names, tuple(found.outside[drawn.places].tolist()))
    marks = sorted(found.ray.items(), key=lambda item: item[1].cost)
    ray = _line([mark for _, mark in marks], one, [f"phi {phi:g}" for phi, _ in marks])
    dots = [each.mark for each in found.released]
    top1 = tuple(each.top1 for each in found.released)
    shown = tuple(_short([each.name for each in found.released]))
    released = Line(tuple(mark.cost * one for mark in dots), top1, top1, top1, shown)
    return Chart(
        title=f"{found.name}: predicted accuracy against {words}",
        x=words,
        y="ImageNet top-1 (%)",
        unit=found.cost.unit,
        front=front,
        front_name=f"front: {len(found.front):,} of {found.front.admissible:,} networks, 90 % interval",
        ray=ray,
        ray_name=f"rule {found.rule.name} by phi",
        released=released,
        note="dotted: outside the published networks that the accuracy law was fitted to",
    )


def _line(marks: list["Mark"], one: float, names: list[str]) -> Line:
    xs, ys = tuple(mark.cost * one for mark in marks), tuple(mark.mean for mark in marks)
    return Line(xs, ys, tuple(mark.low for mark in marks), tuple(mark.high for mark in marks), tuple(names))


def _short(models: list[str]) -> list[str]:
    """The names of released networks in a picture, without what they begin with: B4 for efficientnet-b4."""
    whole = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*models, strict=False)))
    cut = next((k for k in range(whole, 0, -1) if not models[0][k - 1].isalnum()), 0)
    return [model[cut:].upper() if len(model) - cut == len("b0") else model[cut:] for model in models]
