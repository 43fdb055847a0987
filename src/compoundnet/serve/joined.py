"""A transport that sends the head of an answer together with its body."""

import asyncio
from contextlib import suppress
from typing import Any


class Joined(asyncio.Transport):
    """Holds an answer's head until what follows it is written, and so wakes the other side once, not twice."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._head = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send ``data``, or hold it when it is the head of a final answer."""
        whole = self._head + data
        self._head = b""
        if data[:9] == b"HTTP/1.1 " and data[9:10] != b"1" and bytes(data[-4:]) == b"\r\n\r\n":
            self._head = bytes(whole)
        else:
            self._transport.write(whole)

    def flush(self) -> None:
        """Send what is held."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def write_eof(self) -> None:
        """Send what is held, and no more after it."""
        self.flush()
        with suppress(OSError):  # the other side may be gone already
            self._transport.write_eof()

    def close(self) -> None:
        """Send what is held, then close."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """As the transport says."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes that the other side has not taken."""
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        """Of the transport."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Of the transport."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Of the transport."""
        return self._transport.get_extra_info(name, default)
