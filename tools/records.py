"""The records in results/: costs of every family member, the formula's error, other tools' counting rules."""

import json
import math
from collections.abc import Iterator
from typing import Any

import compoundnet as c
from compoundnet.layers import Act, Conv, GlobalPool, Linear, Norm

PHIS = [tenths / 10 for tenths in range(-40, 81)]


def family_costs() -> Iterator[dict[str, Any]]:
    """One line a family member, at its own resolution."""
    for name in c.MEMBERS:
        network = c.named(name)
        yield {"network": name, "resolution": network.resolution, **c.cost(network).to_dict()}


def formula_gap() -> Iterator[dict[str, Any]]:
    """B0 scaled by the paper's coefficients: d * w^2 * r^2 beside the exact ratio of multiply-adds to B0's."""
    b0 = c.named("efficientnet_b0")
    base = c.cost(b0).macs
    for phi in PHIS:
        scaling = c.COMPOUND**phi
        network = c.scale(b0, scaling)
        macs = c.cost(network).macs
        yield {
            "phi": phi,
            "resolution": network.resolution,
            "blocks": network.blocks,
            "macs": macs,
            "estimate": round(scaling.flops_factor, 6),
            "exact": round(macs / base, 6),
        }


def other_counts() -> Iterator[dict[str, Any]]:
    """Multiply-adds of B0 under the counting rules of other tools, recomputed from our layers."""
    sums = element_counts(c.named("efficientnet_b0"))
    macs, biases, norms, acts = sums["macs"], sums["biases"], sums["norms"], sums["acts"]
    pools, last_pool = sums["pools"], sums["last_pool"]
    rows = (
        ("compoundnet; torch.utils.flop_counter (it prints twice this)", "convolutions and classifier", macs),
        ("pycls; ptflops, backend aten", "the same, and one for each bias", macs + biases),
        (
            "ptflops, backend pytorch, on timm",
            "with biases, SiLU outputs and twice the last pool's inputs; timm's fused norms are not seen",
            macs + biases + acts + 2 * last_pool,
        ),
        ("fvcore on timm", "two for each norm element, and the last pool's inputs", macs + 2 * norms + last_pool),
        (
            "ptflops, backend pytorch, on torchvision",
            "with biases, two for each norm element, SiLU outputs and twice all pools' inputs",
            macs + biases + 2 * norms + acts + 2 * pools,
        ),
        (
            "mmpretrain",
            "five for each norm element and all pools' inputs, but no classifier",
            macs - sums["classifier"] + 5 * norms + pools,
        ),
    )
    for tool, rule, count in rows:
        yield {"network": "efficientnet_b0", "tool": tool, "rule": rule, "count": count}


def element_counts(network: c.Network) -> dict[str, int]:
    """What counting rules add up: elements that norms, SiLUs and pools touch, biases, the classifier."""
    sums = dict.fromkeys(("biases", "norms", "acts", "pools", "last_pool", "classifier"), 0)
    read = 0
    for layer in c.by_layer(network):
        written = math.prod(layer.shape)
        match layer.layer:
            case Conv(bias=True):
                sums["biases"] += written
            case Norm():
                sums["norms"] += written
            case Act("silu"):
                sums["acts"] += written
            case GlobalPool():
                sums["pools"] += read
                sums["last_pool"] = read
            case Linear(outputs=outputs):
                sums["biases"] += outputs
                sums["classifier"] = layer.cost.macs
            case _:
                pass
        read = written
    return sums | {"macs": c.cost(network).macs}


MAKERS = {
    "family_costs.jsonl": family_costs,
    "formula_gap.jsonl": formula_gap,
    "other_counts.jsonl": other_counts,
}


def text(name: str) -> str:
    """The whole file of that name."""
    return "".join(f"{json.dumps(record)}\n" for record in MAKERS[name]())
