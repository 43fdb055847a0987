"""Read damaged files one after another under a limit of time and memory, and print one line of JSON for each.

Run as ``python -m tests.mutated FOLDER:START ...``; a folder holds ``good.pth``, whose tensors' bytes begin at START,
and damaged copies in ``bad``. A file that takes too long ends the program: the alarm is not caught.
"""

import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from compoundnet.families import named
from compoundnet.network import Network
from compoundnet.weights import CheckpointError, load, read_checkpoint

SECONDS = 5.0
SPARE = 24 << 20  # bytes of address space beside twice the file: arenas of allocators
NETWORK = Network.from_dict({**named("tiny").to_dict(), "classes": 10})


def memory(field: str) -> int:
    """A line of /proc/self/status, in bytes."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:")) << 10


def parts(tensors: dict[str, Tensor]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {
        name: (str(tensor.dtype), tuple(tensor.shape), tensor.contiguous().numpy().tobytes())
        for name, tensor in tensors.items()
    }


def only_numbers_differ(good: bytes, bad: bytes, start: int) -> bool:
    """Whether two files differ only behind ``start``, where the tensors' own bytes begin."""
    return len(good) == len(bad) and good[:start] == bad[:start]


def outcome(path: Path, good: Path, start: int, expected: dict[str, Any]) -> str:
    """What reading gives: an error line, or whether the tensors are the good file's."""
    try:
        found = parts(dict(read_checkpoint(path).tensors))
    except CheckpointError as error:
        line = str(error)
        return "refused" if line.startswith(f"{path}: ") and "\n" not in line and len(line) < 600 else f"bad: {line}"
    if found == expected:
        return "same"
    if only_numbers_differ(good.read_bytes(), path.read_bytes(), start):
        return "other numbers"
    try:
        load(path, network=NETWORK)
    except CheckpointError:
        return "other names, refused by load"
    return "wrong"


def main(good: Path, folder: Path, start: int) -> None:
    for _ in range(3):
        expected = parts(dict(read_checkpoint(good).tensors))
        load(good, network=NETWORK)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size
        sys.stdout.write(json.dumps({"file": str(path)}) + "\n")
        sys.stdout.flush()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = memory("VmRSS")
        resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + 2 * size + SPARE, hard))
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            found = outcome(path, good, start, expected)
        except Exception as error:  # it is what the test is about
            found = f"crash: {type(error).__name__}: {error}"
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        line = {"outcome": found, "size": size, "peak": memory("VmHWM") - before}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    for place in sys.argv[1:]:
        folder, _, number = place.rpartition(":")
        main(Path(folder) / "good.pth", Path(folder) / "bad", int(number))
