"""Solutions of per-stage scaling as their files hold them, and the same file said of another network."""

import json
from typing import Any

from compoundnet import Choices, Network, named, solve_stages, stage_choices
from compoundnet.budget import Budget
from compoundnet.devices import Device, counted
from compoundnet.rules import Rule
from compoundnet.solving.stages import StageSolution
from compoundnet.solving.stages.certificate import to_dict

from .budgets import limited
from .drawn_stages import Objective


def small(objective: Objective | Rule) -> StageSolution:
    base = named("tiny")
    chosen = stage_choices(base, width=(0.75, 1.25), depth=(1.0, 2.0), sides=(64, 96))
    return solve_stages(base, Budget(macs=12_000_000, params=450_000), objective, chosen)


def written(solution: StageSolution) -> dict[str, Any]:
    return json.loads(json.dumps(to_dict(solution)))


def other(data: dict[str, Any], network: Network, device: Device | None = None) -> None:
    """Everything a file says of a network, for another one: a lie that is consistent in itself."""
    held = data["certificate"]
    chosen = Choices(**{name: deep(held["choices"][name]) for name in held["choices"]})
    budget, found = limited(**data["budget"]), counted(network, device)
    base, gains = Network.from_dict(held["base"]), held["gains"]
    data["network"], data["cost"], data["use"] = network.to_dict(), found.to_dict(), budget.use(found)
    data["scaling"] = {
        "depth": [stage.layers / was.layers for stage, was in zip(network.stages, base.stages, strict=True)],
        "width": [stage.channels / was.channels for stage, was in zip(network.stages, base.stages, strict=True)],
        "resolution": network.resolution / base.resolution,
    }
    data["score"] = gains["sides"][chosen.sides.index(network.resolution)] + sum(
        rows[widths.index(stage.channels)][repeats.index(stage.layers)]
        for stage, rows, widths, repeats in zip(
            network.stages, gains["stages"], chosen.widths, chosen.repeats, strict=True
        )
    )
    shares = {name: need / budget.limits[name] for name, need in budget.needs(found).items()}
    data["active_limits"] = [name for name, share in shares.items() if share == max(shares.values())]


def deep(value: Any) -> Any:
    return tuple(map(deep, value)) if isinstance(value, list) else value
