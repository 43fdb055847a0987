"""solve --per-stage: the width and the repeats of every stage by themselves."""

from typing import TYPE_CHECKING

from .networks import COST_ROWS
from .output import COUNTED, write, write_table
from .solving import finish
from .sources import Source

if TYPE_CHECKING:
    from compoundnet.budget import Budget
    from compoundnet.rules import Rule
    from compoundnet.solving.stages import Elastic, Nearest, StageSolution


def solve_per_stage(
    source: Source,
    budget: "Budget",
    objective: str,
    depth: tuple[float, float],
    width: tuple[float, float],
    sides: tuple[int, ...] | None,
    out: str | None,
    json: bool,
) -> int:
    """Solve, print, and write the solution; ``sides`` that are None are those of ``stage_choices``."""
    from compoundnet.solving.stages import solve_stages, stage_choices
    from compoundnet.solving.stages.certificate import to_dict

    chosen = _objective(objective)
    choices = stage_choices(source.network, source.rounding, width, depth, sides)
    solution = solve_stages(source.network, budget, chosen, choices, source.rounding)
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
    limits, needs = solution.budget.limits, solution.budget.needs(solution.cost)
    asked = [
        (each.replace("_", " "), f"{limits[each]:,}", f"{needs[each]:,}", f"{100 * needs[each] / limits[each]:.2f} %")
        for each in limits
    ]
    write_table(("Limit", "Asked", "Got", "Share"), asked)
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
    write(COUNTED)
