"""Random numbers that depend on where a run is and on nothing before, so that there is no state to restore."""

import hashlib
import random
from typing import Literal, TypeAlias

import numpy as np
import torch

Purpose: TypeAlias = Literal["weights", "order", "changes", "step"]


def derived(purpose: Purpose, seed: int, *place: int) -> int:
    """A seed of 63 bits for one purpose, from a run's seed and a place in it, such as (epoch,) or (step, part).

    Hashed from what was given, written out: no purpose, seed, place or length of a place shares another's numbers but
    by chance. (Of the 63 bits torch's generator on the CPU takes the lower 32.)

    >>> derived("order", 0, 1) == derived("order", 0, 1)
    True
    >>> len({derived("weights", 0), derived("order", 0, 0), derived("step", 0, 0, 0, 0), derived("step", 0, 0)})
    4
    """
    written = " ".join(str(part) for part in (purpose, seed, *place))
    return int.from_bytes(hashlib.sha256(written.encode()).digest()[:8], "big") >> 1


def generator(purpose: Purpose, seed: int, *place: int) -> torch.Generator:
    """A generator on the CPU that starts from ``derived``."""
    return torch.Generator().manual_seed(derived(purpose, seed, *place))


def seed_all(purpose: Purpose, seed: int, *place: int) -> None:
    """Start every global generator (torch on all devices, NumPy, Python) from a place in the run.

    Dropout and stochastic depth draw from torch's.
    """
    start = derived(purpose, seed, *place)
    torch.manual_seed(start)
    np.random.seed(start % 2**32)
    random.seed(start)
