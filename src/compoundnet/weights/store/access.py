"""How the store reaches the network: whether at all, through which mirror, from which addresses, how patiently."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from compoundnet.schema import shown
from compoundnet.weights.errors import CheckpointError

from .wanting import Wanted

OFFLINE, MIRROR = "COMPOUNDNET_OFFLINE", "COMPOUNDNET_MIRROR"
HUB_HOST = "huggingface.co"
ABSENT = "not in the store"
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
_MOST = 16 * 10**9  # bytes of one file; the largest published checkpoint, EfficientNet-L2, has 2
_HUB = re.compile(r"hf://([\w.-]+)/([\w.-]+?)(?:@([\w.-]+))?/([^@?#]+)", re.ASCII)
_HOST = "{host}"


@dataclass(frozen=True, kw_only=True)
class Access:
    """How files are fetched.

    ``offline`` opens no connection. ``mirror`` is an address (https, http or file) or a folder that stands in place of
    the hosts; ``{host}`` in it is the host it replaces. ``timeout`` is in seconds, for each answer of a server;
    ``attempts`` in a row may fail, with ``pause`` seconds after the first and twice as many after each other.
    ``most`` is the largest file that is taken, in bytes.
    """

    offline: bool = False
    mirror: str = ""
    timeout: float = 30.0
    attempts: int = 5
    pause: float = 1.0
    most: int = _MOST


def access(mirror: str | None = None, environ: Mapping[str, str] = os.environ) -> Access:
    """How files are fetched by the user's settings; a ``mirror`` that is given takes the place of the variable's.

    Raises ValueError, one line, for a COMPOUNDNET_OFFLINE that says neither yes nor no, and for a mirror that is none.

    >>> access(environ={"COMPOUNDNET_OFFLINE": "1"}).offline
    True
    """
    said = environ.get(OFFLINE, "").strip().lower()
    if said not in (*_YES, *_NO):
        raise ValueError(f"{OFFLINE}: {shown(said)} is neither yes nor no; set it to 1 or 0")
    chosen = environ.get(MIRROR, "") if mirror is None else mirror
    return Access(offline=said in _YES, mirror=_mirror(chosen, MIRROR if mirror is None else "--mirror"))


def _mirror(text: str, option: str) -> str:
    """The mirror as an address: a folder becomes a file address."""
    if not text:
        return ""
    if "://" not in text:
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise ValueError(f"{option}: {shown(text)} is neither an address (https://...) nor a folder that exists")
        return folder.absolute().as_uri()
    parts = parts_of(text, option)
    if parts.scheme not in ("https", "http", "file") or (parts.scheme != "file" and not parts.hostname):
        raise ValueError(f"{option}: {shown(text)} is no https, http or file address")
    require_plain(text, option)
    return text


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a repository on the Hugging Face hub."""

    repository: str
    revision: str
    file: str


def hub_file(url: str) -> HubFile:
    """Read ``hf://owner/name[@revision]/file``. Raises CheckpointError, one line, for anything else.

    >>> hub_file("hf://timm/efficientnet_b0.ra_in1k@main/model.safetensors")
    HubFile(repository='timm/efficientnet_b0.ra_in1k', revision='main', file='model.safetensors')
    """
    match = _HUB.fullmatch(url)
    if match is None or ".." in url.split("/"):
        raise CheckpointError(f"{shown(url)} is no address of the hub; write hf://owner/name/file")
    return HubFile(repository=f"{match[1]}/{match[2]}", revision=match[3] or "main", file=match[4])


def address(wanted: Wanted, how: Access, state: str = ABSENT) -> str:
    """Where a file is fetched from: its own address, or the mirror's copy of it. ``state`` is why, for the error.

    Plain http is taken from this machine, and from a mirror for files whose whole hash is known. Raises
    CheckpointError, one line, for any other address.

    >>> b0 = Wanted(name="b0", file="b0.pth", url="https://download.pytorch.org/models/b0.pth")
    >>> address(b0, Access(mirror="https://mirror.example/{host}"))
    'https://mirror.example/download.pytorch.org/models/b0.pth'
    >>> address(b0, Access(mirror="https://mirror.example/w"))
    'https://mirror.example/w/models/b0.pth'
    """
    if not wanted.url:
        remedy = f"bring {wanted.file} ({wanted.expected()}): compoundnet weights import FILE --name {wanted.name}"
        raise CheckpointError(f"{wanted.name}: {state}, and no address is known; {remedy}")
    require_plain(wanted.url, wanted.name)
    if not how.mirror:
        require_reachable(wanted.url, wanted.name)
        return wanted.url
    host, path = _place(wanted)
    found = how.mirror.replace(_HOST, host).rstrip("/") + "/" + path
    if found.startswith("http:") and not wanted.certain and not is_loopback(found):
        problem = f"is not fetched over plain http, since {wanted.expected()} would not show a forged file"
        raise CheckpointError(f"{wanted.name}: {problem}; use a mirror with https")
    return found


def _place(wanted: Wanted) -> tuple[str, str]:
    """The host and the path that a mirror stands in for."""
    if wanted.url.startswith("hf:"):
        hub = hub_file(wanted.url)
        return HUB_HOST, f"{hub.repository}/resolve/{hub.revision}/{hub.file}"
    parts = urlsplit(wanted.url)
    return parts.hostname or "", parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")


def parts_of(url: str, who: str) -> SplitResult:
    """The parts of an address. Raises CheckpointError, one line, for what cannot be taken apart."""
    try:
        return urlsplit(url)
    except ValueError as error:  # brackets that hold no number of a host
        raise CheckpointError(f"{who}: {shown(url)} is no address: {error}") from None


def require_plain(url: str, who: str) -> None:
    """Raise CheckpointError for an address with a password, spaces, control characters, or steps to a parent."""
    parts = parts_of(url, who)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise CheckpointError(f"{who}: {shown(url)} is no address: it has a space or an odd character")
    if "@" in parts.netloc and parts.scheme != "hf":
        raise CheckpointError(f"{who}: leave user and password out of the address at {shown(parts.hostname)}")
    if ".." in unquote(parts.path).split("/"):
        raise CheckpointError(f"{who}: {shown(url)} steps to a parent folder ('..'); write the address out")


def require_reachable(url: str, who: str) -> None:
    """Raise CheckpointError unless an address is https, of the hub, or http on this machine."""
    scheme = urlsplit(url).scheme
    if scheme in ("https", "hf") or (scheme == "http" and is_loopback(url)):
        return
    why = "anybody on the way could change the file" if scheme == "http" else "only https and hf addresses are fetched"
    raise CheckpointError(f"{who}: {shown(url)} is refused, since {why}; name an https address or a mirror")


def is_loopback(url: str) -> bool:
    """Whether an address is of this machine, by its number or as localhost.

    >>> is_loopback("http://127.0.0.1:8000/x"), is_loopback("http://localhost/x"), is_loopback("http://10.0.0.1/x")
    (True, True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
