"""Records of a benchmark run: one JSON line each, in a file named after kind, device, torch version, dtype and date."""

import datetime
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results" / "benchmarks"


def machine(*more: str) -> dict[str, Any]:
    """What a figure depends on; ``more`` names packages beside the usual ones."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    versions = {name: metadata.version(name) for name in ("torch", "torchvision", "numpy", "pillow", *more)}
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def kept(problems: Sequence[str]) -> int:
    """The exit code of a run, 1 with what it did not keep on standard error."""
    if problems:
        print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


def write(kind: str, command: str, records: Iterable[dict[str, Any]], *more: str) -> None:
    """Print the records as they come, and write them with date, command and machine when all are there."""
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    common = {"date": date, "command": command, "machine": machine(*more)}
    target = RESULTS / f"{kind}cpu_torch{metadata.version('torch')}_float32_{date}.jsonl"
    target.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for record in records:
        print(json.dumps(record), flush=True)
        lines.append(json.dumps({**record, **common}) + "\n")
    beside = target.with_suffix(".part")
    beside.write_text("".join(lines))
    beside.rename(target)
