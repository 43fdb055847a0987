"""Budget: the limits of Eq. 2, each on a cost that is counted exactly."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from .schema import require, require_choice, require_count, require_number

BYTES: Mapping[str, int] = MappingProxyType({"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1})
# A file of weights lists every tensor by name, type, shape and place, in at most so many bytes, the count of
# batches of a norm included; and keeps a record, of which the names of ImageNet's classes are the larger part.
LISTED, RECORD = 128, 24_576
# Predictions are sums of floating-point numbers, whose last digits depend on the order in which they are added.
PREDICTED, SLACK = frozenset({"latency_ms"}), 1e-9
UNITS: Mapping[str, str] = MappingProxyType(
    {"memory": "bytes", "training_memory": "bytes", "file_size": "bytes", "latency_ms": "ms"}
)
OptimizerName: TypeAlias = Literal["sgd", "momentum", "rmsprop", "adam", "adamw"]  # momentum is sgd with it
# How many numbers an optimizer keeps for each parameter, beside the parameter and its gradient.
OPTIMIZERS: Mapping[str, int] = MappingProxyType({"sgd": 0, "momentum": 1, "rmsprop": 2, "adam": 2, "adamw": 2})


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits on a network for one image; None leaves a cost free.

    ``macs``, ``params`` and ``activations`` are counts as ``Cost`` has them. ``memory`` is in bytes: the
    parameters and the most activations alive at once, in ``dtype``. ``training_memory`` is in bytes of
    float32: parameters, gradients, what ``optimizer`` keeps, and the activations that wait for the backward pass
    of ``batch`` images. ``file_size`` is in bytes of the file that ``save`` writes in ``dtype``: parameters and running
    statistics, at most 128 for each tensor's name, and at most 24,576 for the record. ``latency_ms`` is in
    milliseconds, as a calibrated device predicts one call. Raises FieldError for limits and counts below 1, a latency
    that is not positive, unknown names, and a file size in int8, which ``save`` does not write.

    >>> from compoundnet.cost import cost
    >>> from compoundnet.families import named
    >>> budget = Budget(macs=400_000_000, params=5_000_000)
    >>> budget.admits(cost(named("efficientnet_b0"))), budget.needs(cost(named("efficientnet_b0")))
    (False, {'macs': 385814752, 'params': 5288548})
    """

    macs: int | None = None
    params: int | None = None
    activations: int | None = None
    memory: int | None = None
    training_memory: int | None = None
    file_size: int | None = None
    latency_ms: float | None = None
    dtype: str = "float32"
    batch: int = 1
    optimizer: str = "rmsprop"

    def __post_init__(self) -> None:
        if self.latency_ms is not None:
            require_number(self.latency_ms, "latency_ms", "a positive number of milliseconds", above=0)
        for name in LIMITS.keys() - PREDICTED:
            limit = getattr(self, name)
            whole = limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1)
            require(whole, name, f"{limit!r} is not a whole number of at least 1")
        require_count(self.batch, "batch")
        require_choice(self.dtype, tuple(BYTES), "dtype")
        require_choice(self.optimizer, tuple(OPTIMIZERS), "optimizer")
        problem = "save writes no file in int8; limit its size in float32, bfloat16 or float16"
        require(self.file_size is None or self.dtype != "int8", "dtype", problem)

    @property
    def limits(self) -> dict[str, int | float]:
        """What is limited, by name."""
        return {name: getattr(self, name) for name in LIMITS if getattr(self, name) is not None}

    def needs(self, cost: Any) -> dict[str, Any]:
        """What a network of this cost takes of each limit; arrays of costs (by name, as attributes) give arrays."""
        return {name: LIMITS[name](self, cost) for name in self.limits}

    def __str__(self) -> str:
        """The limits, and what those in bytes are counted for.

        >>> str(Budget(macs=400_000_000, memory=64_000_000, dtype="float16"))
        '400,000,000 macs, 64,000,000 bytes of memory (float16)'
        """
        made = self.counted_in
        limits = ((amount(name, most), made.get(name)) for name, most in self.limits.items())
        return ", ".join(text if of is None else f"{text} ({of})" for text, of in limits)

    @property
    def counted_in(self) -> dict[str, str]:
        """What the costs in bytes are counted for, by their names."""
        training = f"batch {self.batch}, {self.optimizer}"
        return {"memory": self.dtype, "file_size": self.dtype, "training_memory": training}

    @property
    def most(self) -> dict[str, int | float]:
        """The most that is admitted of each limit: counts exactly, latency with a relative slack of 1e-9."""
        return {name: limit * (1 + SLACK) if name in PREDICTED else limit for name, limit in self.limits.items()}

    def over(self, cost: Any) -> dict[str, Any]:
        """What a network of this cost needs of each limit that it breaks."""
        most = self.most
        return {name: need for name, need in self.needs(cost).items() if need > most[name]}

    def admits(self, cost: Any) -> Any:
        """Whether every limit holds; for arrays of costs, where it does."""
        most = self.most
        holds: Any = True
        for name, needed in self.needs(cost).items():
            holds = holds & (needed <= most[name])
        return holds

    def use(self, cost: Any) -> Any:
        """The share of the tightest limit that a cost takes: at most 1, but for the slack, where it is admitted."""
        shares = [needed / self.limits[name] for name, needed in self.needs(cost).items()]
        require(len(shares) > 0, "budget", "nothing is limited; limit at least one cost")
        largest = shares[0]
        for share in shares[1:]:
            # The maximum of two, for numbers and arrays alike.
            largest = (largest + share + abs(largest - share)) / 2
        return largest


def _memory(budget: Budget, cost: Any) -> Any:
    return BYTES[budget.dtype] * (cost.params + cost.peak_activations)


def _training_memory(budget: Budget, cost: Any) -> Any:
    copies = 2 + OPTIMIZERS[budget.optimizer]
    return BYTES["float32"] * (copies * cost.params + budget.batch * cost.training_activations)


def _latency(_: Budget, cost: Any) -> Any:
    problem = "a limit on latency needs a device; calibrate one, or give a roofline"
    require(hasattr(cost, "latency_ms"), "latency_ms", problem)
    return cost.latency_ms


def figure(value: float, digits: int = 6) -> str:
    """An amount for people: whole numbers exactly, others to so many significant digits, without noughts at the end.

    >>> figure(385814752), figure(30.00000004), figure(8.98405, 4), figure(123456.7, 4)
    ('385,814,752', '30', '8.984', '123,457')
    """
    if isinstance(value, int):
        return f"{value:,}"
    places = max(0, digits - 1 - math.floor(math.log10(value))) if value > 0 else 0
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def measure(name: str, value: float, limit: float | None = None) -> str:
    """An amount of one cost with its unit; one that breaks ``limit`` has the digits that tell the two apart.

    >>> measure("macs", 400), measure("memory", 400), measure("latency_ms", 8.98405)
    ('400', '400 bytes', '8.984 ms')
    >>> measure("latency_ms", 30.00004, limit=30.0)
    '30.00004 ms'
    """
    found = figure(value, 4) if limit is None else beside(value, limit)
    return f"{found} {UNITS[name]}" if name in UNITS else found


def beside(value: float, limit: float) -> str:
    """An amount to four significant digits, or to as many more as tell it from its limit.

    >>> beside(8.98405, 30.0), beside(29.99996, 30.0), beside(30.0, 30.0)
    ('8.984', '29.99996', '30')
    """
    texts = [figure(value, digits) for digits in range(4, 16 if value != limit else 5)]
    return next((text for text in texts if text != figure(limit)), texts[-1])


def words(name: str) -> str:
    """The name of a cost in words, without its unit.

    >>> words("training_memory"), words("latency_ms")
    ('training memory', 'latency')
    """
    return name.removesuffix("_ms").replace("_", " ")


def amount(name: str, value: float, limit: float | None = None) -> str:
    """An amount with its unit and what it is of.

    >>> amount("macs", 385814752), amount("memory", 400), amount("latency_ms", 30.0)
    ('385,814,752 macs', '400 bytes of memory', '30 ms of latency')
    """
    of = "of " if name in UNITS else ""
    return f"{measure(name, value, limit)} {of}{words(name)}"


def breach(name: str, need: float, limit: float) -> str:
    """What breaks a limit, and the limit.

    >>> breach("latency_ms", 8.98405, 5.0)
    '8.984 ms of latency, the limit is 5 ms'
    """
    unit = f" {UNITS[name]}" if name in UNITS else ""
    return f"{amount(name, need, limit)}, the limit is {figure(limit)}{unit}"


def _file_size(budget: Budget, cost: Any) -> Any:
    return BYTES[budget.dtype] * (cost.params + cost.buffers) + LISTED * cost.tensors + RECORD


LIMITS: Mapping[str, Callable[[Budget, Any], Any]] = MappingProxyType(
    {
        "macs": lambda _, cost: cost.macs,
        "params": lambda _, cost: cost.params,
        "activations": lambda _, cost: cost.activations,
        "memory": _memory,
        "training_memory": _training_memory,
        "file_size": _file_size,
        "latency_ms": _latency,
    }
)
assert all(name in {field.name for field in fields(Budget)} for name in LIMITS)
