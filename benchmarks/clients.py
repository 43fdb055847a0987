"""Clients that take as little of the machine as they can: plain sockets in one thread, each asking again at once."""

import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

FORM = b"multipart/form-data; boundary=frontier"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_INFER = re.compile(rb'"infer": ([0-9.]+)')


@dataclass
class Load:
    """What clients saw: seconds from question to answer, statuses, the server's own milliseconds of inference.

    Status 0 is a connection that ended without an answer.
    """

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    infer_ms: list[float] = field(default_factory=list)


def request(picture: bytes, kind: bytes = FORM) -> bytes:
    """A POST to /predict with a form of one file."""
    head = b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    body = head + picture + b"\r\n--frontier--\r\n"
    lines = (b"POST /predict HTTP/1.1", b"Host: x", b"Content-Type: " + kind, b"Content-Length: %d" % len(body))
    return b"\r\n".join((*lines, b"", body))


class Client:
    """One connection, opened anew when the server closes it."""

    def __init__(self, port: int, requests: Sequence[bytes], first: int, load: Load) -> None:
        self._port, self._requests, self._turn, self._load = port, requests, first, load
        self._answer = b""
        self._asked = 0.0
        self.sock = self._connected()

    def _connected(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port), 30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * max(map(len, self._requests)))
        return sock

    def ask(self) -> None:
        """Send the next request; the kernel takes it whole."""
        self._asked = time.perf_counter()
        self.sock.sendall(self._requests[self._turn % len(self._requests)])
        self._turn += 1

    def hear(self) -> bool:
        """Take what has come; True when the answer is whole."""
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionResetError
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return False
        length = _LENGTH.search(head + b"\r\n")
        assert length, head
        if len(body) < int(length[1]):
            return False
        self._load.latencies.append(time.perf_counter() - self._asked)
        self._load.statuses[int(head[9:12])] += 1
        if infer := _INFER.search(body):
            self._load.infer_ms.append(float(infer[1]))
        self._answer = b""
        return True

    def again(self) -> None:
        """A new connection in the place of one that ended."""
        self._load.statuses[0] += 1
        self._answer = b""
        self.sock.close()
        self.sock = self._connected()


def loaded(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> Load:
    """So many clients for so long. Each begins elsewhere in the list, so that different requests meet."""
    load = Load()
    with selectors.DefaultSelector() as selector:
        every = [Client(port, requests, index, load) for index in range(clients)]
        for client in every:
            selector.register(client.sock, selectors.EVENT_READ, client)
            client.ask()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            for key, _ in selector.select(1.0):
                client: Client = key.data
                try:
                    if client.hear():
                        client.ask()
                except ConnectionError:
                    selector.unregister(key.fileobj)
                    client.again()
                    selector.register(client.sock, selectors.EVENT_READ, client)
                    client.ask()
        for client in every:
            client.sock.close()
    return load
