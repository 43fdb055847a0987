"""A real HTTP server on this machine that misbehaves as it is told."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_STEP = 1 << 14


@dataclass
class Served:
    """What the server serves, how it misbehaves, and what it was asked for.

    ``cut`` and ``stall`` are the bytes of an answer after which the connection closes or falls silent, ``statuses``
    what the next requests are answered instead, ``drip`` the seconds between two steps of an answer.
    """

    files: dict[str, bytes]
    etag: str = '"one"'
    ranges: bool = True
    heed_if_range: bool = True
    sized: bool = True
    chunked: bool = False
    cut: list[int] = field(default_factory=list)
    stall: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirects: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0
    reason: str | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, Range
    sent: int = 0
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def ranges_asked(self) -> list[str]:
        """The Range header of each GET."""
        return [given for method, _, given in self.asked if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    served: Served

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal of the tests."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        served, wanted = self.served, self.headers.get("Range", "")
        served.asked.append((self.command, self.path, wanted))
        if served.statuses:
            self._plain(served.statuses.pop(0))
        elif self.path in served.redirects:
            self._plain(302, {"Location": served.redirects[self.path]})
        elif self.path not in served.files:
            self._plain(404)
        else:
            self._file(served.files[self.path], wanted, body)

    def _plain(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status, self.served.reason)
        for name, value in {"Content-Length": "0", **self.served.headers, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _file(self, data: bytes, wanted: str, body: bool) -> None:
        served = self.served
        unchanged = not served.heed_if_range or self.headers.get("If-Range", served.etag) == served.etag
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and served.ranges and unchanged else 0
        if start and start >= len(data):
            self._plain(416, {"Content-Range": f"bytes */{len(data)}"})
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        for name, value in served.headers.items():
            self.send_header(name, value)
        if served.etag:
            self.send_header("ETag", served.etag)
        if served.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif served.sized:
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if body:
            self._body(data[start:])

    def _body(self, data: bytes) -> None:
        served = self.served
        cut = served.cut.pop(0) if served.cut else len(data)
        stall = served.stall.pop(0) if served.stall else None
        end = min(cut, len(data) if stall is None else stall)
        for place in range(0, end, _STEP):
            block = data[place : min(place + _STEP, end)]
            framed = b"%x\r\n%s\r\n" % (len(block), block) if served.chunked else block
            try:
                self.wfile.write(framed)
                self.wfile.flush()
            except OSError:
                return  # the other side has gone
            served.sent += len(block)
            time.sleep(served.drip)
        if served.chunked and end == len(data):
            self.wfile.write(b"0\r\n\r\n")
        if stall is not None:
            served.over.wait(30)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error here."""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Served]:
    """A server of these files, by path, on a free port of this machine."""
    served = Served(files)

    class Handler(_Handler):
        pass

    Handler.served = served
    Handler.protocol_version = "HTTP/1.1"
    server = _Server(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def size(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
