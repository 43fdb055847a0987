"""Request bodies: read within bounds, and the picture taken out of JSON or a form."""

import asyncio
import base64
import binascii
import json
from contextlib import suppress
from typing import Any

from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from .limits import Limits, RequestError

JSON, FORM = "application/json", "multipart/form-data"
_KINDS = f'send {FORM} with a file, or {JSON} with {{"image": base64}}'
_MAX_PARTS = 16
# A client that is answered while it still sends may never read the answer: the rest is read and dropped, within these.
_DROP_SECONDS, _DROP_BYTES = 2.0, 64_000_000


def check_headers(request: Request, limits: Limits) -> None:
    """Refuse by type and declared size before a byte of the body is read. Raises RequestError 400, 413 or 415."""
    kind = _kind(request.headers.get("content-type", ""))
    if kind not in (JSON, FORM):
        raise RequestError(415, f"content type {kind or 'missing'!s:.80}; {_KINDS}")
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdecimal() and int(declared) > limits.max_bytes:
        raise _too_large(f"{int(declared):,} bytes", limits)


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body, counted while it is read. Raises RequestError 408 or 413; ClientDisconnect when it breaks off."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.max_bytes:
                    raise _too_large("the body goes on", limits)
                chunks.append(chunk)
    except TimeoutError:
        text = f"the body did not arrive within {limits.body_seconds:g} seconds; send it faster or smaller"
        raise RequestError(408, text) from None
    return b"".join(chunks)


async def drop_body(request: Request) -> None:
    """Read what is left of a refused body, for a short while, so that its sender gets to read the answer."""
    if "expect" in request.headers:  # this sender waits for our word before it sends
        return
    left = _DROP_BYTES
    # RuntimeError: the body was read to its end.
    with suppress(TimeoutError, RuntimeError, ClientDisconnect):
        async with asyncio.timeout(_DROP_SECONDS):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return


def picture(content_type: str, body: bytes) -> bytes:
    """The bytes of the picture in a body. Raises RequestError 400 when there is none, or more than one."""
    if not body:
        raise RequestError(400, f"the body is empty; {_KINDS}")
    return _from_json(body) if _kind(content_type) == JSON else _from_form(content_type, body)


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _too_large(size: str, limits: Limits) -> RequestError:
    return RequestError(413, f"{size}; the limit is {limits.max_bytes:,} bytes; send a smaller picture")


def _from_json(body: bytes) -> bytes:
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        text = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise RequestError(400, f'malformed JSON ({text}); send {{"image": base64}}') from None
    image = data.get("image") if isinstance(data, dict) else None
    if not isinstance(image, str):
        raise RequestError(400, 'no picture in the JSON; send an object with "image", a base64 string')
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(400, f'"image" is not base64 ({error}); encode the bytes of the file') from None


def _from_form(content_type: str, body: bytes) -> bytes:
    """The one part of a form that is a file."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise RequestError(400, "the form has no boundary; let the client write the content type")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())  # pyrefly: ignore[bad-argument-type]
        parser.write(body)
        parser.finalize()
    except RequestError:
        raise
    except Exception as error:  # the parser's own errors, and what odd bytes lead it to
        raise RequestError(400, f"malformed form ({' '.join(str(error).split()):.120}); send the file again") from None
    if not form.ended:
        raise RequestError(400, "the form is cut off; send the file again")
    if len(form.files) != 1:
        raise RequestError(400, f"{len(form.files)} files in the form; send one, as a part with a file name")
    return bytes(form.files[0])


class _Form:
    """What the parser's callbacks collect: the parts that have a file name."""

    def __init__(self) -> None:
        self.files: list[bytearray] = []
        self.ended = False
        self._parts = 0
        self._is_file = False
        self._name = self._value = b""

    def callbacks(self) -> dict[str, Any]:
        """By the names that the parser calls them."""
        names = ("part_begin", "header_field", "header_value", "header_end", "headers_finished", "part_data", "end")
        return {f"on_{name}": getattr(self, name) for name in names}

    def part_begin(self) -> None:
        self._parts += 1
        self._is_file = False
        if self._parts > _MAX_PARTS:
            raise RequestError(400, f"more than {_MAX_PARTS} parts in the form; send one file")

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._is_file = b"filename" in parse_options_header(self._value)[1]
        self._name = self._value = b""

    def headers_finished(self) -> None:
        if self._is_file:
            self.files.append(bytearray())

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.files[-1] += data[start:end]

    def end(self) -> None:
        self.ended = True
