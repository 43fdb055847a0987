"""The command that proves a solution again: verify-solution."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from .laws import described
from .output import brief, write, write_json
from .progress import progress
from .sources import json_of, name_of, named_text


def verify_solution(solution: str, json: bool = False) -> int:
    """Prove a solution again: enumerate all networks, and hold them against the cost of real ones."""
    from compoundnet.schema import FieldError
    from compoundnet.solving import verify

    name = "standard input" if solution == "-" else solution
    data = json_of(name, named_text(solution, "a solution is JSON"), "a solution is a JSON object, as solve writes it")
    try:
        with progress("networks") as on_done:
            found = verify(data, on_done=on_done)
    except FieldError as error:
        raise ValueError(f"{name}: {error}") from None
    counts = {"enumerated": found.enumerated, "admissible": found.admissible, "checked": found.checked}
    asked = {"budget": data["budget"], "objective": data["certificate"]["objective"]}
    law = data["certificate"].get("law")
    known = {} if law is None else {"law": {"group": law["group"], "own": law["own"]}}
    proved = {key: data[key] for key in ("network", "scaling", "cost")} if found.holds else {}
    if json:
        write_json({"holds": found.holds, **counts, **asked, **known, **proved, "problem": found.problem})
    elif found.holds:
        checked = f"{found.checked:,} networks held against their scalar cost"
        fit = "" if found.admissible is None else f"{found.admissible:,} admissible of "
        by = asked["objective"]
        write(f"Proved: the best of {fit}{found.enumerated:,} networks; {checked}. Objective: {brief(str(by)):.60}.")
        for line in (*_best(data), *_claimed(data)):
            write(line)
    if not found.holds:
        sys.stdout.flush()
        sys.stderr.write(f"compoundnet: error: {name}: not proved: {found.problem}\n")
    return 0 if found.holds else 1


def _best(data: Mapping[str, Any]) -> Iterator[str]:
    """The network that is proved to be the best one, and its costs: the counts, and whatever else is limited."""
    from compoundnet.budget import PREDICTED, Budget, amount
    from compoundnet.network import Network
    from compoundnet.schema import decode

    base, scaling, costs = Network.from_dict(data["certificate"]["base"]), data["scaling"], data["cost"]
    depth, width, side = scaling["depth"], scaling["width"], data["network"]["resolution"]
    factors = "per stage" if isinstance(depth, list) else f"d {depth:g}, w {width:g}"
    yield f"Network: {name_of(base)} {factors}, {side} x {side}."
    limited = [name for name in decode(Budget, data["budget"]).limits if name not in ("macs", "params", "activations")]
    needs = {name: costs[name if name in PREDICTED else f"{name}_bytes"] for name in limited}
    counts = {name: costs[name] for name in ("macs", "params", "activations")}
    yield f"Costs: {', '.join(amount(name, value) for name, value in (counts | needs).items())}."


def _claimed(data: Mapping[str, Any]) -> Iterator[str]:
    """What was asked for in a solution that is proved: the limits, the law, the device."""
    from compoundnet import devices
    from compoundnet.accuracy import Law
    from compoundnet.budget import Budget
    from compoundnet.schema import decode
    from compoundnet.solving import Ranges

    held = data["certificate"]
    yield f"Limits: {decode(Budget, data['budget'])}."
    if "ranges" in held:
        yield f"In range: {decode(Ranges, held['ranges'])}."
    if (law := held.get("law")) is not None:
        found = Law.from_dict({key: value for key, value in law.items() if key != "base"})
        base = "the base that was scaled" if law["base"] == held["base"] else "the base of its group"
        yield f"Accuracy law: {described(found)}; factors relative to {base}."
    if (device := held.get("device")) is not None:
        yield f"Latency: {devices.from_dict(device)}."
