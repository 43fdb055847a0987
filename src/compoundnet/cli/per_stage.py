"""solve --per-stage: the width and the repeats of every stage by themselves."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .calibrating import latency_note
from .limits import given_ranges
from .networks import COST_ROWS
from .output import COUNTED, write, write_table
from .solving import finish, predicted_line, print_limits
from .sources import Source

if TYPE_CHECKING:
    from compoundnet.budget import Budget
    from compoundnet.devices import Device
    from compoundnet.rules import Rule
    from compoundnet.solving import Forecast
    from compoundnet.solving.stages import Choices, Elastic, Nearest, StageSolution


@dataclass(frozen=True)
class Asked:
    """What a per-stage solution is asked for, but the budget."""

    source: Source
    objective: "Rule | Nearest | Elastic"
    choices: "Choices"


def per_stage_problem(
    source: Source, objective: str | None, depth: str | None, width: str | None, sides: str | None
) -> Asked:
    """What the options ask for. Raises ValueError, one line, for what cannot be."""
    from compoundnet.solving.stages import stage_choices

    if objective == "accuracy":
        problem = "--objective accuracy judges whole networks, not single stages; give rule:NAME or elastic:..."
        raise ValueError(problem)
    within = given_ranges(depth or "0.5:2", width or "0.5:2", sides)
    chosen = _objective("rule:efficientnet" if objective is None else objective)
    own = within.sides if sides else None
    return Asked(source, chosen, stage_choices(source.network, source.rounding, within.width, within.depth, own))


def solve_per_stage(
    asked: Asked, budget: "Budget", device: "Device | None", forecast: "Forecast", out: str | None, json: bool
) -> int:
    """Solve, print, and write the solution."""
    from compoundnet.solving.stages import solve_stages
    from compoundnet.solving.stages.certificate import to_dict

    network, rounding = asked.source.network, asked.source.rounding
    solution = solve_stages(network, budget, asked.objective, asked.choices, rounding, device=device, forecast=forecast)
    return finish(to_dict(solution), out, json, lambda: _print(asked.source.name, solution))


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
