"""Rules of scaling as data: a way through depth, width and resolution, how its authors round, and the source."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from .scaling import RELEASED, Rounding, Scaling
from .schema import FieldError, Named, require, require_number, shown

# The paper's coefficients (section 3.3): alpha * beta^2 * gamma^2 = 1.92, about 2.
COMPOUND = Scaling(1.2, 1.1, 1.15)
AXES = ("depth", "width", "resolution")


@dataclass(frozen=True)
class Piece:
    """A stretch of a rule that is straight in logarithms: for phi in [low, high], start * scaling^(phi - at)."""

    at: float
    start: Scaling
    scaling: Scaling
    low: float = -math.inf
    high: float = math.inf

    def factors(self, phi: float) -> Scaling:
        """The factors (d, w, r) at phi."""
        grown = self.scaling ** (phi - self.at)
        return Scaling(*(getattr(self.start, axis) * getattr(grown, axis) for axis in AXES))


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Factors for phi = 1, which are raised to phi (Eq. 3). phi may be any real number, negative too.

    A rule may be a curve instead: ``curve`` lists (phi, factors) from the smallest network up to phi = 0, where
    nothing is scaled. Between them the factors' logarithms are interpolated, below them the first stretch goes on,
    and above 0 there is nothing. ``scaling`` is then the mean of it all. Raises FieldError for a rule that scales
    nothing, and for a curve that does not ascend to 0 or stands still.

    >>> RULES["efficientnet"] ** 2 == COMPOUND**2
    True
    >>> round((RULES["tinynet"] ** -0.5).depth, 3), (RULES["tinynet"] ** 0).depth
    (1.158, 1.0)
    """

    name: str
    scaling: Scaling
    rounding: Rounding = RELEASED
    source: str = ""
    curve: tuple[tuple[float, Scaling], ...] = ()

    def __post_init__(self) -> None:
        require(self.scaling != Scaling(), "scaling", "a rule must scale something; all its factors are 1")
        phis = [phi for phi, _ in self.curve]
        ascends = phis == sorted(set(phis)) and len(phis) != 1 and all(map(math.isfinite, phis))
        ends = not phis or self.curve[-1] == (0, Scaling())
        require(ascends and ends, "curve", "it must ascend in phi and end with 0, where all factors are 1")
        for (phi, one), (_, other) in pairwise(self.curve):
            require(one != other, "curve", f"nothing is scaled from phi {phi:g} to the next; leave one of the two out")

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The straight stretches, ascending in phi; a ray has one without ends."""
        if not self.curve:
            return (Piece(0.0, Scaling(), self.scaling),)
        lows = (-math.inf, *(phi for phi, _ in self.curve[1:]))
        return tuple(_between(*pair, low) for pair, low in zip(pairwise(self.curve), lows, strict=False))

    def __pow__(self, phi: float) -> Scaling:
        """The factors (d, w, r) of Eq. 3. Raises FieldError above the end of a curve."""
        require(math.isfinite(phi), "phi", f"{phi!r} is not a finite number")
        if phi in (known := dict(self.curve)):
            return known[phi]
        for piece in self.pieces:
            if phi <= piece.high:
                return piece.factors(phi)
        raise FieldError("phi", f"{phi!r}: the rule {self.name} only shrinks; give a phi of at most 0")


def _between(one: tuple[float, Scaling], two: tuple[float, Scaling], low: float) -> Piece:
    (first, start), (last, end) = one, two
    rates = (getattr(end, axis) / getattr(start, axis) for axis in AXES)
    return Piece(first, start, Scaling(*rates) ** (1 / (last - first)), low, last)


_PYCLS = Rounding(divisor=8, keep=0.0, layers="nearest", resolution_multiple=4)


def fast(alpha: float) -> Rule:
    """Fast compound scaling; phi = 1 doubles the multiply-adds.

    Depth 2^((1 - alpha) / 2), width 2^(alpha / 2), resolution 2^((1 - alpha) / 4). Activations grow by
    2^(1 - alpha / 2): alpha = 0.8 is the authors' dWr, 1/3 shares evenly, 1 is width alone. Raises FieldError
    for an alpha outside [0, 1].

    Source: Dollar, Singh and Girshick, Fast and Accurate Model Scaling (2021); pycls, models/scaler.py.

    >>> round(fast(0.8).scaling.flops_factor, 12)
    2.0
    """
    require_number(alpha, "alpha", "a share between 0 and 1", least=0, most=1)
    factors = Scaling(2 ** ((1 - alpha) / 2), 2 ** (alpha / 2), 2 ** ((1 - alpha) / 4))
    source = "Dollar, Singh, Girshick 2021; pycls models/scaler.py"
    return Rule(name=f"fast:{alpha!r}", scaling=factors, rounding=_PYCLS, source=source)


def custom(depth: float, width: float, resolution: float) -> Rule:
    """Own exponents: for phi = 1 depth 2^``depth``, width 2^``width``, resolution 2^``resolution``.

    Multiply-adds are then estimated to grow by 2^(depth + 2 width + 2 resolution); rounds as the released code.
    Raises FieldError for exponents outside [0, 4], and when all are 0.

    >>> custom(0.5, 0.25, 0).name, round(custom(0.5, 0.25, 0).scaling.flops_factor, 12)
    ('custom:0.5,0.25,0', 2.0)
    """
    exponents = dict(zip(AXES, (depth, width, resolution), strict=True))
    for axis, exponent in exponents.items():
        require_number(exponent, axis, "an exponent between 0 and 4", least=0, most=4)
    factors = Scaling(*(2.0**exponent for exponent in exponents.values()))
    name = f"custom:{','.join(map(repr, exponents.values()))}"
    return Rule(name=name, scaling=factors, source="own exponents")


def shared(
    name: str, depth: float, width: float, resolution: float, source: str, rounding: Rounding = RELEASED
) -> Rule:
    """A rule by the shares of the logarithm of the multiply-adds that go into each dimension; phi = 1 doubles them."""
    total = depth + width + resolution
    factors = Scaling(2 ** (depth / total), 2 ** (width / total / 2), 2 ** (resolution / total / 2))
    return Rule(name=name, scaling=factors, rounding=rounding, source=source)


def _tinynet() -> Rule:
    """TinyNet-E to TinyNet-A and B0: phi is the binary logarithm of their multiply-adds over B0's.

    The authors fit a Gaussian process to d and r and take w from the multiply-adds; the fit is not released, the
    five networks are. eval.py's r of 0.475 to 0.86 are truncated to the sides below.
    """
    base, side = 385_814_752, 224
    released = [(24_356_848, 0.6, 0.51, 106), (51_580_656, 0.695, 0.54, 152), (99_536_432, 0.85, 0.54, 184)]
    released += [(200_709_360, 1.1, 0.75, 188), (336_867_712, 1.2, 1.0, 192)]
    curve = [(math.log2(macs / base), Scaling(d, w, pixels / side)) for macs, d, w, pixels in released]
    (least, smallest), *_ = curve
    return Rule(
        name="tinynet",
        scaling=smallest ** (1 / least),
        rounding=Rounding(layers="nearest", stem="fixed", head="grow"),
        source="Han et al. 2020 (TinyNet), released networks A to E; rounding: timm, efficientnet.py",
        curve=(*curve, (0.0, Scaling())),
    )


_PAPER = "Tan and Le 2019, section 3.3"
_X = "Li et al. 2021 (EfficientNet-X), efficientnet_x_builder.py; shares of the released coefficients, its rounding"
_RS = "Bello et al. 2021 (ResNet-RS); shares from 50 at 160 to 420 at 320 pixels, which are multiples of 32"
_TABLE = (
    Rule(name="efficientnet", scaling=COMPOUND, source=_PAPER),
    Rule(name="depth", scaling=Scaling(depth=2.0), source="Tan and Le 2019, Fig. 3"),
    Rule(name="width", scaling=Scaling(width=2.0**0.5), source="Tan and Le 2019, Fig. 3"),
    Rule(name="resolution", scaling=Scaling(resolution=2.0**0.5), source="Tan and Le 2019, Fig. 3"),
    shared("dwr", 1, 1, 1, "Dollar, Singh, Girshick 2021, uniform compound scaling; pycls models/scaler.py", _PYCLS),
    Rule(name="dWr", scaling=fast(0.8).scaling, rounding=_PYCLS, source=fast(0.8).source),
    shared("efficientnet_x_gpu", 38, 42, 20, _X),
    shared("efficientnet_x_tpu", 28, 53, 20, _X),
    shared("resnet_rs", 61, 0, 39, _RS, Rounding(resolution_multiple=32)),
    _tinynet(),
)
_DECIMAL = re.compile(r"[0-9]{1,3}([.][0-9]{1,17})?")
_MADE = ("fast:0.8", "custom:0.4,0.2,0.1")  # by ``rule``, from the numbers in their names
RULES: Mapping[str, Rule] = MappingProxyType(Named("rule", {rule.name: rule for rule in _TABLE}, _MADE))


def rule(name: str) -> Rule:
    """The rule of that name; ``fast:ALPHA`` and ``custom:ED,EW,ER`` make one.

    Raises ValueError, one line, for parameters that are wrong, and with near names when there is no such rule.

    >>> rule("fast:0.5").name
    'fast:0.5'
    >>> rule("custom:1,0,0").scaling == RULES["depth"].scaling
    True
    """
    kind, _, given = name.partition(":")
    if kind in ("fast", "custom") and given:
        makers = {"fast": (fast, 1, "0.8"), "custom": (custom, 3, "0.4,0.2,0.1: exponents of depth, width, resolution")}
        make, count, example = makers[kind]
        numbers = given.split(",")
        if len(numbers) != count or not all(_DECIMAL.fullmatch(number) for number in numbers):
            raise ValueError(f"rule {shown(name)}: write it as {kind}:{example}")
        try:
            return make(*map(float, numbers))
        except FieldError as error:
            raise ValueError(f"rule {shown(name)}: {error}") from None
    return RULES[name]
