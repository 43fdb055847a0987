"""JSON with one value changed: what someone might do to a file by hand."""

import copy
from typing import Any


def changed(data: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    """A copy with another value at a path."""
    found = copy.deepcopy(data)
    place = found
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return found
