"""The server under load: ``python -m benchmarks.serving [--seconds S] [--rounds N] [--soak S]``.

In each round, in turn: the engine called directly in a loop, and 1, 8 and 32 clients that each ask again
as soon as they are answered, at our server, at ours without batches, and at an unbatched endpoint
(benchmarks/unbatched.py). All run the model on one thread; clients are on the same machine. Then a soak
of good and bad requests, with the server's memory before and after.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import compoundnet as c
from compoundnet.engines import Setting, prepare
from compoundnet.images import read
from compoundnet.measuring.picture import photograph

from .recording import write
from .timing import clock

MODEL, ENGINE = "efficientnet_lite0", "onnxruntime"
CLIENTS = (1, 8, 32)
SERVERS: Mapping[str, tuple[str, ...]] = {
    "compoundnet serve": ("compoundnet", "serve", MODEL, "--port", "0", "--threads", "1", "--engine", ENGINE),
    "compoundnet serve --batch 1": (
        *("compoundnet", "serve", MODEL, "--port", "0", "--threads", "1", "--engine", ENGINE, "--batch", "1"),
    ),
    "unbatched endpoint": ("benchmarks.unbatched", ENGINE),
}
_FORM = b"multipart/form-data; boundary=frontier"


@dataclass
class Load:
    """What clients saw: seconds from question to answer, statuses, the server's own milliseconds of inference."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    infer_ms: list[float] = field(default_factory=list)


def request(picture: bytes, kind: bytes = _FORM) -> bytes:
    """A POST to /predict with a form of one file."""
    head = b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    body = head + picture + b"\r\n--frontier--\r\n"
    lines = (b"POST /predict HTTP/1.1", b"Host: x", b"Content-Type: " + kind, b"Content-Length: %d" % len(body))
    return b"\r\n".join((*lines, b"", body))


async def client(port: int, requests: Sequence[bytes], until: float, load: Load) -> None:
    """Ask again and again on one connection, opened anew when the server closes it."""
    turn = 0
    while time.perf_counter() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.perf_counter() < until:
                start = time.perf_counter()
                writer.write(requests[turn % len(requests)])
                turn += 1
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head)
                assert length
                body = await reader.readexactly(int(length[1]))
                load.latencies.append(time.perf_counter() - start)
                load.statuses[int(head[9:12])] += 1
                if b'"infer"' in body:
                    load.infer_ms.append(json.loads(body)["ms"]["infer"])
        except (ConnectionError, asyncio.IncompleteReadError):
            load.statuses[0] += 1
        finally:
            writer.close()


def loaded(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> Load:
    """So many clients for so long."""
    load = Load()

    async def go() -> None:
        until = time.perf_counter() + seconds
        # Each begins elsewhere in the list, so that good and bad requests meet.
        orders = ([*requests[i % len(requests) :], *requests[: i % len(requests)]] for i in range(clients))
        await asyncio.gather(*(client(port, order, until, load) for order in orders))

    asyncio.run(go())
    return load


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


def memory_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def cpu_ms(pid: int) -> float:
    """The time that all threads of a process have computed so far; other processes do not add to it."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return 1e3 * sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def under_load(rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Requests a second and latencies of each server, beside the engine alone in the same rounds."""
    lite, picture = c.load(MODEL), photograph(500, 375)
    run = prepare(lite.model, Setting(size=lite.weights.preprocess.size), ENGINE)
    images = read(picture, lite.weights.preprocess)[None]
    alone = {"engine": Alone(lambda: run(images)), "read": Alone(lambda: read(picture, lite.weights.preprocess))}
    found: dict[tuple[str, int], list[Measured]] = {}
    with ExitStack() as stack:
        running = {name: stack.enter_context(server(arguments)) for name, arguments in SERVERS.items()}
        for port, _ in running.values():
            loaded(port, [request(picture)], 8, 1.0)
        for _ in range(rounds):
            for call in alone.values():
                call.repeat(seconds / 2)
            for clients in CLIENTS:
                for name, (port, pid) in running.items():
                    measured = measure(port, pid, request(picture), clients, seconds)
                    found.setdefault((name, clients), []).append(measured)
        load_average = round(os.getloadavg()[0], 1)
    for name, call in alone.items():
        yield {"what": f"{name} alone", "threads": 1, **call.figures(), "load_average": load_average}
    for (name, clients), runs in found.items():
        yield {"what": "load", "server": name, "clients": clients, **figures(runs, alone["engine"], alone["read"])}


@dataclass
class Alone:
    """A call repeated: the milliseconds of each, and of processor time in all."""

    call: Callable[[], object]
    ms: list[float] = field(default_factory=list)
    cpu_ms: float = 0.0

    def repeat(self, seconds: float) -> None:
        """Again and again for so long."""
        start, until = time.process_time(), time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.ms.append(clock(self.call))
        self.cpu_ms += 1e3 * (time.process_time() - start)

    def figures(self) -> dict[str, Any]:
        """Median time, and processor time, of one call."""
        each = round(self.cpu_ms / len(self.ms), 3)
        return {"n": len(self.ms), "median_ms": round(statistics.median(self.ms), 3), "cpu_ms": each}


@dataclass(frozen=True)
class Measured:
    """One measurement: its length, the server's processor time in it, and what clients saw."""

    seconds: float
    cpu_ms: float
    load: Load


def measure(port: int, pid: int, asked: bytes, clients: int, seconds: float) -> Measured:
    """So many clients for so long, with the clock and the server's processor time."""
    start, before = time.perf_counter(), cpu_ms(pid)
    load = loaded(port, [asked], clients, seconds)
    return Measured(time.perf_counter() - start, cpu_ms(pid) - before, load)


def figures(runs: Sequence[Measured], engine: Alone, read_: Alone) -> dict[str, Any]:
    """Rate and latency over all rounds, and the processor time beyond the engine's and the picture's."""
    latencies = [1e3 * value for run in runs for value in run.load.latencies]
    infer_ms = [value for run in runs for value in run.load.infer_ms]
    count, wall = len(latencies), sum(run.seconds for run in runs)
    each = sum(run.cpu_ms for run in runs) / count
    cuts = statistics.quantiles(latencies, n=100)
    compute = engine.cpu_ms / len(engine.ms)
    return {
        "n": count,
        "failed": sum(n for run in runs for status, n in run.load.statuses.items() if status != 200),
        "per_second": round(count / wall, 1),
        "p50_ms": round(cuts[49], 2),
        "p99_ms": round(cuts[98], 2),
        "of_engine": round(count / wall * statistics.median(engine.ms) / 1e3, 3),
        "cpu_ms": round(each, 3),
        "http_cpu_share": round((each - read_.cpu_ms / len(read_.ms)) / compute - 1, 3),
        "infer_ms": round(statistics.median(infer_ms), 3) if infer_ms else None,
    }


def soak(seconds: float) -> dict[str, Any]:
    """16 clients; of 8 requests 5 are good, the others no picture, a cut picture, a wrong type."""
    good = request(photograph(500, 375))
    cut = request(photograph(500, 375)[:5000])
    mixed = [good, request(b"no picture"), good, cut, good, request(b"x", b"text/plain"), good, good]
    with server((*SERVERS["compoundnet serve"], "--queue", "12")) as (port, pid):
        loaded(port, mixed, 16, min(10.0, seconds))
        memory = [memory_mb(pid)]
        counts: Counter[int] = Counter()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            counts += loaded(port, mixed, 16, min(10.0, seconds)).statuses
            memory.append(memory_mb(pid))
    statuses = {str(status): count for status, count in sorted(counts.items())}
    ends = {"before_mb": round(memory[0], 1), "after_mb": round(memory[-1], 1), "most_mb": round(max(memory), 1)}
    return {"what": "soak", "seconds": seconds, "clients": 16, "queue": 12, "statuses": statuses, **ends}


def records(rounds: int, seconds: float, soak_seconds: float) -> Iterator[dict[str, Any]]:
    """Load first, then the soak."""
    yield from under_load(rounds, seconds)
    yield soak(soak_seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is done in turn")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each measurement")
    parser.add_argument("--soak", type=float, default=30.0, help="length of the soak in seconds")
    given = parser.parse_args()
    command = f"python -m benchmarks.serving --rounds {given.rounds} --seconds {given.seconds:g} --soak {given.soak:g}"
    more = ("fastapi", "uvicorn", ENGINE)
    write("serving_", command, records(given.rounds, given.seconds, given.soak), *more)


if __name__ == "__main__":
    main()
