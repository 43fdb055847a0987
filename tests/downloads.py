"""A file to download from a server of the test's own, and what a download of it must come to."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from compoundnet.weights import CheckpointError
from compoundnet.weights.store import Access, Fetched, Store, Wanted, fetch

from .loopback import Served, serving, size

DATA = random.Random(1).randbytes(3 << 18)
OTHER = random.Random(2).randbytes(3 << 18)
HOW = Access(pause=0.001, timeout=0.5, attempts=3)
CUT = 300_000


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def served() -> Iterator[Served]:
    with serving({"/w/b0.pth": DATA}) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def b0(served: Served, sha256: str = sha(DATA), md5: str = "", digits: str = "", size: int | None = None) -> Wanted:
    url = f"{served.url}/w/b0.pth"
    return Wanted(name="b0", file="b0.pth", url=url, sha256=sha256, md5=md5, sha256_prefix=digits, bytes=size)


def is_whole(found: Fetched, store: Store) -> bool:
    """The right bytes at the right place, and nothing unfinished beside them."""
    place = store.root / "blobs" / sha(DATA) / "b0.pth"
    return found.path == place and place.read_bytes() == DATA and size(store.root / "parts") == 0


def refused(wanted: Wanted, store: Store, how: Access = HOW) -> str:
    """The one line of the error; nothing has entered the store."""
    with pytest.raises(CheckpointError) as caught:
        fetch(wanted, store=store, how=how)
    text = str(caught.value)
    assert "\n" not in text
    assert store.entries() == []
    assert store.blobs() == []
    return text
