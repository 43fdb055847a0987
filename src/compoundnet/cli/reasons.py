"""Why a network is not what the rule gives, in sentences made from the numbers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compoundnet.solving.explaining import Explanation, Moved, Ruled


def reasons(name: str, base: str, found: "Explanation") -> Iterator[str]:
    """One sentence for each reason that holds: the axes, the cost, the rounding, the resolution."""
    yield _axes(name, base, found)
    if not found.published and all(axis.uniform for axis in found.moved):
        yield "The factors of depth and width are the simplest that round to its layers and channels."
    if found.ratio != 1:
        growth = found.rule.scaling.flops_factor
        yield (
            f"It takes {found.ratio:.4g} times the multiply-adds of {base}: phi {power(found.phi)} if each phi took "
            f"{growth:.3g} times as many, and {found.doublings:.2f} doublings."
        )
    near = found.near
    if near.network == found.network:
        return
    more = near.cost.macs / found.cost.macs
    yield f"At phi {near.phi:.4g} the rule gives {_sizes(near)}, {more:.4g} times the multiply-adds of {name}."
    yield from _rounded(base, found)
    if found.power is None:
        yield from _resolution(name, found)
    if found.equal is not None and found.power is None:
        reached = f"the rule reaches phi {found.equal.phi:.4g}: {_sizes(found.equal)}"
        yield f"With no more multiply-adds than {name} {reached}."


def _axes(name: str, base: str, found: "Explanation") -> str:
    if found.network == found.base:
        return f"{name} is {'the base of its family' if name == base else f'{base} itself'}: phi is 0 on every axis."
    if found.power is not None:
        return f"{name} is exactly what rule {found.rule.name} gives at phi {found.power:.4g}."
    return f"{name} is no power of rule {found.rule.name}: {', '.join(map(_axis, found.moved))}."


def _axis(axis: "Moved") -> str:
    if axis.factor == 1:
        return f"its {axis.axis} did not move"
    if not axis.uniform:
        return (
            f"its {axis.axis} is not uniform (by the sum of its stages {axis.factor:.4g} times, phi {power(axis.phi)})"
        )
    if axis.phi is None:
        return f"its {axis.axis}, {axis.factor:.4g} times the base's, is one that the rule leaves alone"
    return f"its {axis.axis} is that of phi {power(axis.phi)}"


def _sizes(ruled: "Ruled") -> str:
    factors, net = ruled.scaling, ruled.network
    sizes = f"d {factors.depth:.3f}, w {factors.width:.3f} and {net.resolution} pixels"
    return f"{sizes}: {net.blocks} blocks and {ruled.cost.macs / 1e6:,.0f} M multiply-adds"


def _rounded(base: str, found: "Explanation") -> Iterator[str]:
    """What rounding makes of the rule's own factors."""
    near = found.near
    estimate, exact = near.scaling.flops_factor, near.cost.macs * found.ratio / found.cost.macs
    if near.network.blocks != round(near.layers, 9):
        how = "up" if found.rounding.layers == "ceil" else "to the nearest"
        asked = f"{found.base.blocks} x {near.scaling.depth:.3f} = {near.layers:.1f} blocks"
        yield f"Repeats are rounded {how} stage by stage: {asked} become {near.network.blocks}."
    yield f"So d w^2 r^2 says {estimate:.4g} times the multiply-adds of {base}, and rounded it is {exact:.4g} times."


def _resolution(name: str, found: "Explanation") -> Iterator[str]:
    """Whether the resolution follows from depth and width by the rule."""
    depth, width, resolution = found.moved
    phis = sorted(axis.phi for axis in (depth, width) if axis.phi is not None)
    coefficient = found.rule.scaling.resolution
    if not phis or resolution.phi is None:
        return
    low, high = (found.base.resolution * coefficient**phi for phi in (phis[0], phis[-1]))
    if not low - 1 < found.network.resolution < high + 1:
        sides = f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"
        yield (
            f"Its depth and width would go with {sides} pixels; the {found.network.resolution} of {name} "
            "were set apart from them."
        )


def words(axis: "Moved") -> str:
    """The name of an axis, and whether one factor gives all its stages."""
    return axis.axis if axis.uniform else f"{axis.axis}, not uniform"


def power(phi: float | None) -> str:
    """A power to two decimals; none where the rule leaves the axis alone.

    >>> power(3.2239), power(-0.001), power(None)
    ('3.22', '0.00', 'none')
    """
    return "none" if phi is None else f"{round(phi, 2) + 0.0:.2f}"
