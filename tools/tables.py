"""What every generated table is made of."""

from collections.abc import Mapping, Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A Markdown table, the first ``words`` columns left, the others right."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def taken(lines: Sequence[Mapping[str, Any]], *names: str) -> str:
    """One line: the command, the date, the machine and the versions that a record names."""
    machine = lines[0]["machine"]
    versions = ", ".join(f"{name} {machine[name]}" for name in names)
    return f"`{lines[0]['command']}` on {lines[0]['date']}: {machine['cpu']}, {machine['cores']} cores; {versions}."
