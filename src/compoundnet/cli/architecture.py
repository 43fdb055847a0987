"""The command of section 4: search architecture."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compoundnet.budget import figure
from compoundnet.schema import counted, require_count

from . import INTERRUPTED
from .calibrating import device_of
from .coefficients import recipe_of
from .output import safe, write, write_json, write_table
from .progress import progress, standings
from .spaces import amount, design_around, limits_of
from .units import span

if TYPE_CHECKING:
    from compoundnet.devices import Device
    from compoundnet.scaling import Rounding
    from compoundnet.search import Design, Objective
    from compoundnet.search.architecture import Architectures, ArchitectureSearch
    from compoundnet.search.material import Material

TRIALS = 100  # where neither --trials nor --time is given


def search_architecture(
    space: str,
    data: str,
    out: str,
    base: str | None = None,
    target: str | None = None,
    cost: str = "macs",
    reward: Literal["soft", "hard"] = "soft",
    limit: str | None = None,
    device: str | None = None,
    no_recheck: bool = False,
    strategy: str = "ridge",
    trials: int | None = None,
    time: str | None = None,
    stop: Literal["front", "best", "never"] = "front",
    recipe: str | None = None,
    settings: str = "",
    pictures: int | None = None,
    resolution: int | None = None,
    divisor: int | None = None,
    workers: int | None = None,
    seed: int = 0,
    store: str | None = None,
    study: str = "architecture",
    patience: str = "60s",
    json: bool = False,
) -> int:
    """Search for the best network by accuracy and cost on your own pictures (section 4).

    Args:
        data: a folder with one sub-folder a class, ImageNet's, or one of shards; a .csv; or a set (see docs)
        out: the folder of the search: trials, front.json, net.json; the same command goes on with it
        base: the network that per_stage varies, or whose stem, head and habits mnasnet takes
        target: T of the reward accuracy x (cost / T)^w, such as 400M; without it the reward is the accuracy
        cost: what the target is of: macs, params, activations, memory, latency (with --device), ...; default: macs
        reward: soft: w is -0.07; hard: w is 0 up to the target and -1 beyond it
        limit: hard limits, such as macs=600M,params=5M,latency=30ms; what exceeds them is never trained
        device: what latency is predicted for: the file that calibrate wrote here, or roofline:GMACS:GBS
        strategy: ridge, random, evolution, local, gaussian, pairwise, boosting, nsga2, tpe or ppo; default: ridge
        trials: how many networks the study trains in all; default: 100, or as many as --time allows
        time: begin no trial after this time, such as 1h; it counts anew where a search goes on
        stop: which trials end early: those that cannot enter the front of accuracy and costs any more, those that
            cannot be the best (the front then lacks cheap networks), or never
        recipe: the name of a recipe (see recipe list) or its JSON file; default: 8 epochs of AdamW for small networks
        settings: settings other than the recipe's, such as epochs=4,optimizer.rate=0.002
        pictures: train with so many of the pictures, each class in its share; default: all
        resolution: search networks at this side, in pixels, in place of the base's own
        divisor: round widths around a network to a multiple of this, such as 2 for small ones
        workers: how many processes of one thread train; default: one for each core
        seed: what the strategy draws by
        store: a journal file, or postgresql://user@host/database for many machines; default: a journal in --out
        study: the name of the search in the store
        patience: how long a store that does not answer is tried again; default: 60s
    """
    given = _Given(space, base, resolution, divisor, data, pictures)
    goal = _Goal(target, cost, reward, limit, device, no_recheck)
    more = {"strategy": strategy, "seed": seed, "stop": stop, "limits": _limits(trials, time)}
    place = _Place(Path(out), store, study, workers, span(patience, "--patience"))
    return _searched(given, goal, {**more, "recipe": recipe_of(recipe, settings)}, place, json)


@dataclass(frozen=True)
class _Given:
    """What is searched, and on which pictures, as options say it."""

    space: str
    base: str | None
    resolution: int | None
    divisor: int | None
    data: str
    pictures: int | None

    def design(self) -> "tuple[Design, Rounding]":
        design, rounding = design_around(self.space, self.base, self.divisor)
        if self.resolution is None:
            return design, rounding
        require_count(self.resolution, "--resolution")
        return replace(design, base=replace(design.base, resolution=self.resolution)), rounding


@dataclass(frozen=True)
class _Goal:
    """What is searched for, as options say it."""

    target: str | None
    cost: str
    reward: str
    limit: str | None
    device: str | None
    no_recheck: bool

    def objective(self) -> "Objective":
        from compoundnet.search.objective import FREE, SOFT, STEEP, Objective

        limits = limits_of(self.limit)
        if self.target is None:
            if self.cost != "macs" or self.reward != "soft":
                raise ValueError("--cost and --reward say what --target is of; give it too, such as --target 400M")
            return Objective(limits=limits)
        below, above = (SOFT, SOFT) if self.reward == "soft" else (FREE, STEEP)
        target = amount(self.cost, self.target, "--target")
        return Objective(cost=self.cost, target=target, below=below, above=above, limits=limits)

    def timer(self) -> "Device | None":
        return None if self.device is None else device_of(self.device, self.no_recheck)


@dataclass(frozen=True)
class _Place:
    """Where results go, and who trains."""

    out: Path
    store: str | None
    study: str
    workers: int | None
    patience: float


def _searched(given: _Given, goal: _Goal, settled: dict[str, Any], place: _Place, json: bool) -> int:
    """The search, and what is said of it."""
    if place.workers is not None:
        require_count(place.workers, "--workers")
    try:
        objective = goal.objective()
        (design, rounding), timer = given.design(), goal.timer()
        _require_known(design, objective, timer, settled["strategy"])
        design, material = _pictures(design, given)
        settled = {"objective": objective, "rounding": rounding, "device": timer, **settled}
        found = _run(_asked(design, material, settled), place)
    except KeyboardInterrupt:
        return _stopped(place.out)
    _show(found, place.out, json)
    if found.why == "asked":
        return _stopped(place.out)
    return 0 if found.best is not None else 1


def _require_known(design: "Design", objective: "Objective", timer: "Device | None", strategy: str) -> None:
    """Raise ValueError for a cost or a strategy that there is not, before all pictures are read."""
    from compoundnet.search import problem_of
    from compoundnet.search.strategies import STRATEGIES

    _ = STRATEGIES[strategy]
    problem_of(design, objective, timer)


def _limits(trials: int | None, time: str | None) -> Any:
    from compoundnet.search.trials import Limits

    if trials is not None:
        require_count(trials, "--trials")
    seconds = None if time is None else span(time, "--time")
    return Limits(trials=TRIALS if trials is None and seconds is None else trials, seconds=seconds)


def _pictures(design: "Design", given: _Given) -> "tuple[Design, Material]":
    """The pictures at the largest side that is searched, and the space with their classes; what is changed is said."""
    from compoundnet.search.architecture.asking import sides
    from compoundnet.search.opening import opened

    with progress("pictures") as on_done:
        found = opened(given.data, design.base.in_channels, sides(design)[-1], on_done=on_done)
    material, count = found.material, len(found.material.train.classes)
    for line in found.notes:
        _say(line)
    if design.base.classes != count:
        said = f"{count} classes, as the data has, instead of {design.base.classes:,}"
        _say(f"{safe(given.space)}: {said}")
        design = replace(design, base=replace(design.base, classes=count))
    return design, material if given.pictures is None else material.part(given.pictures)


def _asked(design: "Design", material: "Material", settled: dict[str, Any]) -> "ArchitectureSearch":
    from compoundnet.search.architecture import ArchitectureSearch

    return ArchitectureSearch(design=design, material=material, **settled)


def _run(search: "ArchitectureSearch", place: _Place) -> "Architectures":
    """The search, with its plan before it and how it stands meanwhile."""
    from compoundnet.search.trials.failing import Patience

    search.require_possible()
    for line in _plan(search, place):
        _say(line)
    with standings() as on_standing:
        where = {"store": place.store, "study": place.study, "workers": place.workers}
        return search.run(place.out, **where, on_standing=on_standing, patience=Patience(seconds=place.patience))


def _plan(search: "ArchitectureSearch", place: _Place) -> Iterator[str]:
    """What is going to be done, a line each."""
    from compoundnet.search.architecture.asking import acceptance

    objective, material, limits = search.objective, search.material, search.limits
    space = search.design.space
    within = f"; {acceptance(search.problem):.0%} of those drawn are within the limits" if objective.limits else ""
    yield f"{safe(search.design.name)}: {counted(len(space.choices), 'choice')}, {space.size:,} points{within}"
    train, judge = len(material.train), len(material.validation)
    yield f"{train:,} pictures train and {judge:,} judge, {search.recipe.epochs:g} epochs each"
    worth = "accuracy"
    if objective.cost is not None and objective.target is not None:
        powers = f"{objective.below:g}" + (
            "" if objective.below == objective.above else f" (beyond {objective.above:g})"
        )
        worth += f" x ({objective.cost} / {figure(objective.target)}) ^ {powers}"
    count = "" if limits.trials is None else f", {counted(limits.trials, 'trial')} in all"
    yield f"reward {worth}; strategy {search.job.strategy.name}, seed {search.seed}{count}; Ctrl-C once finishes"


def _show(found: "Architectures", out: Path, json: bool) -> None:
    if json:
        write_json(found.to_dict())
        return
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(found.states.items()))
    write(f"{counted(len(found.trials), 'trial')} ({states}), {counted(found.recorded, 'trial')} by this call")
    if found.best is None:
        write("no trial has an accuracy: " + "; ".join(dict.fromkeys(trial.why for trial in found.trials)))
        return
    axes = found.objective.axes
    rows = [
        (
            f"{number:02}" + (" *" if trial is found.best else ""),
            f"{100 * (trial.accuracy or 0):.2f} %",
            f"{found.reward(trial):.4f}",
            *(figure(trial.costs[axis]) for axis in axes),
        )
        for number, trial in enumerate(found.front, 1)
    ]
    write_table(("Front", "Top-1", "Reward", *axes), rows)
    write(f"* the largest reward: {out / 'net.json'}. The others: {out / 'front'}, by these numbers.")
    write("Accuracies are of the pictures that chose them; train net.json afresh for one to report.")


def _stopped(out: Path) -> int:
    _say(f"{out}: stopped; the same command goes on with the trials that are finished")
    return INTERRUPTED


def _say(line: str) -> None:
    sys.stderr.write(f"compoundnet: {line}\n")
