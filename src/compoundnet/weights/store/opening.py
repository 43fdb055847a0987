"""What opens an address: http and https only, and no redirection to anything that is less safe."""

from http.client import HTTPMessage, HTTPResponse
from typing import IO, cast
from urllib.error import HTTPError
from urllib.parse import urljoin
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

from compoundnet.weights.errors import CheckpointError

from .access import is_loopback, require_plain, require_reachable

_REDIRECTIONS = 5


class _Redirections(HTTPRedirectHandler):
    """Follows a server elsewhere only by https, or by http within this machine or from a plain mirror to itself."""

    max_redirections = _REDIRECTIONS
    max_repeats = 2

    def __init__(self, who: str) -> None:
        self._who = who

    def http_error_302(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage) -> object:
        target = urljoin(req.full_url, headers.get("Location", ""))
        try:
            require_plain(target, self._who)
            if not (req.type == "http" and target.startswith("http:") and _host(req.full_url) == _host(target)):
                require_reachable(target, self._who)
        except CheckpointError as error:
            fp.close()
            raise CheckpointError(f"{error} (the server at {req.host} sends us there)") from None
        if target.startswith("hf:"):
            raise HTTPError(req.full_url, code, "redirection to a hub address", headers, fp)
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _host(url: str) -> str:
    return Request(url).host  # noqa: S310 - nothing is opened


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
