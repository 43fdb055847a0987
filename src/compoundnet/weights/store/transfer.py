"""One file over HTTP or from a folder, gone on with where an earlier attempt stopped."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, url2pathname

from compoundnet import __version__
from compoundnet.schema import FieldError, decode, encode
from compoundnet.weights.errors import CheckpointError
from compoundnet.whole import write_whole

from .access import Access
from .folder import FULL, Say, Store, discard, no_room
from .opening import opened
from .problems import Transient, after_attempts, explained
from .wanting import Wanted

OnBytes = Callable[[int, int | None], None]
_STEP = 1 << 16
_ENOUGH = 1 << 20  # bytes that came before a failure, for it not to count as one more in a row


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """What lies beside a part: where it comes from, and the server's mark of that version of the file."""

    url: str
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """A file on its way from ``url`` into ``part``; ``on_bytes`` hears of the bytes that are there and of all."""

    wanted: Wanted
    url: str
    store: Store
    how: Access
    on_bytes: OnBytes
    say: Say

    @property
    def part(self) -> Path:
        """Where the file grows."""
        return self.store.part(self.wanted)

    def run(self) -> bool:
        """Bring the whole file into ``part``; say whether it goes on from an earlier attempt.

        What is there stays when the connection fails for good, so that the next attempt goes on. Raises
        CheckpointError, one line, then, and for a file that is too large, a full disk, and a folder that cannot be
        written; what is half is removed in these cases.
        """
        if urlsplit(self.url).scheme == "file":
            discard(self.part.parent)
        with self.store.using():
            self.part.parent.mkdir(parents=True, exist_ok=True)
        if urlsplit(self.url).scheme == "file":
            self._copy()
            return False
        resumed = self._size() > 0
        failures = 0
        while True:
            before = self._size()
            try:
                self._attempt()
                return resumed
            except Transient as error:
                failures = 1 if self._size() - before >= _ENOUGH else failures + 1
                if failures >= self.how.attempts:
                    raise after_attempts(self.wanted, self.url, error, self._size()) from None
                pause = error.after if error.after is not None else self.how.pause * 2 ** (failures - 1)
                self.say(f"{self.wanted.file}: {error}; trying again in {pause:g} s")
            time.sleep(pause)

    def _attempt(self) -> None:
        start, begun = self._size(), self._begun()
        known = begun is not None and begun.url == self.url and begun.mark
        if start and not self.wanted.hashed and not (begun is not None and known and begun.mark.startswith('"')):
            start = 0  # without a strong mark or a hash nobody could say whether both halves are of one version
        headers = {"User-Agent": f"compoundnet/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if begun is not None and known:
                headers["If-Range"] = begun.mark
        request = Request(self.url, headers=headers)  # noqa: S310 - access.py let the scheme pass
        try:
            with opened(request, self.wanted.name, self.how.timeout) as response:
                self._check_kind(response)
                mark = _mark(response)
                if start and response.status == 206 and begun is not None and known and mark not in ("", begun.mark):
                    self._empty()
                    raise Transient("the file changed on the server meanwhile", after=0)
                start = start if start and _goes_on(response, start) else 0
                if not start:
                    self._empty()
                self._note(_Begun(url=self.url, mark=mark))
                self._receive(response, start, _total(response, start) or self.wanted.bytes)
        except HTTPError as error:
            with error:
                if error.code == 416 and start:  # what is there is all of it, or of another version
                    if error.headers.get("Content-Range", "") == f"bytes */{start}" and self.wanted.hashed:
                        return
                    self._empty()
                    raise Transient("the server has another version of the file", after=0) from None
                raise explained(self.wanted, self.url, error) from None
        except (URLError, HTTPException, OSError) as error:
            raise explained(self.wanted, self.url, error) from None

    def _check_kind(self, response: HTTPResponse) -> None:
        """Refuse what only a hash would show, where none is known: a network's login page, and a file cut short."""
        if self.wanted.hashed:
            return
        if response.headers.get_content_type() == "text/html":
            problem = "is a web page, not a file; is it the login page of this network?"
            raise CheckpointError(f"{self.wanted.name}: {self.url} {problem}")
        if not response.headers.get("Content-Length") and not response.chunked and self.wanted.bytes is None:
            problem = "comes without its size, and no hash is known, so nobody could say whether it is whole"
            raise CheckpointError(f"{self.wanted.name}: {self.url} {problem}; use another mirror")

    def _copy(self) -> None:
        path = Path(url2pathname(urlsplit(self.url).path))
        try:
            with path.open("rb") as file:
                self._receive(file, 0, path.stat().st_size)
        except (OSError, Transient) as error:
            told = error.strerror if isinstance(error, OSError) else error
            raise CheckpointError(f"{self.wanted.name}: {path}: {told}; check the mirror") from None

    def _receive(self, source: _Readable, start: int, total: int | None) -> None:
        """Write what comes behind the first ``start`` bytes, up to ``total`` where that is known."""
        self._check_size(start, total)
        done = start
        try:
            file = self.part.open("r+b" if start else "wb")
        except OSError as error:
            raise self._unwritable(error, total) from None
        with file:
            file.seek(start)
            file.truncate()
            while total is None or done < total:
                block = source.read1(_STEP if total is None else min(_STEP, total - done))
                if not block:
                    break
                self._write(file, block, total)
                done += len(block)
                self._check_size(done, None)
                self.on_bytes(done, total)
        if total is not None and done < total:
            raise Transient(f"the connection closed after {done:,} of {total:,} bytes")

    def _write(self, file: BinaryIO, block: bytes, total: int | None) -> None:
        try:
            file.write(block)
            file.flush()
        except OSError as error:
            raise self._unwritable(error, total) from None

    def _unwritable(self, error: OSError, total: int | None) -> CheckpointError:
        free, needed = self.store.free(), total or self.wanted.bytes or self._size() + _STEP
        discard(self.part.parent)
        if error.errno in FULL:
            return no_room(self.store.root, self.wanted.file, needed, free)
        return CheckpointError(f"{self.part}: cannot be written ({error.strerror or error})")

    def _check_size(self, done: int, total: int | None) -> None:
        """Refuse a file that cannot be the wanted one, or that does not fit, before more of it is fetched."""
        exact, size = self.wanted.bytes, max(done, total or 0)
        if exact is not None and (size > exact or (total is not None and total != exact)):
            discard(self.part.parent)
            more = f"{size:,} bytes" if total is not None else f"more than {exact:,} bytes"
            raise CheckpointError(f"{self.wanted.name}: {self.url} has {more}, expected {exact:,}; it is another file")
        if size > self.how.most:
            discard(self.part.parent)
            raise CheckpointError(f"{self.wanted.name}: {self.url} has more than {self.how.most:,} bytes, the limit")
        if total is not None:
            self.store.require_room(total - done, self.wanted.file)

    def _size(self) -> int:
        try:
            return self.part.stat().st_size
        except OSError:
            return 0

    def _empty(self) -> None:
        with self.store.using():
            self.part.unlink(missing_ok=True)

    def _note(self, begun: _Begun) -> None:
        with self.store.using():
            write_whole(self.part.parent / "begun.json", json.dumps(encode(begun)))

    def _begun(self) -> _Begun | None:
        try:
            return decode(_Begun, json.loads((self.part.parent / "begun.json").read_bytes()))
        except (OSError, ValueError, RecursionError, FieldError):
            return None


def _mark(response: HTTPResponse) -> str:
    """What names this version of the file: a strong ETag, or the time of its last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _goes_on(response: HTTPResponse, start: int) -> bool:
    """Whether the server sends the rest only; if not, it starts from the beginning."""
    if response.status != 206:
        return False
    given = response.headers.get("Content-Range", "")
    if not given.startswith(f"bytes {start}-"):
        raise Transient(f"the server sends another part ({given[:40]!r}) than the one asked for")
    return True


def _total(response: HTTPResponse, start: int) -> int | None:
    """The size of the whole file as the server says it; None where it does not."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isascii() and length.isdecimal() and len(length) <= 18 else None
