"""The Fashion-MNIST run, stopped and killed, against the same run left alone: ``python -m benchmarks.resuming``.

Two processes of one thread train side by side by ``benchmarks.fashion``'s recipe and length. One of them is stopped by
Ctrl-C and by SIGKILL in turn, at random moments spread over the run, and begun again each time. At the end all bits of
the last saved state (weights, averages, optimiser, random states), of the weights for people, and the rows of all
epochs without their times are compared. Stopped itself, the same command goes on.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from compoundnet.training import Interrupted, RunFolder
from compoundnet.training.state import latest_state

from .fashion import epochs_of, recipe_of, trained
from .recording import kept, write

_WALL_CLOCK = ("images_per_s", "seconds")
_LOOK = 1.0  # seconds between looks at the processes


def child(folder: Path, epochs: int) -> int:
    """One process's training, from where the folder stands to the end or to Ctrl-C."""
    torch.set_num_threads(1)
    run = RunFolder(folder)
    try:
        trained(run, recipe_of(run, 0, epochs, 0.0), 1)
    except Interrupted as stop:
        print(stop, flush=True)
        return 130
    return 0


def begun(folder: Path, epochs: int) -> "subprocess.Popen[bytes]":
    """The process that trains in ``folder``; what it prints is added to a file beside."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.resuming", "--child", str(folder), "--epochs", str(epochs)]
    with folder.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def moments(epochs: int, stops: int) -> list[float]:
    """When to stop, in epochs: one random moment in each of as many equal parts of the run."""
    chance = random.Random(0)
    return [epochs * (part + chance.random()) / stops for part in range(stops)]


def disturb(folder: Path, epochs: int, stops: int) -> None:
    """Train in ``folder`` to the end, stopped at each moment that has not passed yet; each stop is written down."""
    stopped = folder.with_suffix(".stops.jsonl")
    done = len(stopped.read_text().splitlines()) if stopped.exists() else 0
    for number, moment in list(enumerate(moments(epochs, stops)))[done:]:
        how = signal.SIGKILL if number % 2 else signal.SIGINT
        process = begun(folder, epochs)
        try:
            _wait_until(process, folder, moment)
        finally:
            process.send_signal(how)
            code = process.wait()
        with stopped.open("a") as file:
            file.write(json.dumps({"epoch": round(moment, 2), "signal": how.name, "exit_code": code}) + "\n")
    if begun(folder, epochs).wait():
        raise SystemExit(f"the disturbed run failed; see {folder.with_suffix('.log')}")


def _wait_until(process: "subprocess.Popen[bytes]", folder: Path, moment: float) -> None:
    """Until the epoch of ``moment`` has begun, and then for its part of the time that an epoch takes."""
    run = RunFolder(folder)
    while len(rows := epochs_of(run) if (folder / "events.jsonl").exists() else []) < int(moment):
        if process.poll() is not None:
            raise SystemExit(f"the disturbed run ended by itself; see {folder.with_suffix('.log')}")
        time.sleep(_LOOK)
    time.sleep((moment % 1) * rows[-1]["seconds"] if rows else 60 * (moment % 1))


def outcome(folder: Path) -> dict[str, Any]:
    """All tensors of the last state and of the weights, by name, and the rows of all epochs."""
    state = latest_state(folder / "resume")
    assert state is not None
    rows = [{k: v for k, v in row.items() if k not in _WALL_CLOCK} for row in state.values["progress"]["history"]]
    weights = {f"weights {k}": v for k, v in load_file(folder / "last" / "model.safetensors").items()}
    return {"tensors": {**state.tensors, **weights}, "rows": rows}


def compared(root: Path, epochs: int) -> Iterator[dict[str, Any]]:
    """The record: what was compared, how often the one run was stopped, and what differs."""
    (one, other), stopped = (outcome(root / name) for name in ("whole", "disturbed")), root / "disturbed.stops.jsonl"
    stops = [json.loads(line) for line in stopped.read_text().splitlines()]
    left, right = one["tensors"], other["tensors"]
    differing = sorted(
        name for name in {*left, *right}
        if name not in left or name not in right or not torch.equal(left[name], right[name])
    )  # fmt: skip
    numbers = sum(tensor.numel() for tensor in left.values())
    counts = {"tensors": len(left), "numbers": numbers, "rows": len(one["rows"])}
    same = {"differing_tensors": differing, "equal_rows": one["rows"] == other["rows"]}
    yield {"what": "resuming", "epochs": epochs, "seed": 0, "threads": 1, "stops": stops, **counts, **same}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resuming", description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--stops", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("runs/resuming"))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return child(given.child, given.epochs)
    whole = begun(given.out / "whole", given.epochs)
    try:
        disturb(given.out / "disturbed", given.epochs, given.stops)
        if whole.wait():
            raise SystemExit(f"the other run failed; see {given.out / 'whole.log'}")
    finally:
        whole.terminate()
    records = list(compared(given.out, given.epochs))
    write("resuming_", f"python -m benchmarks.resuming --epochs {given.epochs} --stops {given.stops}", records)
    bad = records[0]["differing_tensors"] or not records[0]["equal_rows"]
    return kept(["the run that was stopped has other bits than the one left alone"] if bad else [])


if __name__ == "__main__":
    sys.exit(main())
