"""Panels: what a picture of a report shows, as plain numbers and words, before anything draws them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from compoundnet.plots.chart import spoken, ticks

Kind: TypeAlias = Literal["points", "line", "steps", "marks"]
_FEWEST = 3  # marks that a logarithmic axis needs
BLUE, ORANGE, GREY, GREEN, PURPLE = "#0072B2", "#D55E00", "#8a8a8a", "#007a5e", "#8f4d80"  # after Okabe and Ito


@dataclass(frozen=True)
class Series:
    """Numbers of one kind: small "points", a "line", "steps" that hold until the next, or large "marks"."""

    name: str
    kind: Kind
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    colour: str = BLUE
    dash: str = ""


@dataclass(frozen=True)
class Bars:
    """Values by name with the ends of their intervals, the first on top."""

    names: tuple[str, ...]
    values: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``, logarithmic or not; ``unit`` as ``plots.chart.spoken`` takes it."""

    title: str
    low: float
    high: float
    log: bool = False
    unit: str = ""

    def share(self, value: float) -> float:
        """Where a value is, from 0 to 1 inside the ends."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def marks(self) -> dict[float, str]:
        """Values on the axis with their words."""
        if not self.log:
            return rounds(self.low, self.high)
        found = ticks(self.low, self.high, self.unit)
        if len(found) >= _FEWEST:
            return found
        return {value: spoken(value, self.unit) for value in rounds(self.low, self.high) if value >= self.low}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture; ``stem`` is the name of its file. It shows ``bars``, or else ``series``."""

    stem: str
    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...] = ()
    bars: Bars | None = None
    note: str = ""


def axis(title: str, values: Iterable[float], *, log: bool = False, unit: str = "") -> Axis:
    """An axis over all of some values and a little further. Logarithmic only where all are above 0."""
    found = list(values)
    low, high = min(found, default=0.0), max(found, default=1.0)
    if log and low > 0:
        rim = max((high / low) ** 0.04, 1.02)
        return Axis(title, low / rim, high * rim, True, unit)
    rim = 0.04 * (high - low) or max(0.04 * abs(high), 0.01)
    return Axis(title, low - rim, high + rim, False, unit)


def rounds(low: float, high: float) -> dict[float, str]:
    """Three to eight round values from low to high, with their words.

    >>> rounds(0.0, 1.0)
    {0.0: '0', 0.2: '0.2', 0.4: '0.4', 0.6: '0.6', 0.8: '0.8', 1.0: '1'}
    """
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    digits = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return {round(k * step, digits): f"{round(k * step, digits):,g}" for k in range(first, last + 1)}
