"""Rules of scaling as data: a direction in depth, width and resolution, how its authors round, and the source."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .scaling import RELEASED, Rounding, Scaling
from .schema import near, require, require_number

# The paper's coefficients (section 3.3): alpha * beta^2 * gamma^2 = 1.92, about 2.
COMPOUND = Scaling(1.2, 1.1, 1.15)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Factors for phi = 1, which are raised to phi (Eq. 3). phi may be any real number, negative too.

    >>> RULES["efficientnet"] ** 2 == COMPOUND**2
    True
    """

    name: str
    scaling: Scaling
    rounding: Rounding = RELEASED
    source: str = ""

    def __post_init__(self) -> None:
        require(self.scaling != Scaling(), "scaling", "a rule must scale something; all its factors are 1")

    def __pow__(self, phi: float) -> Scaling:
        """The factors (d, w, r) of Eq. 3."""
        return self.scaling**phi


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


def shared(name: str, depth: float, width: float, resolution: float, source: str) -> Rule:
    """A rule by the shares of the logarithm of the multiply-adds that go into each dimension; phi = 1 doubles them."""
    total = depth + width + resolution
    factors = Scaling(2 ** (depth / total), 2 ** (width / total / 2), 2 ** (resolution / total / 2))
    return Rule(name=name, scaling=factors, source=source)


_PAPER = "Tan and Le 2019, section 3.3"
_X = "Li et al. 2021 (EfficientNet-X), efficientnet_x_builder.py; shares of the released coefficients"
_TABLE = (
    Rule(name="efficientnet", scaling=COMPOUND, source=_PAPER),
    Rule(name="depth", scaling=Scaling(depth=2.0), source="Tan and Le 2019, Fig. 3"),
    Rule(name="width", scaling=Scaling(width=2.0**0.5), source="Tan and Le 2019, Fig. 3"),
    Rule(name="resolution", scaling=Scaling(resolution=2.0**0.5), source="Tan and Le 2019, Fig. 3"),
    shared("dwr", 1, 1, 1, "Dollar, Singh, Girshick 2021, uniform compound scaling"),
    Rule(name="dWr", scaling=fast(0.8).scaling, rounding=_PYCLS, source=fast(0.8).source),
    shared("efficientnet_x_gpu", 38, 42, 20, _X),
    shared("efficientnet_x_tpu", 28, 53, 20, _X),
    shared("resnet_rs", 61, 0, 39, "Bello et al. 2021 (ResNet-RS); shares from 50 at 160 to 420 at 320 pixels"),
)
RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _TABLE})


def rule(name: str) -> Rule:
    """The rule of that name; ``fast:ALPHA`` for any alpha. Raises ValueError with near names when there is none.

    >>> rule("fast:0.5").name
    'fast:0.5'
    """
    kind, _, alpha = name.partition(":")
    if kind == "fast" and alpha:
        try:
            return fast(float(alpha))
        except ValueError as error:
            raise ValueError(f"rule {name!r}: {error}") from None
    if name not in RULES:
        raise ValueError(f"unknown rule {name!r}; {near(name, [*RULES, 'fast:0.8'])}")
    return RULES[name]
