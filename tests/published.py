"""The published numbers of tests/reference/published.json."""

import json
from pathlib import Path
from typing import Any

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parent / "reference/published.json").read_text())


def rows(section: str) -> list[tuple[str, Any]]:
    """The (network, value) pairs of a section, its ``rule`` left out."""
    return [(name, value) for name, value in PUBLISHED[section].items() if name != "rule"]
