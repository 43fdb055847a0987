"""Good and bad requests for minutes: what the server answers, and whether its memory and files stay as they are."""

import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compoundnet.measuring.picture import photograph

from .clients import loaded, request

_CLIENTS = 16
_SLICE_SECONDS = 5.0
_SETTLING_SECONDS = 30.0
_OVERLOAD = 503


def memory_mb(pid: int) -> float:
    """What a process holds in memory now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def files(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def mixed() -> list[bytes]:
    """Eight requests: five good ones of two sizes, no picture, a cut picture, a wrong type."""
    small, large = request(photograph(500, 375)), request(photograph(2000, 1500))
    cut = request(photograph(500, 375)[:5000])
    return [small, request(b"no picture"), large, cut, small, request(b"x", b"text/plain"), small, small]


def soak(port: int, pid: int, seconds: float) -> dict[str, Any]:
    """So many seconds of it in short slices; memory and files after each. The first part lets memory settle."""
    requests = mixed()
    loaded(port, requests, _CLIENTS, min(_SETTLING_SECONDS, seconds / 5))
    time.sleep(1.0)
    memory, before = [memory_mb(pid)], files(pid)
    counts: Counter[int] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        counts += loaded(port, requests, _CLIENTS, min(_SLICE_SECONDS, seconds)).statuses
        memory.append(memory_mb(pid))
    time.sleep(1.0)
    return {
        "seconds": seconds,
        "clients": _CLIENTS,
        "statuses": {str(status): count for status, count in sorted(counts.items())},
        "server_errors": sum(n for status, n in counts.items() if status >= 500 and status != _OVERLOAD),
        "broken_off": counts[0],
        "before_mb": round(memory[0], 1),
        "after_mb": round(memory[-1], 1),
        "most_mb": round(max(memory), 1),
        **growth(memory),
        "files_before": before,
        "files_after": files(pid),
    }


def growth(memory: Sequence[float]) -> dict[str, float]:
    """How much the memory grew from its first value, and its trend by least squares over the second half."""
    later = memory[len(memory) // 2 :]
    slope = statistics.linear_regression(range(len(later)), later).slope if len(later) > 1 else 0.0
    return {"growth_mb": round(memory[-1] - memory[0], 1), "trend_mb_per_minute": round(slope * 60 / _SLICE_SECONDS, 2)}
