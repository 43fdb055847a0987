"""Time and memory of a conversion, proof included: ``python -m benchmarks.converting [--network NAME] [--rounds N]``.

Each runs in a process of its own, which converts a small file first: what is measured is the most memory that is
resident on top of what the libraries take, mapped pages of the files included, and the time of the call.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .recording import kept, write

WAYS = (
    ("compoundnet", ".safetensors", "timm", ".pth"),
    ("compoundnet", ".safetensors", "torchvision", ".safetensors"),
    ("timm", ".pth", "compoundnet", ".safetensors"),
    ("lukemelas", ".pth", "torchvision", ".pth"),
)
MOST_SECONDS, MOST_SHARE = 10.0, 1.5  # of a conversion of EfficientNet-B7, and of its file's size
_THREADS = 1


def made(folder: Path, name: str) -> dict[tuple[str, str], Path]:
    """A file of drawn weights for each kind that is converted from."""
    from compoundnet import named, save
    from compoundnet.export import random_weights
    from compoundnet.weights import convert

    drawn = random_weights(named(name), name)
    files = {("compoundnet", ".safetensors"): folder / "own.safetensors"}
    save(files["compoundnet", ".safetensors"], drawn.model, drawn.weights)
    for kind, suffix, _, _ in WAYS:
        if (kind, suffix) not in files:
            files[kind, suffix] = folder / f"tf_{kind}{suffix}"
            convert(folder / "own.safetensors", kind, files[kind, suffix])
    return files


def converted(source: Path, small: Path, to: str, out: Path) -> dict[str, Any]:
    """One conversion in a process of its own: seconds, and the most bytes resident on top of what was there."""
    command = [sys.executable, "-m", "benchmarks.converting", "--child", str(source), str(small), to, str(out)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _child(source: str, small: str, to: str, out: str) -> None:
    import torch

    from compoundnet.weights import convert

    torch.set_num_threads(_THREADS)
    convert(small, "timm", f"{out}.small.pth", force=True)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
    before = _status("VmRSS")
    start, busy = time.perf_counter(), time.process_time()
    done = convert(source, to, out)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    figures = {
        "seconds": seconds,
        "busy": busy,
        "peak": _status("VmHWM") - before,
        "difference": done.parity.difference,
    }
    print(json.dumps({**figures, "bytes": Path(source).stat().st_size, "tensors": len(done.keys)}))


def _status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")))


def records(name: str, rounds: int) -> Iterator[dict[str, Any]]:
    """One line a way: seconds on the clock and on the processor, and the most memory of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        files = made(Path(folder), name)
        small = made(Path(tempfile.mkdtemp(dir=folder)), "tiny")["compoundnet", ".safetensors"]
        for kind, suffix, to, ending in WAYS:
            runs = []
            for _ in range(rounds):
                out = Path(folder) / f"out{ending}"
                runs.append(converted(files[kind, suffix], small, to, out))
                out.unlink()
            seconds, busy, peaks = ([run[key] for run in runs] for key in ("seconds", "busy", "peak"))
            yield {
                "what": "convert",
                "network": name,
                "from": f"{kind} {suffix}",
                "to": f"{to} {ending}",
                "bytes": runs[0]["bytes"],
                "tensors": runs[0]["tensors"],
                "n": rounds,
                "seconds": _spread(seconds),
                "busy_seconds": _spread(busy),
                "peak": max(peaks),
                "share": round(max(peaks) / runs[0]["bytes"], 3),
                "difference": max(run["difference"] for run in runs),
            }


def _spread(figures: list[float]) -> dict[str, float]:
    named = {"median": statistics.median(figures), "min": min(figures), "max": max(figures)}
    return {name: round(value, 2) for name, value in named.items()}


def missed(lines: list[dict[str, Any]]) -> list[str]:
    """What a run does not keep of what is promised; others at work on the machine make no conversion slow."""
    slow = [each for each in lines if each["seconds"]["min"] > MOST_SECONDS]
    large = [each for each in lines if each["share"] > MOST_SHARE]
    return [
        *(f"{each['from']} to {each['to']}: {each['seconds']['min']} s, at most {MOST_SECONDS:g}" for each in slow),
        *(f"{each['from']} to {each['to']}: {each['share']} of the file, at most {MOST_SHARE}" for each in large),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.converting", description=__doc__)
    parser.add_argument("--network", default="efficientnet_b7", help="whose drawn weights are converted")
    parser.add_argument("--rounds", type=int, default=3, help="repeats of each conversion")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        _child(*given.child)
        return 0
    command = f"python -m benchmarks.converting --network {given.network} --rounds {given.rounds}"
    lines = list(records(given.network, given.rounds))
    write("converting_", command, lines)
    return kept(missed(lines))


if __name__ == "__main__":
    sys.exit(main())
