"""Run every benchmark and write one record a line: ``python -m benchmarks [--rounds N]``.

The file is named after device, torch version, dtype and date. A record keeps n, median, minimum
and maximum, and the machine it was taken on; ratios are taken pair by pair within one run.
"""

import argparse
import datetime
import json
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from . import against_torchvision, arithmetic, decoding, startup

RESULTS = Path(__file__).parent.parent / "results" / "benchmarks"


def machine() -> dict[str, Any]:
    """What a figure depends on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    versions = {name: metadata.version(name) for name in ("torch", "torchvision", "numpy", "pillow")}
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def records(rounds: int) -> Iterator[dict[str, Any]]:
    """All benchmarks in turn."""
    yield from arithmetic.records(rounds)
    yield from startup.records(rounds)
    yield from decoding.records(rounds)
    yield from against_torchvision.records(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="repeats of each measurement")
    rounds = parser.parse_args().rounds
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    common = {"date": date, "command": f"python -m benchmarks --rounds {rounds}", "machine": machine()}
    target = RESULTS / f"cpu_torch{metadata.version('torch')}_float32_{date}.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for record in records(rounds):
        print(json.dumps(record), flush=True)
        lines.append(json.dumps({**record, **common}) + "\n")
    beside = target.with_suffix(".part")
    beside.write_text("".join(lines))
    beside.rename(target)


if __name__ == "__main__":
    main()
