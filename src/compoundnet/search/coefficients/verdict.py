"""The verdict: winner, tie or undecided. Which arm has to prove itself is fixed before the test pictures are seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from compoundnet.schema import FieldError, near, require, require_number

from .bootstrap import DRAWS, LEVEL, Difference, Draws, Hits, difference, drawn, holm

Kind: TypeAlias = Literal["winner", "beaten", "tie", "undecided"]
MARGIN = 0.0015  # 0.15 points: less is no difference that anybody trains for


@dataclass(frozen=True)
class Standing:
    """An arm's accuracy as a share: its mean over the seeds, its interval, and each seed's own."""

    name: str
    accuracy: float
    low: float
    high: float
    seeds: tuple[float, ...]


@dataclass(frozen=True)
class Contrast:
    """The champion minus a rival; ``adjusted`` is p by Holm over all rivals."""

    rival: str
    difference: Difference
    adjusted: float

    def above(self, level: float = LEVEL) -> bool:
        """Whether the champion is better, whoever else was compared."""
        return self.difference.low > 0 and self.adjusted <= 1 - level

    def below(self, level: float = LEVEL) -> bool:
        """Whether the rival is better, whoever else was compared."""
        return self.difference.high < 0 and self.adjusted <= 1 - level

    def within(self, margin: float) -> bool:
        """Whether the two are equivalent: all of the interval lies inside the margin."""
        return -margin < self.difference.low and self.difference.high < margin


@dataclass(frozen=True)
class Verdict:
    """What a comparison says.

    "winner": the champion is better than every rival. "beaten": some rival is better than it. "tie": every rival that
    is not worse is equivalent to it. "undecided": neither, or one seed only, which says nothing about others.
    ``ties`` are the champion and all that are not shown to be worse.
    """

    kind: Kind
    champion: str
    ties: tuple[str, ...]
    standings: tuple[Standing, ...]
    contrasts: tuple[Contrast, ...]
    margin: float
    sentence: str
    level: float = LEVEL


def verdict(
    hits: Mapping[str, Hits],
    champion: str,
    *,
    rivals: Sequence[str] | None = None,
    margin: float = MARGIN,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> Verdict:
    """Compare a champion with its rivals, all others by default, paired by seed and picture.

    ``hits[name]`` has shape (seeds, pictures): what was right; row k of every arm is of the same seed. The protocol:
    10,000 draws of the hierarchical bootstrap, 95 % intervals (or ``level``), Holm over the rivals, a margin of 0.15
    points. Raises FieldError for an unknown champion or rival, and for arms of different seeds or pictures.
    """
    for name in (champion, *(rivals or ())):
        if name not in hits:
            raise FieldError("champion", f"{name} was not compared; {near(name, hits)}")
    require_number(margin, "margin", "a share from 0 to 1", least=0, most=1)
    shapes = {array.shape for array in hits.values()}
    require(len(shapes) == 1, "hits", f"arms of different seeds or pictures: {sorted(shapes)}")
    names = list(hits)
    every = np.stack([hits[name] for name in names])
    draws_of = dict(zip(names, drawn(every, draws, seed, level), strict=True))
    found = [name for name in (names if rivals is None else rivals) if name != champion]
    contrasts = _contrasts(draws_of, champion, found, level)
    kind = _kind(contrasts, margin, every.shape[1], level)
    ties = (champion, *(each.rival for each in contrasts if not each.above(level)))
    return Verdict(
        kind=kind,
        champion=champion,
        ties=ties,
        standings=tuple(_standing(name, hits[name], draws_of[name], level) for name in names),
        contrasts=tuple(contrasts),
        margin=margin,
        sentence=_sentence(kind, champion, contrasts, ties, margin, every.shape[1]),
        level=level,
    )


def _contrasts(draws: Mapping[str, Draws], champion: str, rivals: Sequence[str], level: float) -> list[Contrast]:
    apart = [difference(draws[champion], draws[name], level, len(rivals)) for name in rivals]
    adjusted = holm([each.p for each in apart])
    return [Contrast(name, each, p) for name, each, p in zip(rivals, apart, adjusted, strict=True)]


def _standing(name: str, hits: Hits, draws: Draws, level: float) -> Standing:
    low, high = (float(np.clip(end, 0, 1)) for end in draws.interval(level))
    return Standing(name, float(hits.mean()), low, high, tuple(float(each) for each in hits.mean(axis=1)))


def _kind(contrasts: Sequence[Contrast], margin: float, seeds: int, level: float) -> Kind:
    if seeds < 2 or not contrasts:
        return "undecided"
    if any(each.below(level) for each in contrasts):
        return "beaten"
    rest = [each for each in contrasts if not each.above(level)]
    if not rest:
        return "winner"
    return "tie" if all(each.within(margin) for each in rest) else "undecided"


def _sentence(
    kind: Kind, champion: str, contrasts: Sequence[Contrast], ties: Sequence[str], margin: float, seeds: int
) -> str:
    if not contrasts:
        return f"Undecided: {champion} has no rival."
    if seeds < 2:
        return f"Undecided: one seed says nothing about others; {champion} was the search's choice."
    best = min(contrasts, key=lambda each: each.difference.mean)
    said = f"{points(best.difference)} against {best.rival}, the best of {len(contrasts)}"
    others = ", ".join(ties[1:])
    return {
        "winner": f"Winner: {champion}, {said}.",
        "beaten": f"Beaten: {champion}, the search's choice, {said}.",
        "tie": f"Tie: {champion} and {others} are within {100 * margin:.2g} points of each other; {said}.",
        "undecided": f"Undecided: {champion} is not told from {others}; {said}. More seeds may tell.",
    }[kind]


def points(apart: Difference) -> str:
    """A difference in points, with its interval.

    >>> points(Difference(0.0021, 0.0005, 0.0037, 0.01))
    '+0.21 points (+0.05 to +0.37)'
    """
    return f"{100 * apart.mean:+.2f} points ({100 * apart.low:+.2f} to {100 * apart.high:+.2f})"
