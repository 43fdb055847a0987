"""The command of step 1: search coefficients."""

import json as json_
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compoundnet.budget import LIMITS, PREDICTED
from compoundnet.schema import near, require_count, shown

from . import INTERRUPTED
from .output import write, write_json, write_table
from .own import operators_of
from .progress import progress
from .recipes import read as read_recipe
from .settings import changed
from .sources import Source, read

if TYPE_CHECKING:
    from compoundnet.recipes import Recipe
    from compoundnet.search.coefficients import Asked, Comparison, Found
    from compoundnet.search.opening import Opened

_FACTOR = re.compile(r"([0-9]+([.][0-9]+)?)x")
_COUNTED = tuple(name for name in LIMITS if name not in PREDICTED)
NET, REPORT = "net.json", "report.json"


def search_coefficients(
    net: str,
    data: str,
    out: str,
    budget: str = "2x",
    set: Literal["grid", "directions", "sweep", "width_sweep", "surrogate"] = "grid",
    seeds: int = 3,
    confirm: int = 5,
    up_to: int | None = None,
    minutes: float | None = None,
    finalists: int = 4,
    trials: int = 16,
    rungs: int = 2,
    transfer: str | None = None,
    recipe: str | None = None,
    settings: str = "",
    pictures: int | None = None,
    side: int | None = None,
    resolution: int | None = None,
    divisor: int | None = None,
    by_stage: bool = False,
    tolerance: float = 0.01,
    workers: int = 1,
    store: str | None = None,
    operators: str | None = None,
    json: bool = False,
) -> int:
    """Find alpha, beta and gamma on your own pictures, among networks of exactly one cost (step 1).

    Args:
        data: a folder with one sub-folder a class, ImageNet's, or one of shards; a .csv; or a set (see docs)
        out: the folder of the search: trials, report.json and net.json; the same command goes on with it
        budget: how many times the base's multiply-adds, such as 2x, the default; or of other costs: params=2x,macs=3x
        set: which networks of the budget are compared: step 1's grid, directions (depth, width, resolution, compound,
            dwr, dWr), surrogate (sampled by what was found), or a sweep of one dimension (Fig. 3) or width (Fig. 4)
        seeds: how many seeds rank the candidates; default: 3
        confirm: how many fresh seeds the verdict is made of; default: 5
        up_to: add seeds while the verdict is undecided, up to so many, such as 30; intervals allow for the looks
        minutes: add no seeds beyond so many minutes of training, of all trials together
        finalists: how many candidates are confirmed, of directions all; default: 4
        trials: how many networks a surrogate samples; default: 16
        rungs: how many rounds of successive halving come before the confirmation; default: 2
        transfer: check the coefficients at this second budget too, such as 4x
        recipe: the name of a recipe (see recipe list) or its JSON file; default: 8 epochs of AdamW for small networks
        settings: settings other than the recipe's, such as epochs=4,optimizer.rate=0.002
        pictures: train with so many of the pictures, each class in its share; default: all
        side: keep the pictures at this side, in pixels; needed for pictures of any size
        resolution: begin with the network at this input, in pixels, in place of its own
        divisor: round widths to a multiple of this, such as 2 for small networks; default: as the family does
        tolerance: how far from the budget a network may be, as a share; default: 0.01
        workers: how many single-threaded processes train; default: 1
        store: a journal file or postgresql://user@host/database, shared by all that name it; default: one in --out
        operators: a Python file that defines the network's own operators
    """
    counts = {"seeds": seeds, "confirm": confirm, "finalists": finalists, "trials": trials, "rungs": rungs}
    more: dict[str, Any] = {"candidates": set, "by_stage": by_stage, "tolerance": tolerance, "pictures": pictures}
    more |= {"budget": factors(budget, "--budget"), "up_to": up_to, "recipe": recipe_of(recipe, settings)}
    more |= {"transfer": factors(transfer, "--transfer") if transfer else {}}
    place = _Place(data, Path(out), side, workers, store, minutes)
    return _searched(_at(read(net, operators_of(operators)), resolution), place, divisor, {**counts, **more}, json)


def _at(source: Source, resolution: int | None) -> Source:
    """The network at another input, where one is given."""
    if resolution is None:
        return source
    require_count(resolution, "--resolution")
    return replace(source, network=replace(source.network, resolution=resolution))


def _searched(source: Source, place: "_Place", divisor: int | None, asked: Mapping[str, Any], json: bool) -> int:
    found = _run(source, place, divisor, **asked)
    if found is None:
        said = f"{place.out}: stopped; the same command goes on with the trials that are finished"
        sys.stderr.write(f"compoundnet: {said}\n")
        return INTERRUPTED
    _show(found, place.out, json)
    return 0


@dataclass(frozen=True)
class _Place:
    """Where pictures come from and results go, and who trains."""

    data: str
    out: Path
    side: int | None
    workers: int
    store: str | None
    minutes: float | None


def _run(source: Source, place: _Place, divisor: int | None, **settings: Any) -> "Found | None":
    """The search, kept in its folder; None where it was interrupted."""
    from compoundnet.search.coefficients import Search
    from compoundnet.whole import write_whole

    require_count(place.workers, "workers")
    try:
        with progress("pictures") as on_done:
            data = _opened(place.data, source, place.side, on_done)
        asked = _asked(source, data, divisor, **settings)
        with progress("thousand pictures trained") as on_done:
            kept = {"store": place.store, "minutes": place.minutes}
            found = Search(asked, data.material, data.test, place.out, place.workers, on_done=on_done, **kept).run()
    except KeyboardInterrupt:
        return None
    write_whole(place.out / REPORT, json_.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n")
    if (net := found.net()) is not None:
        write_whole(place.out / NET, json_.dumps(net, indent=2) + "\n")
    return found


def _show(found: "Found", out: Path, json: bool) -> None:
    if json:
        write_json(found.to_dict())
        return
    print_found(found)
    write(f"\nReport: {out / REPORT}" + ("" if found.best is None else f"; network: {out / NET}"))


def factors(text: str, option: str) -> dict[str, float]:
    """Factors of costs: 2x for the multiply-adds, or NAME=2x between commas. Raises ValueError, one line.

    >>> factors("2x", "--budget"), factors("params=2x,macs=3.5x", "--budget")
    ({'macs': 2.0}, {'params': 2.0, 'macs': 3.5})
    """
    found = dict[str, float]()
    for part in text.split(","):
        name, _, factor = part.strip().rpartition("=")
        name, match = name.strip().replace("-", "_") or "macs", _FACTOR.fullmatch(factor.strip())
        if match is None:
            raise ValueError(f"{option}: {shown(part)} is no factor such as 2x or params=2x")
        if name not in _COUNTED:
            raise ValueError(f"{option}: {shown(name)} is no cost; {near(name, _COUNTED)}")
        if name in found:
            raise ValueError(f"{option}: {name} stands twice; give it once")
        found[name] = float(match[1])
    return found


def recipe_of(name: str | None, settings: str) -> "Recipe":
    """The recipe of trials that --recipe and --settings say. Raises ValueError, one line, where there is none."""
    from compoundnet.search.coefficients.asking import quick

    return changed(quick() if name is None else read_recipe(name).recipe, settings, "--settings")


def _opened(data: str, source: Source, side: int | None, on_done: Any) -> "Opened":
    from compoundnet.search.opening import opened

    found = opened(data, source.network.in_channels, side, on_done=on_done)
    for line in found.notes:
        sys.stderr.write(f"compoundnet: {line}\n")
    return found


def _asked(source: Source, found: "Opened", divisor: int | None, **rest: Any) -> "Asked":
    """The search, its network with the classes of the data; what is changed is said."""
    from compoundnet.search.coefficients import Asked

    network, count = source.network, len(found.material.train.classes)
    if network.classes != count:
        said = f"{count} classes, as the data has, instead of {network.classes:,}"
        sys.stderr.write(f"compoundnet: {source.name}: {said}\n")
        network = replace(network, classes=count)
    rounding = source.rounding if divisor is None else replace(source.rounding, divisor=divisor)
    return Asked(network=network, rounding=rounding, **rest)


def print_found(found: "Found") -> None:
    """The arms with their intervals, the verdict, and the coefficients."""
    for line in found.notes:
        write(line)
    title = f"On the test pictures, {found.comparison.seeds} fresh seeds each"
    _print_arms(found.comparison, f"{title}, {_said(found.asked.budget)} the base:")
    write(found.sentence)
    if found.coefficients is not None and found.best is not None:
        d, w, r = found.coefficients.depth, found.coefficients.width, found.coefficients.resolution
        write(f"alpha {d:.3f}, beta {w:.3f}, gamma {r:.3f} for twice the multiply-adds, by {found.best.name}.")
    if found.transfer is not None:
        write("")
        _print_arms(found.transfer, f"The same coefficients at {_said(found.asked.transfer)} the base:")
        write(found.transfer.verdict.sentence)


def _said(times: Mapping[str, float]) -> str:
    return " and ".join(f"{factor:g} times the {limit.replace('_', ' ')}" for limit, factor in times.items()) + " of"


def _print_arms(compared: "Comparison", title: str) -> None:
    from compoundnet.cost import cost
    from compoundnet.search.coefficients.verdict import points

    write(title)
    standings = {each.name: each for each in compared.verdict.standings}
    apart = {each.rival: each.difference for each in compared.verdict.contrasts}
    rows = []
    for arm in sorted(compared.arms, key=lambda arm: -standings[arm.name].accuracy):
        stand, behind = standings[arm.name], apart.get(arm.name)
        low, high = 100 * stand.low, 100 * stand.high
        gap = "-" if behind is None else points(behind.reversed)
        figures = [f"{100 * arm.use:.1f} %", f"{cost(arm.network).params:,}"]
        rows.append([arm.name, *figures, f"{100 * stand.accuracy:.2f} %", f"{low:.2f} to {high:.2f}", gap])
    write_table(
        [
            "Network",
            "Budget",
            "Params",
            "Top-1",
            f"{100 * compared.verdict.level:.3g} % interval",
            "Against the choice",
        ],
        rows,
    )
