"""verify(): the proof of a solution, whichever way it was found."""

from collections.abc import Callable, Mapping
from typing import Any

from . import certificate
from .certificate import Certificate
from .stages.certificate import KIND, verify_stages


def verify(data: Mapping[str, Any], seed: int = 0, on_done: Callable[[int, int], None] | None = None) -> Certificate:
    """Prove a solution that ``solve`` or ``solve --per-stage`` wrote.

    Raises FieldError for JSON that is none.
    """
    held = data.get("certificate") if isinstance(data, Mapping) else None
    if isinstance(held, Mapping) and held.get("kind") == KIND:
        return verify_stages(data, seed, on_done)
    return certificate.verify(data, seed, on_done)
