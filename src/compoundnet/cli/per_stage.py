"""solve --per-stage: the width and the repeats of every stage by themselves."""

from typing import TYPE_CHECKING

from .calibrating import latency_note
from .laws import foreseen
from .limits import given_ranges
from .output import COUNTED_AS, brief, write, write_table
from .solutions import predicted_line, print_costs, print_limits
from .solving import Search, finish
from .sources import Source

if TYPE_CHECKING:
    from compoundnet.budget import Budget
    from compoundnet.solving.stages import StageSolution


def solve_per_stage(source: Source, budget: "Budget", search: Search, out: str | None, json: bool) -> int:
    """Solve, print, and write the solution."""
    from compoundnet.schema import FieldError
    from compoundnet.solving.stages import solve_stages, stage_choices
    from compoundnet.solving.stages.certificate import to_dict
    from compoundnet.solving.stages.objectives import stage_objective

    try:
        chosen = stage_objective(search.objective)
    except FieldError as error:
        raise ValueError(f"--{error}") from None
    forecast = foreseen(source.network, search.points)
    within = given_ranges(search.depth or "0.5:2", search.width or "0.5:2", search.sides)
    network, rounding, own = source.network, source.rounding, within.sides if search.sides else None
    choices = stage_choices(network, rounding, within.width, within.depth, own)
    timer = search.timer()
    solution = solve_stages(network, budget, chosen, choices, rounding, device=timer, forecast=forecast)
    return finish(to_dict(solution), out, json, lambda: _print(source.name, solution))


def _print(name: str, solution: "StageSolution") -> None:
    from compoundnet.budget import words

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
    print_costs(solution.cost)
    active = f"limited by {' and '.join(map(words, solution.active))}"
    if not solution.active:
        active = "no limit keeps a better one out: widen --depth, --width or --sides"
    write(
        f"\nThe best of {solution.enumerated:,} networks by {brief(solution.gains.name)} ({_scored(solution)}), "
        f"by dynamic programming over {solution.labels:,} partial ones; {active}."
    )
    if solution.predicted is not None and solution.forecast is not None:
        caveat = "the law sees mean depth and width, of networks whose stages were scaled alike, so trust it little"
        write(predicted_line(solution.predicted, solution.forecast, caveat))
    if solution.device is not None:
        write(latency_note(solution.device))
    write(COUNTED_AS)


def _scored(solution: "StageSolution") -> str:
    """What the score of an objective is, and how high."""
    if solution.gains.name.startswith("elastic:"):
        return f"log error falls by {solution.score:.4g}"
    return f"squared distance from the rule's network {abs(solution.score):.4g}"
