"""What went wrong on the way, in one line with what to try."""

import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from compoundnet.weights.errors import CheckpointError

from .access import ABSENT, MIRROR, OFFLINE, Access
from .wanting import Wanted

_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # what servers answer when another attempt may do
_LONGEST = 60.0  # seconds that a server may ask us to wait
_IMPORT = "compoundnet weights import FILE"
TRY = f"name a mirror (--mirror or {MIRROR}), or bring the file yourself: {_IMPORT}"


class Transient(Exception):  # noqa: N818 - it is no error until the attempts are used up
    """A failure that another attempt may mend; ``after`` is how many seconds the server asks to wait."""

    def __init__(self, problem: str, after: float | None = None) -> None:
        super().__init__(problem)
        self.after = after


def explained(wanted: Wanted, url: str, error: Exception) -> Exception:
    """An error of the network: Transient where another attempt may do, else CheckpointError."""
    if isinstance(error, HTTPError):
        answer = f"{_host(url)} answers {error.code} ({words(error.reason)})"
        if error.code in _AGAIN:
            return Transient(answer, _asked_to_wait(error.headers.get("Retry-After", "")))
        return CheckpointError(f"{wanted.name}: {answer} for {url}; {TRY}")
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        problem = f"{_host(url)} cannot be trusted ({reason.verify_message})"
        return CheckpointError(f"{wanted.name}: {problem}; set SSL_CERT_FILE to your network's certificates")
    if isinstance(reason, IncompleteRead):
        return Transient("the connection closed before the end")
    if isinstance(reason, TimeoutError):
        return Transient(f"{_host(url)} does not answer")
    return Transient(f"no connection to {_host(url)} ({words(reason)})")


def after_attempts(wanted: Wanted, url: str, error: Transient, kept: int) -> CheckpointError:
    """What is said when the last attempt failed too."""
    there = f"; {kept:,} bytes are kept and gone on with next time" if kept else ""
    return CheckpointError(f"{wanted.name}: could not be fetched: {error}{there}; check the network, {TRY}")


def offline(wanted: Wanted, state: str = ABSENT) -> CheckpointError:
    """What is said of a file that is not in the store, or damaged there, when no connection may be opened."""
    named = "" if wanted.hashed else f" --name {wanted.name}"
    size = f", {wanted.bytes:,} bytes" if wanted.bytes else ""
    origin = f", from {wanted.url}" if wanted.url else ""
    file = f"{wanted.file} ({wanted.expected()}{size}{origin})"
    return CheckpointError(f"{wanted.name}: {state}, and {OFFLINE} is set; bring {file}: {_IMPORT}{named}")


def require_online(wanted: Wanted, how: Access, url: str, state: str = ABSENT) -> None:
    """Raise CheckpointError when fetching from an address would open a connection and none may be."""
    if how.offline and urlsplit(url).scheme != "file":
        raise offline(wanted, state)


def _asked_to_wait(text: str) -> float | None:
    """The seconds of a Retry-After header, at most a minute."""
    if text.isascii() and text.isdecimal():
        return min(_LONGEST, float(text))
    try:
        seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(_LONGEST, max(0.0, seconds))


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def words(reason: object) -> str:
    """What somebody else says of an error: on one line, short, and without what would steer a terminal."""
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    line = " ".join(text.split())[:160] or type(reason).__name__
    return line if line.isprintable() else ascii(line)
