"""What opens an address: http and https only, and no redirection to anything that is less safe."""

from http.client import HTTPMessage, HTTPResponse
from typing import IO, cast
from urllib.parse import urljoin, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from compoundnet.schema import shown
from compoundnet.weights.errors import CheckpointError

from .access import is_loopback, parts_of, require_plain

_REDIRECTIONS = 5


class _Redirections(HTTPRedirectHandler):
    """Follows a server elsewhere only where ``require_no_less_safe`` lets it."""

    max_redirections = _REDIRECTIONS
    max_repeats = 2

    def __init__(self, who: str) -> None:
        self._who = who

    def http_error_302(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage) -> object:
        location = headers.get("Location", "")
        try:
            parts_of(location, self._who)
            require_no_less_safe(req.full_url, urljoin(req.full_url, location), self._who)
        except CheckpointError:
            fp.close()
            raise
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def require_no_less_safe(origin: str, target: str, who: str) -> None:
    """Raise CheckpointError unless a server may send us there: to https, or from plain http to plain http at home.

    >>> require_no_less_safe("http://127.0.0.1:80/x", "http://127.0.0.1:81/x", "b0")
    >>> require_no_less_safe("https://a.example/x", "http://127.0.0.1/x", "b0")
    Traceback (most recent call last):
    compoundnet.weights.errors.CheckpointError: b0: a.example sends us to 'http://127.0.0.1/x', which is refused
    """
    before, after = urlsplit(origin), urlsplit(target)
    require_plain(target, who)
    at_home = before.hostname == after.hostname or (is_loopback(origin) and is_loopback(target))
    if after.scheme == "https" or (before.scheme == after.scheme == "http" and at_home):
        return
    raise CheckpointError(f"{who}: {before.hostname} sends us to {shown(target)}, which is refused")


def opened(request: Request, who: str, timeout: float) -> HTTPResponse:
    """The server's answer; the environment's proxies are used, but not for this machine. Raises as urllib does."""
    found = OpenerDirector()
    handlers = (
        ProxyHandler({} if is_loopback(request.full_url) else None),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        _Redirections(who),
    )
    for handler in handlers:
        found.add_handler(handler)
    return cast("HTTPResponse", found.open(request, timeout=timeout))
