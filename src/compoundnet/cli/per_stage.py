"""solve --per-stage: the width and the repeats of every stage by themselves."""

from typing import TYPE_CHECKING

from .calibrating import latency_note
from .laws import foreseen
from .limits import given_ranges
from .networks import COST_ROWS
from .output import COUNTED, write, write_table
from .solving import Search, finish, predicted_line, print_limits
from .sources import Source

if TYPE_CHECKING:
    from compoundnet.budget import Budget
    from compoundnet.rules import Rule
    from compoundnet.solving.stages import Elastic, Nearest, StageSolution


def solve_per_stage(source: Source, budget: "Budget", search: Search, out: str | None, json: bool) -> int:
    """Solve, print, and write the solution."""
    from compoundnet.solving.stages import solve_stages, stage_choices
    from compoundnet.solving.stages.certificate import to_dict

    if search.objective == "accuracy":
        problem = "--objective accuracy judges whole networks, not single stages; give rule:NAME or elastic:..."
        raise ValueError(problem)
    chosen = _objective("rule:efficientnet" if search.objective is None else search.objective)
    forecast = foreseen(source.network, search.points)
    within = given_ranges(search.depth or "0.5:2", search.width or "0.5:2", search.sides)
    network, rounding, own = source.network, source.rounding, within.sides if search.sides else None
    choices = stage_choices(network, rounding, within.width, within.depth, own)
    timer = search.timer()
    solution = solve_stages(network, budget, chosen, choices, rounding, device=timer, forecast=forecast)
    return finish(to_dict(solution), out, json, lambda: _print(source.name, solution))


def _objective(given: str) -> "Rule | Nearest | Elastic":
    """rule:NAME, or an objective as a file names it. Raises ValueError, one line, for anything else."""
    from compoundnet.rules import rule
    from compoundnet.solving.stages.objectives import Elastic, Nearest, named_objective

    kind, _, name = given.partition(":")
    try:
        if kind == "rule" and (name.count(":") == 0 or (name.startswith("fast:") and name.count(":") == 1)):
            return rule(name)
        found = named_objective(given)
    except ValueError as error:
        raise ValueError(f"--objective: {error}") from None
    if not isinstance(found, Nearest | Elastic):
        raise ValueError(f"--objective: {given!r:.60} is neither rule:NAME nor elastic:DEPTH:WIDTH:RESOLUTION")
    return found


def _print(name: str, solution: "StageSolution") -> None:
    base, network = solution.base, solution.network
    write(f"{name} per stage, {base.resolution} -> {network.resolution} pixels")
    print_limits(solution.budget, solution.cost)
    write()
    rows = [("Stem", f"{base.stem.channels}", f"{network.stem.channels}", "1", "1")]
    for was, stage in zip(base.stages, network.stages, strict=True):
        channels, layers = (f"{was.channels}", f"{stage.channels}"), (f"{was.layers}", f"{stage.layers}")
        rows.append((str(stage.operator), *channels, *layers))
    if network.head.channels is not None:
        rows.append(("Head", f"{base.head.channels}", f"{network.head.channels}", "1", "1"))
    write_table(("Stage", "Channels", "now", "Layers", "now"), rows)
    write()
    costs = solution.cost.to_dict()
    write_table(("Cost", "Exact"), [(title, f"{costs[key]:,}") for key, title in COST_ROWS.items()])
    active = f"limited by {' and '.join(each.replace('_', ' ') for each in solution.active)}"
    if not solution.active:
        active = "no limit keeps a better one out: widen --depth, --width or --sides"
    write(
        f"\nThe best of {solution.enumerated:,} networks by {solution.gains.name} (score {solution.score:.6g}), "
        f"by dynamic programming over {solution.labels:,} partial ones; {active}."
    )
    if solution.predicted is not None and solution.forecast is not None:
        caveat = "the law sees mean depth and width, of networks whose stages were scaled alike, so trust it little"
        write(predicted_line(solution.predicted, solution.forecast, caveat))
    if solution.device is not None:
        write(latency_note(solution.device))
    write(COUNTED)
