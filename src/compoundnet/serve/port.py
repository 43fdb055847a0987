"""A port of our own, taken before anything slow begins."""

import errno
import socket

BACKLOG = 2048


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any free one. Raises ValueError, one line, when that cannot be."""
    if not 0 <= port <= 65535:
        raise ValueError(f"--port: {port} is not a port; use 1 to 65535, or 0 for any free one")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ValueError(f"--host: {host!r} is no address of this machine ({error}); use 127.0.0.1") from None
    # asyncio turns off the delay of small segments only on sockets that say they are TCP: 40 ms a request.
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ValueError(_refused(host, port, error)) from None
    return sock


def _refused(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; choose another with --port, or 0 for any free one"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not allowed to this user; choose one from 1024 with --port"
    return f"cannot listen on {host} port {port}: {error.strerror}; check --host and --port"
