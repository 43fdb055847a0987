"""Cheap trainings (fewer epochs, pictures or pixels, a narrower network) rated before they are trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

from compoundnet.schema import counted, require, require_number

from .predictors.ranking import Ranking, ranking

TAU, SAVING, NETWORKS = 0.85, 5.0, 30


@dataclass(frozen=True)
class Pair:
    """One network trained twice: accuracies as shares, and what each training took (seconds of one machine)."""

    low: float
    high: float
    low_seconds: float
    high_seconds: float

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            require_number(getattr(self, name), name, "an accuracy from 0 to 1", least=0, most=1)
        for name in ("low_seconds", "high_seconds"):
            require_number(getattr(self, name), name, "a time above 0", above=0)


@dataclass(frozen=True)
class Fidelity:
    """A cheap training rated. ``saving`` is how many times less it takes; ``why`` says what keeps it from trust."""

    name: str
    ranking: Ranking
    saving: float
    why: str

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.why


def rate_fidelity(name: str, pairs: Sequence[Pair], seed: int = 0) -> Fidelity:
    """Rate a cheap training: trusted with tau >= 0.85 at a fifth of the cost or less, over 30 networks or more.

    Raises FieldError for fewer than eight networks.
    """
    require(len(pairs) > 0, name, f"{counted(0, 'network')} trained at both fidelities")
    found = ranking([pair.low for pair in pairs], [pair.high for pair in pairs], seed)
    saving = sum(pair.high_seconds for pair in pairs) / sum(pair.low_seconds for pair in pairs)
    tau = found.tau.value
    reasons = [
        (len(pairs) >= NETWORKS, f"{counted(len(pairs), 'network')}; at least {NETWORKS}"),
        (tau >= TAU, f"tau {tau:.3f}; at least {TAU}"),  # NaN is not
        (saving >= SAVING, f"{saving:.2f} times cheaper; at least {SAVING:g}"),
    ]
    why = ", ".join(said for holds, said in reasons if not holds)
    return Fidelity(name, found, saving, f"not trusted: {why}" if why else "")


def trusted_fidelity(rated: Sequence[Fidelity]) -> Fidelity | None:
    """The cheapest that is trusted, the higher tau where they are equal; None when none is."""
    trusted = [each for each in rated if each.trusted]
    return max(trusted, key=lambda each: (each.saving, each.ranking.tau.value), default=None)
