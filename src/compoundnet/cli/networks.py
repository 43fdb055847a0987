"""The commands on networks as values: show, cost, scale, models. None of them needs PyTorch."""

import fnmatch
import json as json_
import re
from dataclasses import replace
from typing import Literal

from compoundnet.cost import CONVENTION, Cost, LayerCost, by_layer, by_stage
from compoundnet.cost import cost as cost_of
from compoundnet.families import MEMBERS, member
from compoundnet.network import Network
from compoundnet.rules import RULES
from compoundnet.rules import rule as rule_of
from compoundnet.scaling import Rounding, Scaling
from compoundnet.scaling import scale as scale_network
from compoundnet.schema import encode, near

from .output import COUNTED, whole, write, write_json, write_table
from .sources import read

COST_ROWS = {
    "params": "Parameters",
    "macs": "Multiply-adds",
    "flops": "FLOPs",
    "activations": "Activations",
    "peak_activations": "Peak activations",
    "training_activations": "Training activations",
}


def show(net: str, json: bool = False) -> int:
    """Print a network as Table 1 of the paper, or as the JSON that every command reads."""
    network = read(net).network
    if json:
        write_json(network.to_dict())
        return 0
    write(str(network))
    write(f"\n{cost_of(network)}\n{COUNTED}")
    return 0


def cost(net: str, size: str | None = None, by: Literal["stage", "layer"] | None = None, json: bool = False) -> int:
    """Print the exact cost of a network, whole or by stage or layer.

    Args:
        size: height x width of the image in pixels, as 224x320 or 224; default: the network's own
        by: one row per stage of Table 1 (stage), or per layer (layer)
    """
    source = read(net)
    sides = _sides(size) if size is not None else (source.network.resolution, source.network.resolution)
    total = cost_of(source.network, sides)
    rows = _rows(source.network, sides, by)
    if json:
        parts = {} if by is None else {f"{by}s": [{"name": name, **part.to_dict()} for name, part in rows]}
        write_json({**total.to_dict(), "size": list(sides), "convention": CONVENTION, **parts})
        return 0
    write(f"{source.name} at {sides[0]} x {sides[1]}")
    if by is None:
        write_table(("", "Count"), [(text, f"{total.to_dict()[key]:,}") for key, text in COST_ROWS.items()])
    else:
        lines = [(name, *_figures(part)) for name, part in [*rows, ("total", total)]]
        write_table((by.capitalize(), *COST_ROWS.values()), lines)
    write(COUNTED)
    return 0


def scale(
    net: str,
    phi: float | None = None,
    rule: str | None = None,
    depth: float | None = None,
    width: float | None = None,
    resolution: float | None = None,
    divisor: int | None = None,
    layers: Literal["ceil", "nearest"] | None = None,
    like: str | None = None,
    out: str | None = None,
    json: bool = False,
) -> int:
    """Scale a network (Eq. 2-3), and print what that costs beside what the formula estimates.

    Args:
        phi: the compound coefficient; the rule's factors are raised to it
        rule: efficientnet (default), dWr, tinynet, fast:0.5, custom:0.4,0.2,0.1, ...: which coefficients phi applies to
        depth: the factor of the number of layers, in place of phi
        width: the factor of the number of channels, in place of phi
        resolution: the factor of the input's side, in place of phi
        divisor: round channels to a multiple of it; default: as the network's family does
        layers: round the number of layers up (ceil) or to the nearest (nearest); default: as the network's family does
        like: round as this network's family does, such as efficientnet_lite0, or as this rule does, such as tinynet
        out: write the scaled network to this JSON file
    """
    source = read(net)
    scaling = _scaling(phi, rule, {"depth": depth, "width": width, "resolution": resolution})
    rounding = source.rounding if like is None else (RULES[like] if like in RULES else member(like)).rounding
    rounding = rounding if divisor is None else replace(rounding, divisor=divisor)
    rounding = rounding if layers is None else replace(rounding, layers=layers)
    scaled = scale_network(source.network, scaling, rounding)
    before, after = cost_of(source.network), cost_of(scaled)
    if out is not None:
        with whole(out) as file:
            file.write(json_.dumps(scaled.to_dict(), indent=2) + "\n")
    if json:
        figures = {"cost": after.to_dict(), "before": before.to_dict(), "convention": CONVENTION}
        estimate = {"formula": scaling.flops_factor, "ratio": after.macs / before.macs}
        records = {"network": scaled.to_dict(), "scaling": encode(scaling), "rounding": encode(rounding)}
        write_json({**records, **figures, **estimate})
        return 0
    _print_scaled(source.name, (source.network, before), (scaled, after), scaling, rounding)
    if out is not None:
        write(f"\nWritten to {out}")
    return 0


def models(pattern: str = "*", json: bool = False) -> int:
    """List the networks known by name, with their cost and whether weights are installed."""
    names = fnmatch.filter(MEMBERS, pattern)
    if not names:
        raise ValueError(f"no network matches {pattern!r}; {near(pattern, MEMBERS)}")
    rows = [(name, MEMBERS[name].network) for name in names]
    figures = [(name, net, cost_of(net), _has_weights(name)) for name, net in rows]
    if json:
        write_json(
            [
                {"name": name, "params": c.params, "macs": c.macs, "resolution": net.resolution, "weights": has}
                for name, net, c, has in figures
            ]
        )
        return 0
    lines = [
        (name, f"{c.params:,}", f"{c.macs:,}", f"{net.resolution} x {net.resolution}", "yes" if has else "-")
        for name, net, c, has in figures
    ]
    write_table(("Name", "Params", "Multiply-adds", "Resolution", "Weights"), lines)
    write(COUNTED)
    return 0


def _sides(size: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})(?:[xX](\d{1,6}))?", size)
    if match is None:
        raise ValueError(f"--size: {size!r} is not a height and width in pixels; write it as 224x320 or 224")
    return int(match[1]), int(match[2] or match[1])


def _rows(network: Network, sides: tuple[int, int], by: str | None) -> list[tuple[str, Cost]]:
    if by is None:
        return []
    if by == "stage":
        return by_stage(network, sides)
    return [(_layer_name(layer), layer.cost) for layer in by_layer(network, sides)]


def _layer_name(layer: LayerCost) -> str:
    channels, height, width = layer.shape
    return f"{layer.path} {type(layer.layer).__name__} {channels}x{height}x{width}"


def _figures(cost: Cost) -> list[str]:
    return [f"{value:,}" for value in cost.to_dict().values()]


def _scaling(phi: float | None, rule: str | None, factors: dict[str, float | None]) -> Scaling:
    given = {name: factor for name, factor in factors.items() if factor is not None}
    options = " and ".join(f"--{name}" for name in given)
    if phi is None and rule is not None:
        raise ValueError("--rule says what phi applies to; give --phi too")
    if phi is not None and given:
        raise ValueError(f"--phi together with {options}; give one or the other")
    if phi is None:
        if not given:
            raise ValueError("no factor to scale by; give --phi, or --depth, --width or --resolution")
        return Scaling(**given)
    return rule_of("efficientnet" if rule is None else rule) ** phi


def _print_scaled(
    name: str, before: tuple[Network, Cost], after: tuple[Network, Cost], scaling: Scaling, rounding: Rounding
) -> None:
    write(f"{name}, depth x {scaling.depth:.4g}, width x {scaling.width:.4g}, resolution x {scaling.resolution:.4g}")
    write("Rounding: " + ", ".join(f"{key} {value}" for key, value in encode(rounding).items()))
    (old, old_cost), (new, new_cost) = before, after
    counts = [("Resolution", old.resolution, new.resolution), ("Blocks", old.blocks, new.blocks)]
    counts += [(text, old_cost.to_dict()[key], new_cost.to_dict()[key]) for key, text in COST_ROWS.items()]
    write_table(("", "Before", "After", "Ratio"), [(t, f"{a:,}", f"{b:,}", f"{b / a:.3f}") for t, a, b in counts])
    ratio = new_cost.macs / old_cost.macs
    estimate = f"d * w^2 * r^2 estimates {scaling.flops_factor:.3f} times the multiply-adds"
    write(f"{estimate}; they are {ratio:.3f} times.")
    write(f"{COUNTED}\n\n{new}")


def _has_weights(name: str) -> bool:
    from compoundnet.weights.catalogue import PACKAGED, CheckpointError, locate

    try:
        return name in PACKAGED and locate(PACKAGED[name]).is_file()
    except CheckpointError:
        return False
