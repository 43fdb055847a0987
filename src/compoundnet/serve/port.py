"""A port of our own, taken before anything slow begins."""

import errno
import socket

BACKLOG = 2048
_OWN_FILES = 128
_REFUSABLE = 16_384


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


def room(connections: int) -> int:
    """How many connections beyond ``connections`` this process may open; its limit of files is raised first.

    Raises ValueError, one line, when not even those fit.
    """
    try:
        import resource
    except ImportError:  # Windows counts no sockets
        return _REFUSABLE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _REFUSABLE + _OWN_FILES
    allowed = min(value for value in (wanted, hard) if value != resource.RLIM_INFINITY)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    left = (wanted if soft == resource.RLIM_INFINITY else soft) - connections - _OWN_FILES
    if left < 0:
        problem = f"{connections:,} connections do not fit into the {soft:,} files that this process may open"
        raise ValueError(f"--connections: {problem}; ask for fewer, or raise the limit with ulimit -n")
    return min(left, _REFUSABLE)
