"""Device: how long an engine takes on a machine for anything that is made of known kernels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from compoundnet.cost import LayerCost
from compoundnet.network import Network
from compoundnet.schema import FieldError, counted, require, require_count, require_kind, require_number, shown

from .kernels import WORK, Kernel, kernels

ROOFLINE_ERROR = 0.3  # what two constants for a whole machine miss by
GMACS_PER_S, GB_PER_S = 20.0, 5.0
_NS = 1e-6  # in milliseconds


@dataclass(frozen=True)
class Price:
    """Nanoseconds that a kind of kernel takes for each unit of its work: a call, a multiply-add, ... (see WORK)."""

    kind: str
    ns: tuple[float, ...]

    def __post_init__(self) -> None:
        require(
            len(self.ns) == len(WORK), "ns", f"{counted(len(self.ns), 'number')}; one for each of {', '.join(WORK)}"
        )
        for value in self.ns:
            require_number(value, "ns", "a number of nanoseconds of at least 0", least=0)


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """Two constants instead of a calibration: a kernel takes its arithmetic or its traffic, whichever is longer."""

    gmacs_per_s: float = GMACS_PER_S
    gb_per_s: float = GB_PER_S

    def __post_init__(self) -> None:
        for name in ("gmacs_per_s", "gb_per_s"):
            require_number(getattr(self, name), name, "a positive number", above=0)

    def ms(self, kernel: Kernel, batch: int) -> Any:
        """Milliseconds of a kernel for a batch of float32 images."""
        compute = batch * kernel.macs / (self.gmacs_per_s * 1e6)
        moved = 4 * (batch * (kernel.read + kernel.written) + kernel.weights) / (self.gb_per_s * 1e6)
        return kernel.calls * (compute + moved + abs(compute - moved)) / 2


@dataclass(frozen=True)
class Sample:
    """A measured network, and its times in milliseconds, one for each pass."""

    network: Network
    ms: tuple[float, ...]

    def __post_init__(self) -> None:
        require(len(self.ms) > 0, "ms", "a sample needs at least one time")
        for value in self.ms:
            require_number(value, "ms", "a positive number of milliseconds", above=0)


@dataclass(frozen=True, kw_only=True)
class Device:
    """An engine on a machine: milliseconds of any network as a sum over its kernels, and how far that is off.

    ``prices`` say what each kind of kernel takes, unless there is a ``roofline``. One call computes ``batch``
    images on ``threads`` threads. ``error`` is the mean absolute error on whole networks that were not fitted,
    ``repeatability`` the mean difference of two measurements of one network, both as shares. ``reference_ms`` is
    what the reference network took. ``samples`` were fitted, ``held_out`` were not.

    >>> from compoundnet.families import named
    >>> from compoundnet.devices import latency
    >>> round(latency(named("efficientnet_b0"), Device(roofline=Roofline(gmacs_per_s=40, gb_per_s=10))), 1)
    20.7
    """

    engine: str = "roofline"
    engine_version: str = ""
    threads: int = 1
    batch: int = 1
    dtype: str = "float32"
    cpu: str = ""
    date: str = ""
    overhead_ms: float = 0.0
    prices: tuple[Price, ...] = ()
    roofline: Roofline | None = None
    error: float = ROOFLINE_ERROR
    repeatability: float = 0.0
    reference_ms: float = 0.0
    samples: tuple[Sample, ...] = ()
    held_out: tuple[Sample, ...] = ()

    def __post_init__(self) -> None:
        for name in ("threads", "batch"):
            require_count(getattr(self, name), name)
        require(self.dtype == "float32", "dtype", f"{shown(self.dtype)}; only float32 is measured")
        for name in ("overhead_ms", "error", "repeatability", "reference_ms"):
            require_number(getattr(self, name), name, "a number of at least 0", least=0)
        if self.roofline is not None:
            require_kind(self.roofline, Roofline, "roofline")
        kinds = [price.kind for price in self.prices]
        require(len(set(kinds)) == len(kinds), "prices", "a kind of kernel stands in it twice")
        require((self.roofline is None) == bool(kinds), "prices", "a device has prices or a roofline, one of them")

    def ms(self, layers: Sequence[LayerCost]) -> Any:
        """Milliseconds of one part of a network (stem, one repeat, head) from its traced layers, without overhead.

        Channels and sides may be arrays that broadcast; then the result is. Raises FieldError for a kernel that
        the calibration did not see.
        """
        if self.roofline is not None:
            return sum((self.roofline.ms(kernel, self.batch) for kernel in kernels(layers)), 0.0)
        prices = {price.kind: price.ns for price in self.prices}
        found: Any = 0.0
        for kernel in kernels(layers):
            require(kernel.kind in prices, "device", f"no price for {kernel.kind}; calibrate again, without --quick")
            for work, ns in zip(kernel.work, prices[kernel.kind], strict=True):
                if ns:
                    found = found + _NS * ns * work
        return found

    def require_made_for(self, **asked: object) -> None:
        """Raise FieldError, with the remedy, for the first thing asked (engine, threads, cpu, ...) that differs."""
        for name, value in asked.items():
            mine = getattr(self, name)
            if mine != value:
                problem = f"the device file is for {shown(mine)}, not for {shown(value)}; calibrate for it"
                raise FieldError(name, problem)

    @property
    def bare(self) -> "Device":
        """The same without the measurements it came from: what a certificate holds."""
        return replace(self, samples=(), held_out=())

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        if self.roofline is not None:
            of = f"{self.roofline.gmacs_per_s:g} GMAC/s and {self.roofline.gb_per_s:g} GB/s"
            return f"roofline of {of}, batch {self.batch}, {threads}"
        return f"{self.engine} {self.engine_version}, batch {self.batch}, {threads}, {self.cpu or 'any machine'}"
