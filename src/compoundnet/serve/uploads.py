"""The picture in a request's body: JSON or a form."""

import base64
import binascii
import json
from typing import Any

from python_multipart.multipart import MultipartParser, parse_options_header

from .limits import RequestError

JSON, FORM = "application/json", "multipart/form-data"
KINDS = f'send {FORM} with a file, or {JSON} with {{"image": base64}}'
_MAX_PARTS = 16
_MAX_MARKS = 100  # of JSON; each may become an object of many times its size
_MAX_HEAD = 2048  # of a part; longer ones are left to the parser
_DISPOSITION = b"content-disposition"


def picture(content_type: str, body: bytes) -> bytes:
    """The bytes of the picture in a body. Raises RequestError 400 when there is none, or more than one."""
    if not body:
        raise RequestError(400, f"the body is empty; {KINDS}")
    return _from_json(body) if media_type(content_type) == JSON else _from_form(content_type, body)


def media_type(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _from_json(body: bytes) -> bytes:
    if _marks(body) > _MAX_MARKS:
        raise RequestError(400, f'more than {_MAX_MARKS} commas and brackets in the JSON; send {{"image": base64}}')
    try:
        data: Any = json.loads(body)
    except ValueError as error:
        raise RequestError(400, f'malformed JSON ({" ".join(str(error).split())}); send {{"image": base64}}') from None
    image = data.get("image") if isinstance(data, dict) else None
    if not isinstance(image, str):
        raise RequestError(400, 'no picture in the JSON; send an object with "image", a base64 string')
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(400, f'"image" is not base64 ({error}); encode the bytes of the file') from None


def _marks(body: bytes) -> int:
    """How many [, { and , the body holds, in strings too; counting ends soon after _MAX_MARKS."""
    found = 0
    for mark in b"[{,":
        place = body.find(mark)
        while place >= 0 and found <= _MAX_MARKS:
            found += 1
            place = body.find(mark, place + 1)
    return found


def _from_form(content_type: str, body: bytes) -> bytes:
    """The one part of a form that is a file."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise RequestError(400, "the form has no boundary; let the client write the content type")
    found = only_file(boundary, body)
    return parsed(boundary, body) if found is None else found


def parsed(boundary: bytes, body: bytes) -> bytes:
    """The one part of any form that is a file. Raises RequestError 400."""
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


def only_file(boundary: bytes, body: bytes) -> bytes | None:
    """The file of a form that holds just one part, as nearly all do; None for every other body.

    The parser walks through a form byte by byte while no other thread can run; this finds the three marks.
    """
    start, delimiter = b"--" + boundary + b"\r\n", b"\r\n--" + boundary
    head_ends = body.find(b"\r\n\r\n", 0, _MAX_HEAD)
    if head_ends < 0 or not body.startswith(start):
        return None
    end = body.find(delimiter, head_ends + 4)
    if end < 0 or body[end + len(delimiter) :] not in (b"--", b"--\r\n"):
        return None
    lines = body[len(start) : head_ends].split(b"\r\n")
    named = [value for name, _, value in (line.partition(b":") for line in lines) if name.lower() == _DISPOSITION]
    if len(named) != 1 or b"filename" not in parse_options_header(named[0].strip())[1]:
        return None
    return body[head_ends + 4 : end]


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
        if self._name.lower() == _DISPOSITION:
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
