"""The server under load: ``python -m benchmarks.serving [--seconds S] [--rounds N] [--soak S] [--model M]``.

In each round, in turn: the engine called directly in a loop; one thread that reads pictures and one that runs
the engine on them, without HTTP; then 1, 8 and 32 clients that each ask again as soon as they are answered, at our
server and at an unbatched endpoint (benchmarks/unbatched.py). All run the model on one thread; clients are on the
same machine. Then a soak of good and bad requests. Exit code 1 when a limit is missed.
"""

import argparse
import os
import queue
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import compoundnet as c
from compoundnet.engines import Prepared, Setting, prepare
from compoundnet.images import read
from compoundnet.measuring.picture import photograph
from compoundnet.preprocess import Preprocess

from .clients import Load, loaded, request
from .recording import write
from .soaking import soak
from .timing import clock

MODEL, ENGINE = "efficientnet_lite0", "onnxruntime"
CLIENTS = (1, 8, 32)
SATURATED = (8, 32)
OURS, THEIRS = "compoundnet serve", "unbatched endpoint"
# What the server promises at saturation: of the engine's own rate, of the rate without HTTP, of the engine's
# processor time for all that HTTP adds, of the unbatched endpoint's rate; and in the soak.
LEAST_OF_ENGINE = 0.9
MOST_HTTP_CPU = 0.1
LEAST_OF_UNBATCHED = 1.0
MOST_GROWTH_MB = 20.0


def commands(model: str) -> dict[str, tuple[str, ...]]:
    """The servers, by what they are called in the records."""
    options = ("--port", "0", "--threads", "1", "--engine", ENGINE)
    return {OURS: ("compoundnet", "serve", model, *options), THEIRS: ("benchmarks.unbatched", ENGINE, model)}


@contextmanager
def server(arguments: tuple[str, ...]) -> Generator[tuple[int, int]]:
    """A server in a process of its own: its port and process id."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as out:
        try:
            port = re.search(r"127\.0\.0\.1:(\d+)", out.readline())
            assert port
            yield int(port[1]), process.pid
        finally:
            process.terminate()
            process.wait(60)


def cpu_ms(pid: int) -> float:
    """The time that all threads of a process have computed so far; other processes do not add to it."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return 1e3 * sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@dataclass
class Alone:
    """A call repeated in this process: the milliseconds of each, and of wall and processor time in all."""

    call: Callable[[], object]
    ms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0

    def repeat(self, seconds: float) -> None:
        """Again and again for so long."""
        start, cpu, until = time.perf_counter(), time.process_time(), time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.ms.append(clock(self.call))
        self.seconds += time.perf_counter() - start
        self.cpu += 1e3 * (time.process_time() - cpu)

    @property
    def cpu_ms(self) -> float:
        """Processor time of one call."""
        return self.cpu / len(self.ms)

    @property
    def per_second(self) -> float:
        """Calls a second."""
        return len(self.ms) / self.seconds

    def figures(self) -> dict[str, Any]:
        """Median time, rate and processor time of one call."""
        figures = {"median_ms": statistics.median(self.ms), "per_second": self.per_second, "cpu_ms": self.cpu_ms}
        return {"n": len(self.ms), **{name: round(value, 3) for name, value in figures.items()}}


@contextmanager
def pictures(picture: bytes, preprocess: Preprocess) -> Generator[Callable[[], Any]]:
    """The next picture of a thread that reads the same one again and again, two ahead: all of the work but HTTP."""
    ready: queue.Queue[Any] = queue.Queue(2)
    going = threading.Event()
    going.set()

    def reading() -> None:
        while going.is_set():
            ready.put(read(picture, preprocess)[None])

    thread = threading.Thread(target=reading)
    thread.start()
    try:
        yield ready.get
    finally:
        going.clear()
        while thread.is_alive():
            with suppress(queue.Empty):
                ready.get(timeout=0.1)


@dataclass(frozen=True)
class Bench:
    """What is measured beside the servers: the engine, and the engine fed by a thread that reads pictures."""

    picture: bytes
    preprocess: Preprocess
    run: Prepared
    engine: Alone
    fed: Alone

    def round(self, seconds: float) -> None:
        """Both for so long."""
        self.engine.repeat(seconds)
        with pictures(self.picture, self.preprocess) as following:
            self.fed.call = lambda: self.run(following())
            self.fed.repeat(seconds)


def bench(model: str) -> Bench:
    """The engine for one picture on one thread."""
    pretrained, picture = c.load(model), photograph(500, 375)
    preprocess = pretrained.weights.preprocess
    run = prepare(pretrained.model, Setting(size=preprocess.size), ENGINE)
    images = np.ascontiguousarray(read(picture, preprocess)[None])
    return Bench(picture, preprocess, run, Alone(lambda: run(images)), Alone(lambda: None))


def under_load(model: str, rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Requests a second and latencies of each server, beside the engine in the same rounds."""
    torch.set_num_threads(1)
    here = bench(model)
    asked = [request(here.picture)]
    found: dict[tuple[str, int], list[Measured]] = {}
    with ExitStack() as stack:
        running = {name: stack.enter_context(server(command)) for name, command in commands(model).items()}
        for port, _ in running.values():
            loaded(port, asked, 8, 1.0)
        for turn in range(rounds):
            here.round(seconds)
            for clients in CLIENTS:
                for name in sorted(running, reverse=turn % 2 == 1):
                    found.setdefault((name, clients), []).append(measure(*running[name], asked, clients, seconds))
        load_average = round(os.getloadavg()[0], 1)
    common = {"model": model, "threads": 1}
    yield {"what": "engine alone", **common, **here.engine.figures(), "load_average": load_average}
    yield {"what": "engine fed", **common, **here.fed.figures()}
    for (name, clients), runs in found.items():
        yield {"what": "load", **common, "server": name, "clients": clients, **figures(runs, here)}


@dataclass(frozen=True)
class Measured:
    """One measurement: its length, the server's processor time in it, and what clients saw."""

    seconds: float
    cpu_ms: float
    load: Load


def measure(port: int, pid: int, asked: Sequence[bytes], clients: int, seconds: float) -> Measured:
    """So many clients for so long, with the clock and the server's processor time."""
    start, before = time.perf_counter(), cpu_ms(pid)
    load = loaded(port, asked, clients, seconds)
    return Measured(time.perf_counter() - start, cpu_ms(pid) - before, load)


def figures(runs: Sequence[Measured], here: Bench) -> dict[str, Any]:
    """Rate and latency over all rounds; processor time beyond that of pictures and engine without HTTP."""
    latencies = [1e3 * value for run in runs for value in run.load.latencies]
    count = len(latencies)
    rate, each = count / sum(run.seconds for run in runs), sum(run.cpu_ms for run in runs) / count
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "n": count,
        "failed": sum(n for run in runs for status, n in run.load.statuses.items() if status != 200),
        "per_second": round(rate, 1),
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
        "of_engine": round(rate / here.engine.per_second, 3),
        "of_fed": round(rate / here.fed.per_second, 3),
        "cpu_ms": round(each, 3),
        "http_cpu_share": round((each - here.fed.cpu_ms) / here.engine.cpu_ms, 3),
    }


def missed(lines: Sequence[dict[str, Any]]) -> list[str]:
    """The limits that a run does not keep, one line each."""
    rows = {(line["server"], line["clients"]): line for line in lines if line["what"] == "load"}
    late: list[str] = []
    for clients in SATURATED:
        ours, theirs = rows[OURS, clients], rows[THEIRS, clients]
        ratio = round(ours["per_second"] / theirs["per_second"], 3)
        kept = (
            ("of the engine's rate", ours["of_engine"], ours["of_engine"] >= LEAST_OF_ENGINE, LEAST_OF_ENGINE),
            ("processor time for HTTP", ours["http_cpu_share"], ours["http_cpu_share"] <= MOST_HTTP_CPU, MOST_HTTP_CPU),
            ("of the unbatched rate", ratio, ratio >= LEAST_OF_UNBATCHED, LEAST_OF_UNBATCHED),
            ("failed requests", ours["failed"], ours["failed"] == 0, 0),
        )
        late += [
            f"{clients} clients: {what} {got}, the limit is {limit}" for what, got, fine, limit in kept if not fine
        ]
    soaked = lines[-1]
    if soaked["server_errors"] or soaked["broken_off"]:
        late.append(f"soak: {soaked['server_errors']} server errors and {soaked['broken_off']} broken connections")
    if soaked["growth_mb"] > MOST_GROWTH_MB:
        late.append(f"soak: memory grew by {soaked['growth_mb']} MB, the limit is {MOST_GROWTH_MB}")
    return late


def records(model: str, rounds: int, seconds: float, soak_seconds: float) -> Iterator[dict[str, Any]]:
    """Load first, then the soak."""
    yield from under_load(model, rounds, seconds)
    with server((*commands(model)[OURS], "--queue", "12")) as (port, pid):
        yield {"what": "soak", "model": model, "queue": 12, **soak(port, pid, soak_seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is done in turn")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--soak", type=float, default=30.0, help="length of the soak in seconds")
    parser.add_argument("--model", default=MODEL, help="a name with weights, or a file of weights")
    given = parser.parse_args()
    options = f"--rounds {given.rounds} --seconds {given.seconds:g} --soak {given.soak:g}"
    kind, options = ("serving_", options) if given.model == MODEL else ("serving_other_", f"{options} --model MODEL")
    lines: list[dict[str, Any]] = []

    def noted() -> Iterator[dict[str, Any]]:
        for line in records(given.model, given.rounds, given.seconds, given.soak):
            lines.append(line)
            yield line

    write(kind, f"python -m benchmarks.serving {options}", noted(), "fastapi", "uvicorn", "httptools", ENGINE)
    if late := missed(lines):
        raise SystemExit("\n".join(late))


if __name__ == "__main__":
    main()
