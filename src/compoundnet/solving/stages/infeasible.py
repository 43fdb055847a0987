"""What to say when no network fits: the least that any needs, and the limit that this breaks."""

from collections.abc import Sequence

import numpy as np

from compoundnet.budget import amount, breach, measure

from .chain import Chain


def none_fits(chains: Sequence[Chain], networks: int) -> str:
    """One line with what fails."""
    limits = chains[0].limits
    least_K = np.min([[least(each, place) for place in range(len(limits.names))] for each in chains], axis=0)
    rows = list(zip(limits.names, least_K + limits.fixed, limits.most + limits.fixed, strict=True))
    failed = [breach(name, _plain(need), _plain(most)) for name, need, most in rows if need > most]
    if failed:
        return f"none of {networks:,} networks fits; the least that any needs is {' and '.join(failed)}"
    alone = " and ".join(f"{measure(name, _plain(need))} of {amount(name, _plain(most))}" for name, need, most in rows)
    return f"none of {networks:,} networks fits; each limit can be kept alone, but not all: the least needs are {alone}"


def least(chain: Chain, place: int) -> float:
    """The least that a network of the chain needs of one limit."""
    weight = chain.limits.weight[place]
    tops = np.unique(np.concatenate([step.peak.ravel() for step in chain.steps])) if weight else [np.inf]
    found = np.inf
    for top in tops:
        after_B = np.zeros(chain.steps[-1].macs.shape[1])
        for step in reversed(chain.steps):
            needs_ABN = np.where(step.peak <= top, step.needs[place], np.inf)
            after_B = (needs_ABN + after_B[:, None]).min(axis=(1, 2))
        found = min(found, float(after_B[0]) + (weight * top if weight else 0.0))
    return found


def _plain(need: float) -> float:
    return int(need) if need == int(need) else need
