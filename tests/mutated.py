"""Read damaged files one after another under a limit of time and memory, and print one line of JSON for each.

Run as ``python -m tests.mutated NETWORK FOLDER:START ...``; a folder holds ``good.pth`` with NETWORK's weights, whose
bytes begin at START, and damaged copies in ``bad``. A file that takes too long ends the program, which
catches no signal.
"""

import json
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from compoundnet.families import named
from compoundnet.network import Network
from compoundnet.weights import CheckpointError, load, read_checkpoint

T = TypeVar("T")
SECONDS = 5.0  # of the processor: other programs may be at work
SPARE = 24 << 20  # bytes of address space beside twice the file: arenas of allocators


def network(name: str) -> Network:
    """The network of a member, with few classes."""
    return Network.from_dict({**named(name).to_dict(), "classes": 10})


def memory(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:")) << 10


def parts(tensors: Mapping[str, Tensor]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {
        name: (str(tensor.dtype), tuple(tensor.shape), tensor.contiguous().numpy().tobytes())
        for name, tensor in tensors.items()
    }


def only_numbers_differ(good: bytes, bad: bytes, start: int) -> bool:
    """Whether two files differ only behind ``start``, where the tensors' own bytes begin."""
    return len(good) == len(bad) and good[:start] == bad[:start]


class Gauge:
    """What is done under the limits of a file: the bytes that the process grew by at most."""

    def __init__(self, size: int) -> None:
        self.size, self.peak = size, 0

    def under(self, do: Callable[[], T]) -> T:
        """Do something in SECONDS and in the memory that a file of this size may take."""
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = memory("VmRSS")
        resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + 2 * self.size + SPARE, hard))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            return do()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
            self.peak = max(self.peak, memory("VmHWM") - before)


def outcome(path: Path, good: Path, start: int, expected: dict[str, Any], of: Network, gauge: Gauge) -> str:
    """What reading gives: an error line, or whether the tensors are the good file's."""
    try:
        found = parts(gauge.under(lambda: read_checkpoint(path)).tensors)
    except CheckpointError as error:
        line = str(error)
        return "refused" if line.startswith(f"{path}: ") and "\n" not in line and len(line) < 600 else f"bad: {line}"
    if found == expected:
        return "same"
    if only_numbers_differ(good.read_bytes(), path.read_bytes(), start):
        return "other numbers"
    found.clear()
    try:
        gauge.under(lambda: load(path, network=of))
    except CheckpointError:
        return "other names, refused by load"
    return "wrong"


def main(good: Path, folder: Path, start: int, of: Network) -> None:
    for _ in range(3):
        expected = parts(read_checkpoint(good).tensors)
        load(good, network=of)
    for path in sorted(folder.iterdir()):
        gauge = Gauge(path.stat().st_size)
        sys.stdout.write(json.dumps({"file": str(path)}) + "\n")
        sys.stdout.flush()
        try:
            found = outcome(path, good, start, expected, of, gauge)
        except Exception as error:  # it is what the test is about
            found = f"crash: {type(error).__name__}: {error}"
        sys.stdout.write(json.dumps({"outcome": found, "size": gauge.size, "peak": gauge.peak}) + "\n")


if __name__ == "__main__":
    for place in sys.argv[2:]:
        folder, _, number = place.rpartition(":")
        main(Path(folder) / "good.pth", Path(folder) / "bad", int(number), network(sys.argv[1]))
