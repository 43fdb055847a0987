"""The connections of a server, bounded in number, in time and in what they may send beside a body.

uvicorn waits for ever for a request's head and for an answer to be taken, and keeps as many connections as come.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .joined import Joined
from .limits import Limits

_MAX_HEAD = 16_384  # bytes that may arrive without completing a head or adding to a body
_MAX_HEADERS = 100
_MAX_AHEAD = 16  # requests on one connection that wait for the answer to an earlier one
_LINGER_SECONDS = 2.0  # a connection that was answered and is to end may send, unheard, for so long
_LOOK_SECONDS = 0.25


class RefusedError(Exception):
    """What a connection sent beyond its bounds: a status and one line."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Door:
    """All connections of one server. ``connections`` of them are served; one more is told so and ends."""

    def __init__(
        self, limits: Limits, refusable: int, note: Callable[[int], None], closing: Callable[[], bool]
    ) -> None:
        self.limits = limits
        self.refusable = refusable  # connections that may be open only to be told that there are too many
        self.note = note  # called with the status of every error that is answered here
        self.closing = closing  # whether the server is stopping
        self.inside: set[Guarded] = set()
        self.leaving: set[Guarded] = set()

    async def watch(self) -> None:
        """Ends the connections that are over their time, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = loop.time()
            for connection in (*self.inside, *self.leaving):
                connection.look(now)

    def protocol(self) -> type["Guarded"]:
        """What uvicorn makes one of for each connection."""
        return type("GuardedHere", (Guarded,), {"door": self})


class Guarded(HttpToolsProtocol):
    """uvicorn's protocol within the bounds of a door."""

    door: ClassVar[Door]

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Serve the connection, or tell it that there are too many."""
        super().connection_made(Joined(transport))
        self._unheard = 0  # bytes since the last head or part of a body was whole
        self._begun = False  # whether something of a head has come
        self._in_head = True
        self._head_since: float | None = self.loop.time()
        self._leaving_since: float | None = None
        self._stuck_since: float | None = None
        self._refused: RefusedError | None = None
        door = self.door
        if len(door.inside) < door.limits.connections:
            door.inside.add(self)
        elif len(door.leaving) < door.refusable:
            text = f"{door.limits.connections} connections are open, as many as may; try again later"
            self._leave(503, text, {"Retry-After": str(door.limits.retry_seconds)})
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.door.inside.discard(self)
        self.door.leaving.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as long as it stays within the bounds."""
        if self._leaving_since is not None:
            return
        if self._in_head and self._head_since is None and (self.cycle is None or self.cycle.response_complete):
            self._head_since = self.loop.time()
        self._begun = True
        self._unheard += len(data)
        super().data_received(data)
        if self._unheard > _MAX_HEAD and self._leaving_since is None:
            self._end(431, f"more than {_MAX_HEAD:,} bytes beside the body; send fewer or shorter headers")

    def eof_received(self) -> bool:  # pyrefly: ignore[bad-override]
        """A sender that says it has sent all gets the answer to what it sent whole."""
        at_work = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if at_work and self._leaving_since is None:
            self.cycle.keep_alive = False
            return True
        return False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more header. Raises RefusedError for one too many."""
        if len(self.headers) >= _MAX_HEADERS:
            self._refuse(431, f"more than {_MAX_HEADERS} headers; send fewer")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The request begins. Raises RefusedError when too many wait already."""
        if len(self.pipeline) >= _MAX_AHEAD:
            self._refuse(400, f"more than {_MAX_AHEAD} requests ahead of their answers; wait for the answers")
        self._unheard, self._in_head, self._head_since = 0, False, None
        super().on_headers_complete()
        if self.parser.should_upgrade() and self.cycle is not None:
            self.cycle.keep_alive = False  # what follows is no HTTP to the parser

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._unheard = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next thing is a head again."""
        self._unheard, self._in_head, self._begun = 0, True, False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out; a request that was answered before it was whole is the last one here."""
        assert isinstance(self.transport, Joined)
        self.transport.flush()
        unread = not self.pipeline and self.cycle.response_complete and self.cycle.more_body
        super().on_response_complete()
        if unread and self._leaving_since is None and not self.transport.is_closing():
            self._linger()

    def send_400_response(self, msg: str) -> None:
        """What the parser does not take: JSON, as every error here."""
        refused = self._refused or RefusedError(400, "malformed HTTP; send an HTTP/1.1 request")
        self._end(refused.status, refused.text)

    def look(self, now: float) -> None:
        """End the connection when it has kept something waiting for too long."""
        limits = self.door.limits
        stuck = self.transport.get_write_buffer_size() > 0
        self._stuck_since = (self._stuck_since or now) if stuck else None
        if self._stuck_since is not None and now - self._stuck_since > limits.answer_seconds:
            self.transport.abort()
        elif self._leaving_since is not None:
            if not stuck and now - self._leaving_since > _LINGER_SECONDS:
                self.transport.abort()
        elif self.door.closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()  # it came while the others were closed
        elif self._head_since is not None and now - self._head_since > limits.head_seconds:
            if self._begun:
                self._end(408, f"the head did not arrive within {limits.head_seconds:g} seconds; send it faster")
            else:
                self.transport.close()

    def _refuse(self, status: int, text: str) -> None:
        # The parser passes on that something was raised in its callbacks, not what.
        self._refused = RefusedError(status, text)
        raise self._refused

    def _end(self, status: int, text: str) -> None:
        """Answer what came so far with an error, unless an answer is on its way, and end."""
        at_work = self.cycle is not None and not self.cycle.response_complete
        if at_work:
            self.cycle.disconnected = True  # nothing more is written by whoever works on it
            self.cycle.message_event.set()
        if at_work and self.cycle.response_started:
            self.transport.close()
        else:
            self._leave(status, text)

    def _leave(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        self.door.note(status)
        body = json.dumps({"error": text}).encode()
        fields = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **(headers or {}),
        }
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode() + body)
        self._linger()

    def _linger(self) -> None:
        """Say that nothing more comes, and hear the other side out: closing at once could destroy the answer."""
        self._leaving_since = self.loop.time()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.door.inside.discard(self)
        self.door.leaving.add(self)
        self.flow.resume_reading()
        self.transport.write_eof()
