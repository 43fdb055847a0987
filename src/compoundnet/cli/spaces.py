"""The command on search spaces: search space. It needs no PyTorch."""

import json as json_
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.budget import figure
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import FieldError, near, shown

from .calibrating import device_of
from .output import safe, whole, write, write_json, write_table
from .sources import json_of, or_file, read, text
from .units import count, duration, size

if TYPE_CHECKING:
    from compoundnet.search import Point, Problem
    from compoundnet.search.admitting import Survey
    from compoundnet.search.designs import Design

KNOWN = ("mnasnet", "per_stage")
_COUNTS, _SIZES, _TIMES = ("macs", "params", "activations"), ("memory", "training_memory", "file_size"), ("latency",)
_NAMES = (*_COUNTS, *_SIZES, *_TIMES)
_WHAT = "a search space is a JSON object, as search space --save writes it"


def search_space(
    space: str,
    base: str | None = None,
    limit: str | None = None,
    device: str | None = None,
    no_recheck: bool = False,
    draws: int = 1000,
    samples: int = 3,
    seed: int = 0,
    save: str | None = None,
    json: bool = False,
) -> int:
    """Say what a search space holds: its options and size, how much limits admit, what its networks cost.

    Args:
        base: the network, by name or JSON file, that per_stage varies, or whose stem, head and habits mnasnet takes
        limit: hard limits, such as macs=400M,params=5M,memory=64MB,latency=30ms; also activations, training_memory
        device: what latency is predicted for: the file that calibrate wrote here, or roofline:GMACS:GBS
        draws: how many points are drawn to estimate the acceptance and the spread of the costs; default: 1000
        samples: how many admissible networks are shown; default: 3
        seed: of all draws; default: 0
        save: write the space to this JSON file, to change it and to search it
    """
    import random

    from compoundnet.search.admitting import problem_of, survey
    from compoundnet.search.objective import Objective

    if samples < 0:
        raise ValueError(f"--samples: {samples} is below 0")
    design, limits = design_of(space, base), limits_of(limit)
    timer = None if device is None else device_of(device, no_recheck)
    problem = problem_of(design, Objective(limits=limits), timer)
    found, rng = survey(problem, draws, seed), random.Random(seed)  # noqa: S311 - a sample, not a secret
    points = [problem.draw(rng) for _ in range(samples)]
    own = None if base is None else design.point_of(read(base).network)
    if save is not None:
        with whole(save) as file:
            file.write(json_.dumps(design.to_dict(), indent=1) + "\n")
    if json:
        write_json(_record(design, problem, found, points, own))
        return 0
    _print_design(design)
    if base is not None:
        _print_own(design, safe(base), own)
    _print_survey(problem, found)
    _print_samples(problem, design, points)
    if save is not None:
        write(f"\nWritten to {save}")
    return 0


def design_of(space: str, base: str | None) -> "Design":
    """The search space that a name and --base, or a file, say. Raises ValueError, one line, where there is none."""
    from compoundnet.search.around import per_stage
    from compoundnet.search.designs import Design
    from compoundnet.search.mnasnet import mnasnet, space_for

    if space == "mnasnet":
        return mnasnet() if base is None else space_for(read(base).network)
    if space == "per_stage":
        if base is None:
            raise ValueError("per_stage varies a network; give it: --base efficientnet_b0, or a JSON file")
        source = read(base)
        return per_stage(source.network, rounding=source.rounding)
    path = Path(space)
    if not path.is_file():
        raise ValueError(f"unknown search space {shown(space)}; {or_file(space, KNOWN)}")
    if base is not None:
        raise ValueError(f"{space} holds its base; leave --base out, or write another space with --save")
    try:
        return Design.from_dict(json_of(space, text(path, _WHAT), _WHAT))
    except FieldError as error:
        raise ValueError(f"{space}: {error}") from None


def design_around(name: str, base: str | None, divisor: int | None = None) -> "tuple[Design, Rounding]":
    """The space that a name says, as ``design_of`` reads it, or the one around a network; and the rounding of widths.

    ``divisor`` is another than the network's family has. Raises ValueError, one line, where there is no such space.
    """
    from compoundnet.search.around import per_stage

    around = base if name == "per_stage" else None if name == "mnasnet" or _holds_space(name) else name
    if around is None:
        design = design_of(name, base)
        if divisor is not None:
            raise ValueError(f"--divisor: {name} says its widths; it is for a space around a network")
        return design, RELEASED
    if around == name and base is not None:
        raise ValueError(f"--base: {name} is a network itself; --base is for per_stage and mnasnet")
    source = read(around)
    rounding = source.rounding if divisor is None else replace(source.rounding, divisor=divisor)
    return per_stage(source.network, rounding=rounding), rounding


def _holds_space(name: str) -> bool:
    path = Path(name)
    data = json_of(name, text(path, _WHAT), _WHAT) if path.is_file() else None
    return isinstance(data, dict) and "choices" in data


def limits_of(given: str | None) -> dict[str, float]:
    """Hard limits by name: counts, bytes and seconds. Raises ValueError, one line, for what is none."""
    limits: dict[str, float] = {}
    for part in given.split(",") if given else ():
        name, equals, value = part.strip().partition("=")
        if name not in _NAMES or not equals:
            raise ValueError(f"--limit: {shown(part)} is not NAME=LIMIT, such as macs=400M; {near(name, _NAMES)}")
        if name in limits:
            raise ValueError(f"--limit: {name} stands in it twice")
        limits[name] = amount(name, value, f"--limit {name}")
    return limits


def amount(name: str, value: str, option: str) -> float:
    """An amount of a cost with its unit, in counts, bytes or seconds. Raises ValueError, one line, for none.

    >>> amount("macs", "400M", "--target"), amount("latency", "30ms", "--target")
    (400000000, 0.03)
    """
    if name not in _NAMES:
        raise ValueError(f"{shown(name)} is no cost; {near(name, _NAMES)}")
    if name in _TIMES:
        return duration(value, option) / 1000
    return count(value, option) if name in _COUNTS else size(value, option)


def _record(
    design: "Design", problem: "Problem", found: "Survey", points: "list[Point]", own: "Point | None"
) -> dict[str, Any]:
    from compoundnet.schema import encode

    shares = {"acceptance": found.acceptance, "acceptance_at_most": found.at_most}
    return {
        "size": design.space.size,
        "digest": design.digest,
        "limits": dict(problem.limits),
        "survey": {**encode(found), **shares},
        "base_point": own,
        "base_outside": None if own is None else dict(design.outside(own)),
        "samples": [_sample(design, problem, point) for point in points],
        "space": design.to_dict(),
    }


def _sample(design: "Design", problem: "Problem", point: "Point") -> dict[str, Any]:
    network = design.network(point)
    assert network is not None
    chosen = {"point": point, "options": dict(design.space.values(point)), "outside": dict(design.outside(point))}
    return {**chosen, "costs": dict(problem.costs(point) or {}), "network": network.to_dict()}


def _print_design(design: "Design") -> None:
    write(f"{safe(design.name)}: {len(design.choices)} choices, {design.space.size:,} points")
    rows = []
    for choice in design.choices:
        options = [_option(option) + (" (outside)" if option in choice.outside else "") for option in choice.options]
        rows.append((safe(choice.name), str(len(options)), ", ".join(options)))
    write_table(("Choice", "Options", "They are"), rows)
    if any(choice.outside for choice in design.choices):
        write("Outside: beyond what the space's source describes.")


def _option(option: Any) -> str:
    return safe(option) if isinstance(option, str) else json_.dumps(option)


def _print_own(design: "Design", base: str, own: "Point | None") -> None:
    if own is None:
        write(f"\n{base} is no point of it.")
        return
    outside = ", ".join(f"{name} {_option(option)}" for name, option in design.outside(own).items())
    write(f"\n{base} is a point of it{f', outside in {outside}' if outside else ''}.")


def _print_survey(problem: "Problem", found: "Survey") -> None:
    whole_share = f"{found.networks:,} of {found.drawn:,} points drawn make a network"
    limits = ", ".join(f"{name} {figure(limit)}" for name, limit in problem.limits.items())
    within = f"{found.acceptance:.2%} are within {limits} (at most {found.at_most:.2%})"
    write(f"\n{whole_share}; {within if limits else 'nothing is limited'}.")
    rows = [
        (name, *(figure(value) if name in _TIMES else f"{value:,.0f}" for value in spread))
        for name, each in found.costs.items()
        for spread in [(each.least, each.low, each.median, each.high)]
    ]
    if rows:
        write_table(("Cost", "Smallest found", "Least drawn", "Median", "Most"), rows)
        write("Found by descent, whatever the limits. In bytes: memory, training_memory, file_size; in s: latency.")


def _print_samples(problem: "Problem", design: "Design", points: "list[Point]") -> None:
    rows = []
    for point in points:
        costs, network = problem.costs(point) or {}, design.network(point)
        blocks = "" if network is None else str(network.blocks)
        rows.append((" ".join(map(str, point)), f"{costs['macs']:,}", f"{costs['params']:,}", blocks))
    if rows:
        write("\nDrawn within the limits, each as the place of its option in every choice:")
        write_table(("Point", "Multiply-adds", "Parameters", "Blocks"), rows)
