"""Random numbers that depend on where a run is and on nothing before, so that there is no state to restore."""

import random

import numpy as np
import torch


def derived(seed: int, *place: int) -> int:
    """A seed of 63 bits from a run's seed and a place in it, such as (epoch, step); near places give unlike seeds.

    >>> derived(0, 1, 2) == derived(0, 1, 2), derived(0, 1, 2) == derived(0, 2, 1)
    (True, False)
    """
    return int(np.random.SeedSequence([seed, *place]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(seed: int, *place: int) -> torch.Generator:
    """A generator on the CPU that starts from ``derived``."""
    return torch.Generator().manual_seed(derived(seed, *place))


def seed_all(seed: int, *place: int) -> None:
    """Start every global generator (torch on all devices, NumPy, Python) from a place in the run.

    Dropout and stochastic depth draw from torch's.
    """
    start = derived(seed, *place)
    torch.manual_seed(start)
    np.random.seed(start % 2**32)
    random.seed(start)
