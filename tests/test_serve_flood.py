"""Ten thousand bad requests at once, against the real server: it answers, stays up, and keeps nothing."""

import asyncio
import json
import resource
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from .pictures import COFFEE, png_header
from .served import FORM, Server, form, head, serving, until

REQUESTS = 10_000
GOOD = form(COFFEE.read_bytes(), "coffee.png")


def posted(body: bytes, path: str = "/predict", kind: str = FORM) -> bytes:
    return head(path, len(body), kind) + body


# What is sent, and the statuses that may come back besides 503; none where the sender breaks off.
BAD: Sequence[tuple[bytes, set[int]]] = (
    (posted(b"hello"), {400}),
    (posted(form(b"no picture")), {400}),
    (posted(form(png_header(60_000, 60_000))), {400}),
    (posted(form(GOOD[2000:9000]), "/explain"), {400}),
    (posted(b"[1,", kind="application/json"), {400}),
    (posted(b"abc", kind="text/plain"), {415}),
    (posted(b"abc", "/explain?class=-1"), {400}),
    (posted(b"abc", "/predict?top=0"), {400}),
    (posted(b"abc", "/upload"), {404}),
    (b"GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    (b"DELETE /predict HTTP/1.1\r\nHost: x\r\n\r\n", {405}),
    (head("/predict", 2_000_000) + b"far too little", {413}),
    (head("/predict", 10**30) + b"far too little", {400}),
    (head("/explain", None) + b"zz\r\n", {400}),
    (b"\x16\x03\x01\x02 no HTTP at all\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n", {431}),
    (head("/predict", 50_000) + GOOD[:20_000], set()),
    (head("/predict", None)[:40], set()),
)


@dataclass
class Seen:
    """The answers: how many of each status, and those that were not as they must be."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    open_at_once: int = 0


class Flood:
    """Many clients; each connects, waits for all others, sends one bad request and reads its answer."""

    def __init__(self, port: int, count: int) -> None:
        self._port, self._count = port, count
        self._all_here = asyncio.Event()
        self._here = 0
        self.seen = Seen()

    async def run(self) -> Seen:
        await asyncio.gather(*(self._client(index) for index in range(self._count)))
        return self.seen

    async def _client(self, index: int) -> None:
        sent, allowed = BAD[index % len(BAD)]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._here += 1
        self.seen.open_at_once = max(self.seen.open_at_once, self._here)
        if self._here == self._count:
            self._all_here.set()
        await self._all_here.wait()
        writer.write(sent)
        if allowed:
            await self._answer(index, reader, allowed)
        writer.transport.abort() if not allowed else writer.close()

    async def _answer(self, index: int, reader: asyncio.StreamReader, allowed: set[int]) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:] if line)
            body: Any = json.loads(await reader.readexactly(int(headers["content-length"])))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.seen.wrong.append(f"{BAD[index % len(BAD)][0][:60]!r}: {error!r}")
            return
        status = int(lines[0].split()[1])
        self.seen.statuses[status] += 1
        fine = list(body) == ["error"] and "\n" not in body["error"] and ("retry-after" in headers) == (status == 503)
        if status not in {*allowed, 503} or not fine:
            self.seen.wrong.append(f"{BAD[index % len(BAD)][0][:60]!r}: {status} {body}")


@contextmanager
def files(count: int) -> Generator[int]:
    """This process may open so many files, or as many as it is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    try:
        yield max(soft, allowed)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def flooded(server: Server, count: int) -> Seen:
    """So many bad requests, all connected before the first is sent."""
    seen = asyncio.run(Flood(server.port, count).run())
    assert seen.wrong == []
    assert seen.open_at_once == count
    assert seen.statuses.total() == sum(bool(BAD[index % len(BAD)][1]) for index in range(count))
    assert {400, 503} <= seen.statuses.keys() <= {400, 404, 405, 413, 415, 431, 503}
    return seen


@contextmanager
def under_flood(connections: int) -> Generator[Server]:
    """A server that has seen its first flood and comes to a good end after the others."""
    with serving("--megabytes", "1", "--connections", str(connections)) as server:
        flooded(server, 1000)
        open_files = server.files()
        yield server
        good = server.post("/predict", GOOD)
        assert (good.status, good.json["top"][0]["label"]) == (200, "espresso")
        until(lambda: b"compoundnet_requests_at_work 0.0" in server.get("/metrics").body)
        until(lambda: server.files() <= open_files)
        assert server.stop() == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


@pytest.mark.slow
def test_ten_thousand_bad_requests_at_once_get_errors_and_leave_nothing_behind() -> None:
    """At most 1,000 connections are let in: the others are told to come again."""
    with files(REQUESTS + 200) as allowed, under_flood(1000) as server:
        before = server.memory_mb()
        at_once = min(REQUESTS, allowed - 200)
        for _ in range(-(-REQUESTS // at_once)):
            assert flooded(server, at_once).statuses[503] > at_once // 2
        assert server.memory_mb() - before < 80  # the connections of that moment


@pytest.mark.slow
def test_ten_thousand_bad_requests_that_are_all_let_in_leave_nothing_behind_either() -> None:
    with files(REQUESTS + 200) as allowed, under_flood(12_000) as server:
        at_once = min(REQUESTS, allowed - 200)
        assert flooded(server, at_once).statuses[503] < at_once // 2
        before = server.memory_mb()
        for _ in range(3):
            flooded(server, at_once)
        assert server.memory_mb() - before < 20
