"""The command that looks at a data set: data check."""

import sys
import warnings
from typing import TYPE_CHECKING

from compoundnet.schema import near

from .output import write, write_json, write_table
from .progress import progress

if TYPE_CHECKING:
    from compoundnet.data import Survey

_SHOWN = 20
_ACTIONS = ("check",)


def data(action: str, folder: str, json: bool = False) -> int:
    """Look at labelled pictures before training: classes, sizes, damaged pictures, duplicates, balance."""
    if action not in _ACTIONS:
        raise ValueError(f"unknown action {action!r} of data; {near(action, _ACTIONS)}")
    from compoundnet.data import every_part, survey

    found = every_part(folder)
    with warnings.catch_warnings(), progress("pictures", silent=json and not sys.stderr.isatty()) as on_done:
        warnings.filterwarnings("ignore", module="PIL")  # of odd metadata in pictures that are fine
        result = survey(found, on_done)
    if json:
        write_json(result.to_dict())
    else:
        _show(result)
    return 1 if any(part.unreadable for part in result.parts.values()) else 0


def _show(result: "Survey") -> None:
    names = list(result.parts)
    classes = list(result.parts[names[0]].by_class)
    rows = [(name, *(f"{result.parts[part].by_class.get(name, 0):,}" for part in names)) for name in classes[:_SHOWN]]
    if len(classes) > _SHOWN:
        rest = [sum(list(result.parts[part].by_class.values())[_SHOWN:]) for part in names]
        rows.append((f"{len(classes) - _SHOWN} more", *(f"{count:,}" for count in rest)))
    rows.append(("all", *(f"{result.parts[part].pictures:,}" for part in names)))
    write_table(("Class", *names), rows)
    for name, part in result.parts.items():
        sides = [" x ".join(map(str, size)) for size in (part.smallest, part.median, part.largest)]
        write(f"{name}: sizes {sides[0]} to {sides[2]}, median {sides[1]}")
    write(f"Largest class over smallest: {result.balance:.1f}")
    _list("Cannot be read", [line for part in result.parts.values() for line in part.unreadable])
    for title, pairs in (("Twice", result.exact), ("Look the same", result.near), ("Leaks", result.leaks)):
        _list(title, [f"{one}  =  {other}" for one, other in pairs])
    _list("To do", result.problems)


def _list(title: str, lines: "list[str] | tuple[str, ...]") -> None:
    if not lines:
        write(f"{title}: none")
        return
    write(f"{title} ({len(lines):,}):")
    for line in lines[:_SHOWN]:
        write(f"  {line}")
    if len(lines) > _SHOWN:
        write(f"  ... and {len(lines) - _SHOWN:,} more; --json lists all")
