"""A store of a test's own, a file that somebody brought to it, and the rows that it may be of."""

import hashlib
import random
from pathlib import Path

import pytest

from compoundnet.weights import CheckpointError
from compoundnet.weights.store import Store, Wanted, import_file

DATA = random.Random(3).randbytes(1 << 16)
SHA = hashlib.sha256(DATA).hexdigest()
ROW = Wanted(name="maker/b0", file="b0-abc.pth", url="https://weights.example/b0-abc.pth", sha256=SHA)
ROWS = {
    ROW.name: ROW,
    "maker/b1": Wanted(name="maker/b1", file="b1.pth", url="https://weights.example/b1.pth", sha256_prefix="0" * 8),
    "maker/b2": Wanted(name="maker/b2", file="b2.h5", md5=hashlib.md5(DATA + b"2", usedforsecurity=False).hexdigest()),
    "maker/tar": Wanted(name="maker/tar", file="b0.tar.gz", url="https://weights.example/b0.tar.gz"),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    path = tmp_path / "download.pth"
    path.write_bytes(DATA)
    return path


def refused(path: Path, store: Store, name: str = "") -> str:
    with pytest.raises(CheckpointError) as caught:
        import_file(path, store=store, rows=ROWS, name=name)
    assert store.blobs() == []
    assert "\n" not in str(caught.value)
    return str(caught.value)
