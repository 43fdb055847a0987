"""The real server in a process of its own, and requests to it, byte by byte where that matters."""

import contextlib
import http.client
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = "efficientnet_lite0"
BOUNDARY = "frontier"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(picture: bytes, name: str = "photo.png") -> bytes:
    """A form with one file, as a browser sends it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return head.encode() + b"Content-Type: image/png\r\n\r\n" + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def head(path: str, length: int | None, kind: str = FORM) -> bytes:
    """The head of a POST; without a length the body is chunked."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{size}\r\n\r\n".encode()


@dataclass(frozen=True)
class Reply:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running ``compoundnet serve``: its first line, and the port that the line names."""

    process: subprocess.Popen[str]
    line: str
    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def get(self, path: str) -> Reply:
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: bytes, kind: str = FORM) -> Reply:
        return self._ask("POST", path, body, {"Content-Type": kind})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            return reply(connection.getresponse())

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def memory_mb(self) -> float:
        """What the process holds in memory now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) / 1024

    def files(self) -> int:
        """How many files and sockets the process has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def reply(response: http.client.HTTPResponse) -> Reply:
    return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())


def answered(sock: socket.socket) -> Reply:
    """The answer that arrives on a socket."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    return reply(response)


@contextlib.contextmanager
def serving(*options: str) -> Generator[Server]:
    """A server on a free port, on PyTorch, which starts soonest; it is gone afterwards."""
    command = [sys.executable, "-m", "compoundnet", "serve", MODEL, "--port", "0", "--batch", "1"]
    quick = [] if "--engine" in options else ["--engine", "torch"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*command, *quick, *options], text=True, env={**os.environ}, **pipes)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout as out, process.stderr as err:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(out, selectors.EVENT_READ)
                line = out.readline() if selector.select(90) else ""
            port = re.search(r"http://127\.0\.0\.1:(\d+)$", line.strip())
            assert port, f"no address in {line!r}: {'' if process.poll() is None else err.read()}"
            yield Server(process, line, int(port[1]))
        finally:
            process.kill()
            process.wait()


def until(condition: Any, seconds: float = 10.0) -> None:
    """Wait for what another process brings about; fail when it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
