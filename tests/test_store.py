"""What a store takes in by hand, under which names, from where and whereto."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.caching import cache_folder
from compoundnet.schema import FieldError
from compoundnet.weights import PACKAGED, CheckpointError
from compoundnet.weights.store import Access, Store, Stored, access, check, fetch, import_file, known, wanted
from compoundnet.weights.store.access import address
from compoundnet.weights.store.wanting import is_file_name, is_name

from .stores import DATA, ROW, ROWS, SHA, brought, refused, store

__all__ = ["brought", "store"]  # the fixtures


def test_a_file_that_was_brought_is_named_by_its_hash_and_satisfies_fetch_offline(store: Store, brought: Path) -> None:
    found = import_file(brought, store=store, rows=ROWS)
    assert (found.row, found.stored.name, found.stored.source) == (ROW, "maker/b0", ROW.url)
    assert found.path.read_bytes() == DATA
    assert brought.exists()
    again = fetch(ROW, store=store, how=Access(offline=True))
    assert (again.new, again.path.name) == (False, "b0-abc.pth")
    assert store.find("maker/b0") == again.stored


def test_an_md5_names_a_row_too(store: Store, brought: Path) -> None:
    brought.write_bytes(DATA + b"2")
    found = import_file(brought, store=store, rows=ROWS)
    assert found.row == ROWS["maker/b2"]
    assert fetch(ROWS["maker/b2"], store=store, how=Access(offline=True)).path.name == "b2.h5"


def test_a_file_of_nobody_is_called_by_its_own_name_or_a_given_one(store: Store, brought: Path) -> None:
    brought.write_bytes(b"mine")
    assert import_file(brought, store=store, rows=ROWS).stored.name == "download"
    assert import_file(brought, store=store, rows=ROWS, name="team/mine").row is None
    assert [each.name for each in store.entries()] == ["download", "team/mine"]
    assert len(store.blobs()) == 1


def test_a_row_without_a_hash_takes_the_file_that_is_called_by_its_name(store: Store, brought: Path) -> None:
    found = import_file(brought, store=store, rows={"maker/tar": ROWS["maker/tar"]}, name="maker/tar")
    assert found.stored.source == ROWS["maker/tar"].url
    assert not fetch(ROWS["maker/tar"], store=store, how=Access(offline=True)).new


def test_a_file_that_is_not_what_its_name_says_is_refused(store: Store, tmp_path: Path, brought: Path) -> None:
    cut = tmp_path / "b0-abc.pth"
    cut.write_bytes(DATA[:-1])
    text = refused(cut, store)
    assert SHA in text
    assert hashlib.sha256(DATA[:-1]).hexdigest() in text
    assert "--name" in text
    assert "begins with 00000000" in refused(brought, store, name="maker/b1")


def test_what_is_no_file_of_weights_is_not_imported(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty.pth").touch()
    assert "empty" in refused(tmp_path / "empty.pth", store)
    assert "a folder" in refused(tmp_path, store)
    assert "no such file" in refused(tmp_path / "none.pth", store)
    os.mkfifo(tmp_path / "pipe.pth")
    assert "no such file" in refused(tmp_path / "pipe.pth", store)
    odd = tmp_path / "a\nb.pth"
    odd.write_bytes(DATA)
    assert "no plain file name" in refused(odd, store)
    spaced = tmp_path / "my weights.pth"
    spaced.write_bytes(b"mine")
    assert "--name" in refused(spaced, store)
    name = next(iter(PACKAGED))
    assert "package" in refused(spaced, store, name=name)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../b", "a//b", ".x", "a\\b", "a:b", "x" * 200, "", "a\0", "é"])
def test_a_hostile_name_names_nothing(store: Store, brought: Path, name: str) -> None:
    assert not is_name(name)
    with pytest.raises(FieldError, match="is no name"):
        replace(ROW, name=name)
    assert store.find(name) is None
    brought.write_bytes(b"mine")
    if name:
        assert "is no name" in refused(brought, store, name=name)


@pytest.mark.parametrize(
    "file", ["../x", "/x", "a/b", "..", ".", ".x", "-x", "a\\b", "C:x", "a\nb", "", "x" * 200, "a "]
)
def test_a_hostile_file_name_is_no_file(file: str) -> None:
    assert not is_file_name(file)
    with pytest.raises(FieldError, match="is no plain file name"):
        replace(ROW, file=file)


@given(st.text(max_size=20), st.text(max_size=20))
@settings(deadline=None, max_examples=200)
def test_whatever_names_pass_stay_below_the_store(name: str, file: str) -> None:
    store = Store(Path("/store"))
    if is_file_name(file):
        path = store.path(Stored(name="b0", file=file, sha256=SHA, bytes=1))
        assert Path(os.path.normpath(path)) == path
        assert path.parent == Path("/store/blobs") / SHA
    if is_name(name):
        place = store._name_file(name)
        assert place.parent == Path("/store/names")
        assert Path(os.path.normpath(place)) == place


def test_names_that_differ_do_not_meet(store: Store, brought: Path) -> None:
    for number, name in enumerate(("a/b", "a.b", "a", "a+b", "a=b")):
        brought.write_bytes(bytes([number + 1]))
        import_file(brought, store=store, rows={}, name=name)
    assert len({each.sha256 for each in store.entries()}) == 5


def test_fetch_takes_a_name_of_the_store_with_the_bytes_it_has(store: Store, brought: Path) -> None:
    found = import_file(brought, store=store, rows={}, name="team/mine")
    assert fetch("team/mine", store=store, how=Access(offline=True)).stored == found.stored
    found.path.unlink()
    with pytest.raises(
        CheckpointError, match=r"no address is known; bring download\.pth .*import FILE --name team/mine"
    ):
        fetch("team/mine", store=store, how=Access(offline=True))


def test_the_settings_come_from_the_environment(tmp_path: Path) -> None:
    assert access(environ={}) == Access()
    assert access(environ={"COMPOUNDNET_MIRROR": "https://a.example/x"}).mirror == "https://a.example/x"
    assert access("https://b.example", {"COMPOUNDNET_MIRROR": "https://a.example"}).mirror == "https://b.example"
    assert access(environ={"COMPOUNDNET_MIRROR": str(tmp_path)}).mirror == tmp_path.as_uri()
    assert [access(environ={"COMPOUNDNET_OFFLINE": text}).offline for text in ("1", "true", "0", "")] == [
        *[True, True, False, False]
    ]
    with pytest.raises(ValueError, match="neither yes nor no"):
        access(environ={"COMPOUNDNET_OFFLINE": "maybe"})
    for odd in (
        "mirror.example",
        "ftp://mirror.example",
        "https://",
        "https://u:p@h/",
        "https://h/../x",
        "https://h/ x",
    ):
        with pytest.raises(ValueError, match=r"--mirror|leave user"):
            access(odd, {})


def test_the_store_lies_where_the_user_says(tmp_path: Path) -> None:
    assert cache_folder({"COMPOUNDNET_CACHE": "relative"}) == Path.cwd() / "relative"
    assert cache_folder({"COMPOUNDNET_CACHE": "~/nets"}) == Path.home() / "nets"
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "compoundnet"
    assert cache_folder({}) == Path.home() / ".cache/compoundnet"


def test_an_address_is_wanted_by_a_name_and_a_hash() -> None:
    found = wanted("https://weights.example/some/b0.pth?download=1", sha256=SHA.upper())
    assert (found.name, found.file, found.sha256) == ("b0", "b0.pth", SHA)
    assert wanted("hf://timm/x.y@abc/sub/model.safetensors", name="mine").file == "model.safetensors"
    for text in ("https://weights.example/", "https://weights.example/a%20b.pth", "hf://timm/x"):
        with pytest.raises(CheckpointError):
            wanted(text)
    with pytest.raises(CheckpointError, match="sha256: 'abc' is not 64 hex digits"):
        wanted("https://weights.example/b0.pth", sha256="abc")
    with pytest.raises(CheckpointError, match="go with an address"):
        wanted(next(iter(known())), sha256=SHA)
    with pytest.raises(CheckpointError, match="comes in a package"):
        wanted(next(iter(PACKAGED)))


def test_every_published_file_has_an_address_that_may_be_fetched() -> None:
    for name, row in known().items():
        assert row.name == name
        if row.url:
            assert address(row, Access()) == row.url


@contextmanager
def unprivileged() -> Iterator[None]:
    """As a user who may not write everywhere, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_store_that_may_not_be_written_is_one_line_and_still_read(tmp_path: Path, brought: Path) -> None:
    root = Path("/tmp") / f"compoundnet-{os.getpid()}"
    store = Store(root / "store")
    try:
        root.mkdir()
        stored = import_file(brought, store=store, rows={}, name="b0").stored
        for folder in (store.root, *store.root.rglob("*")):
            folder.chmod(0o555 if folder.is_dir() else 0o444)
        with unprivileged():
            assert store.find("b0") == stored
            assert [each.state for each in check(store)] == ["fine"]
            assert not fetch(stored.as_wanted(), store=store, how=Access(offline=True)).new
            with pytest.raises(
                CheckpointError, match=r"cannot be written \(Permission denied\); set COMPOUNDNET_CACHE"
            ):
                fetch(wanted("https://192.0.2.1/x.pth"), store=store)
    finally:
        for folder in (root, *root.rglob("*")):
            folder.chmod(0o755)
        shutil.rmtree(root)


def test_a_store_below_a_file_is_one_line(tmp_path: Path, brought: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be written \(Not a directory\)"):
        import_file(brought, store=Store(brought / "store"), rows={}, name="b0")
