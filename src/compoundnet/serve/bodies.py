"""Request bodies: judged by their head, read within bounds, or read and dropped."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.types import Receive

from .limits import Limits, RequestError
from .uploads import FORM, JSON, KINDS, media_type

# A client that is answered while it still sends may never read the answer: the rest is read and dropped, within these.
_DROP_SECONDS, _DROP_BYTES = 2.0, 64_000_000


class GoneError(Exception):
    """The client left before its body was whole."""


class Body:
    """The body of a request that is arriving: ASGI's scope and receive."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive, limits: Limits) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self.kind = headers.get(b"content-type", b"").decode("latin-1")
        self._declared = headers.get(b"content-length", b"")
        # This sender waits for our word before it sends.
        self._ended = b"expect" in headers
        self._receive = receive
        self._limits = limits

    def check(self) -> None:
        """Refuse by type and declared size before a byte is read. Raises RequestError 413 or 415."""
        kind = media_type(self.kind)
        if kind not in (JSON, FORM):
            raise RequestError(415, f"content type {kind or 'missing'!s:.80}; {KINDS}")
        if self._declared.isdigit() and int(self._declared[:20]) > self._limits.max_bytes:
            raise self._too_large(f"{int(self._declared[:20]):,} bytes")

    async def read(self) -> bytes:
        """All of it, counted while it arrives. Raises RequestError 408 or 413, and GoneError."""
        self._ended = False
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while not self._ended:
                    chunks.append(await self._next())
                    size += len(chunks[-1])
                    if size > self._limits.max_bytes:
                        raise self._too_large("the body goes on")
        except TimeoutError:
            text = f"the body did not arrive within {self._limits.body_seconds:g} seconds; send it faster or smaller"
            raise RequestError(408, text) from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def drop(self) -> None:
        """Read what is left of a refused body, for a short while, so that its sender gets to read the answer."""
        left = _DROP_BYTES
        with suppress(TimeoutError, GoneError):
            async with asyncio.timeout(_DROP_SECONDS):
                while not self._ended and left > 0:
                    left -= len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._ended = True
            raise GoneError
        self._ended = not message.get("more_body", False)
        return message.get("body", b"")

    def _too_large(self, size: str) -> RequestError:
        return RequestError(413, f"{size}; the limit is {self._limits.max_bytes:,} bytes; send a smaller picture")
