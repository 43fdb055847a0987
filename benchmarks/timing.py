"""Clock a call; compare two calls in turn so that their ratio holds on a noisy machine."""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

_ONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def on_one_thread(module: str) -> None:
    """Begin the process anew with one thread, unless it has one: both variables are read when NumPy loads."""
    if any(os.environ.get(name) != value for name, value in _ONE.items()):
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], os.environ | _ONE)


def clock(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def summary(values: list[float], digits: int = 3) -> dict[str, Any]:
    """n, median, minimum and maximum."""
    low, high = round(min(values), digits), round(max(values), digits)
    return {"n": len(values), "median": round(statistics.median(values), digits), "min": low, "max": high}


def alone(call: Callable[[], object], rounds: int) -> dict[str, Any]:
    """Milliseconds of a call after one warm-up."""
    call()
    return summary([clock(call) for _ in range(rounds)])


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> dict[str, Any]:
    """Both in turn, in both orders (A B, B A, ...), and the ratio ours / theirs of each pair."""
    for _ in range(3):
        ours()
        theirs()
    one: list[float] = []
    two: list[float] = []
    for index in range(rounds):
        first, second = (ours, theirs) if index % 2 == 0 else (theirs, ours)
        a, b = clock(first), clock(second)
        one.append(a if index % 2 == 0 else b)
        two.append(b if index % 2 == 0 else a)
    ratios = [a / b for a, b in zip(one, two, strict=True)]
    return {"ours_ms": summary(one), "theirs_ms": summary(two), "ratio": summary(ratios, 4)}
