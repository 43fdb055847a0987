"""Connections that hold on to the server: real sockets at the protocol that the server gives to each."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from compoundnet.serve.guard import Door
from compoundnet.serve.limits import Limits

LIMITS = Limits(connections=3, head_seconds=0.4, answer_seconds=0.6)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE = 8.0  # a busy machine; what must end ends long before


@dataclass
class Site:
    """A guarded server of an application that answers every request with ``size`` bytes."""

    port: int
    door: Door
    noted: list[int]
    broken_off: list[str]
    closing: asyncio.Event
    writers: list[asyncio.StreamWriter]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer


@asynccontextmanager
async def site(limits: Limits = LIMITS, size: int = 2, refusable: int = 2) -> AsyncGenerator[Site]:
    broken_off: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            while (message := await receive()).get("more_body"):
                pass
            if message["type"] == "http.disconnect":
                broken_off.append(scope["path"])
        if scope["path"] == "/slow":
            await asyncio.sleep(0.2)
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(size)})

    noted: list[int] = []
    closing = asyncio.Event()
    door = Door(limits, refusable, noted.append, closing.is_set)
    config = uvicorn.Config(app, http=door.protocol(), log_config=None, log_level="error", ws="none", lifespan="off")
    config.load()
    state = ServerState()

    def connection() -> Any:
        return door.protocol()(config, state, {})

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    watching = asyncio.create_task(door.watch())
    try:
        async with server:
            here = Site(server.sockets[0].getsockname()[1], door, noted, broken_off, closing, [])
            yield here
    finally:
        watching.cancel()
        for writer in here.writers:
            writer.transport.abort()
        for connection_ in (*door.inside, *door.leaving):
            connection_.transport.abort()
        await asyncio.sleep(0.02)


def answers(data: bytes) -> list[tuple[int, Any]]:
    """Status and JSON (None for a body of zeros) of every answer in what a connection sent."""
    found: list[tuple[int, Any]] = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body, data = rest[:length], rest[length:]
        found.append((int(head.split(b" ")[1]), None if not any(body) else json.loads(body)))
    return found


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server ends the connection, which it must."""
    return await asyncio.wait_for(reader.read(), PATIENCE)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def go() -> None:
        await test()

    asyncio.run(go())


def test_a_connection_that_sends_nothing_is_ended_without_a_word() -> None:
    async def go() -> None:
        async with site() as here:
            reader, _ = await here.connect()
            start = time.monotonic()
            assert await all_of(reader) == b""
            assert time.monotonic() - start > LIMITS.head_seconds
            assert not here.door.inside

    run(go)


@pytest.mark.parametrize("before", [b"", GET], ids=["the first", "a later"])
def test_a_head_that_comes_a_byte_at_a_time_is_ended_with_408(before: bytes) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        for byte in GET[:-1] * 100:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    async def go() -> None:
        async with site() as here:
            reader, writer = await here.connect()
            writer.write(before)
            start = time.monotonic()
            dripping = asyncio.create_task(drip(writer))
            found = answers(await all_of(reader))
            dripping.cancel()
            assert time.monotonic() - start > LIMITS.head_seconds
            text = "the head did not arrive within 0.4 seconds; send it faster"
            assert found[-1] == (408, {"error": text})
            assert len(found) == (2 if before else 1)
            assert here.noted == [408]

    run(go)


def test_a_body_that_drips_on_after_the_answer_does_not_keep_the_connection() -> None:
    async def go() -> None:
        async with site() as here:
            reader, writer = await here.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            assert answers(await all_of(reader)) == [(200, None)]

    run(go)


def test_a_connection_may_rest_between_requests_longer_than_a_head_may_take() -> None:
    async def go() -> None:
        async with site() as here:
            reader, writer = await here.connect()
            for _ in range(2):
                writer.write(GET)
                assert answers(await reader.readuntil(b"\0\0")) == [(200, None)]
                await asyncio.sleep(2 * LIMITS.head_seconds)

    run(go)


def test_a_head_in_two_pieces_and_a_body_slower_than_a_head_may_be_are_served() -> None:
    async def go() -> None:
        async with site() as here:
            reader, writer = await here.connect()
            for piece in (b"POST / HTTP/1.1\r\nHo", b"st: x\r\nContent-Length: 2\r\n\r\n"):
                writer.write(piece)
                await asyncio.sleep(0.1)
            for piece in (b"a", b"b"):
                await asyncio.sleep(LIMITS.head_seconds)
                writer.write(piece)
            assert answers(await reader.readuntil(b"\0\0")) == [(200, None)]

    run(go)


def test_one_connection_too_many_is_told_so_and_one_that_leaves_makes_room() -> None:
    async def go() -> None:
        async with site(replace(LIMITS, head_seconds=30)) as here:
            guests = [await here.connect() for _ in range(3)]
            reader, writer = await here.connect()
            data = await all_of(reader)
            text = "3 connections are open, as many as may; try again later"
            assert answers(data) == [(503, {"error": text})]
            assert b"\r\nRetry-After: 1\r\n" in data
            guests[0][1].close()
            await eventually(lambda: len(here.door.inside) == 2 and not here.door.leaving)
            reader, writer = await here.connect()
            writer.write(GET)
            assert answers(await reader.readuntil(b"\0\0")) == [(200, None)]

    run(go)


def test_refused_connections_that_stay_are_bounded_too_and_end() -> None:
    async def go() -> None:
        async with site(replace(LIMITS, connections=1, head_seconds=30), refusable=2) as here:
            for _ in range(6):
                await here.connect()
            await eventually(lambda: here.noted == [503, 503])
            assert (len(here.door.inside), len(here.door.leaving)) == (1, 2)
            await eventually(lambda: not here.door.leaving)

    run(go)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "problem"),
    [
        (b"\x16\x03\x01 hello\r\n\r\n", 400, "malformed HTTP; send an HTTP/1.1 request"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "malformed HTTP"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400, "malformed HTTP"),
        (b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400, "malformed HTTP"),
        (b"CONNECT example.org:443 HTTP/1.1\r\n\r\n", 400, "malformed HTTP"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, 431, "more than 16,384 bytes beside the body"),
        (b"GET /" + b"x" * 100_000, 431, "more than 16,384 bytes beside the body"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200, 431, "more than 100 headers; send fewer"),
        (POST + b"zz\r\n", 400, "malformed HTTP"),
        (POST + b"1;" + b"x" * 600_000, 431, "more than 16,384 bytes beside the body"),
        (POST + b"1\r\na\r\n0\r\n" + b"a: b\r\n" * 200, 431, "more than 100 headers; send fewer"),
        (POST + b"1\r\na\r\n0\r\na: " + b"x" * 600_000, 431, "more than 16,384 bytes beside the body"),
        (GET * 100, 400, "more than 16 requests ahead of their answers; wait for the answers"),
    ],
)
def test_what_is_no_request_gets_one_line_and_the_end(sent: bytes, status: int, problem: str) -> None:
    async def go() -> None:
        async with site() as here:
            reader, writer = await here.connect()
            writer.write(sent)
            [(found, body)] = answers(await all_of(reader))
            assert found == status
            assert list(body) == ["error"]
            assert body["error"].startswith(problem)
            await eventually(lambda: not here.door.inside)
            assert here.broken_off == (["/"] if sent.startswith(POST) else [])
            assert here.noted == [status]

    run(go)


def test_an_answer_that_is_not_taken_is_let_go() -> None:
    async def go() -> None:
        async with site(size=40_000_000) as here:
            reader, writer = await here.connect()
            writer.write(GET)
            await eventually(lambda: len(here.door.inside) == 1)
            start = time.monotonic()
            await eventually(lambda: not here.door.inside)  # the reader stops reading when its buffer is full
            assert time.monotonic() - start > 0.9 * LIMITS.answer_seconds
            assert reader is not None

    run(go)


def test_a_wish_for_another_protocol_is_answered_in_this_one_and_the_connection_ends() -> None:
    async def go() -> None:
        async with site() as here:
            reader, writer = await here.connect()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            data = await all_of(reader)
            assert answers(data) == [(200, None)]
            assert b"connection: close" in data

    run(go)


def test_a_sender_that_closes_its_side_after_a_whole_request_gets_the_answer() -> None:
    async def go() -> None:
        async with site() as here:
            reader, writer = await here.connect()
            writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
            writer.write_eof()
            assert answers(await all_of(reader)) == [(200, None)]
            reader, writer = await here.connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab")
            writer.write_eof()
            assert await all_of(reader) == b""
            await eventually(lambda: here.broken_off == ["/"] and not here.door.inside)

    run(go)


def test_a_connection_that_comes_while_the_server_stops_does_not_hold_it_up() -> None:
    async def go() -> None:
        async with site(replace(LIMITS, head_seconds=60)) as here:
            idle, _ = await here.connect()
            busy, writer = await here.connect()
            writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
            await eventually(lambda: len(here.door.inside) == 2)
            here.closing.set()
            assert await all_of(idle) == b""
            assert answers(await all_of(busy)) == [(200, None)]

    run(go)


def test_an_answer_leaves_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with site() as here:
            reader, writer = await here.connect()
            pieces: list[bytes] = []
            feed = reader.feed_data

            def noting(data: bytes) -> None:
                pieces.append(data)
                feed(data)

            monkeypatch.setattr(reader, "feed_data", noting)
            for _ in range(3):
                writer.write(GET)
                await reader.readuntil(b"\0\0")
            assert len(pieces) == 3

    run(go)


def test_more_connections_than_files_may_be_open_are_one_line() -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))\n"
        "from compoundnet.serve.port import room; print(room(200), resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "room(1000)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "72 (400, 400)\n"
    problem = "--connections: 1,000 connections do not fit into the 400 files that this process may open"
    assert done.stderr.splitlines()[-1] == f"ValueError: {problem}; ask for fewer, or raise the limit with ulimit -n"
