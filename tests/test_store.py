"""The store as a folder: what enters by hand, what a lock file says, what is refused, what is noticed later."""

import hashlib
import json
import os
import random
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
from compoundnet.weights.store import (
    Access,
    Store,
    Stored,
    Wanted,
    access,
    add_to_lock,
    check,
    fetch,
    import_file,
    known,
    read_lock,
    wanted,
)
from compoundnet.weights.store.access import address
from compoundnet.weights.store.lockfile import lock_text
from compoundnet.weights.store.wanting import is_file_name, is_name

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


def test_check_names_what_is_damaged_and_what_has_gone(store: Store, brought: Path) -> None:
    good = import_file(brought, store=store, rows={}, name="good")
    brought.write_bytes(b"bad")
    bad = import_file(brought, store=store, rows={}, name="bad")
    brought.write_bytes(b"gone")
    gone = import_file(brought, store=store, rows={}, name="gone")
    bad.path.write_bytes(b"BAD")
    gone.path.unlink()
    loose = store.root / "blobs" / SHA / "loose.pth"
    loose.write_bytes(b"no name")
    heard: list[tuple[int, int]] = []
    found = {each.name: each for each in check(store, on_done=lambda done, of: heard.append((done, of)))}
    assert {name: each.state for name, each in found.items()} == {
        "good": "fine",
        "bad": "damaged",
        "gone": "missing",
        "loose.pth": "damaged",
    }
    assert hashlib.sha256(b"BAD").hexdigest() in found["bad"].problem
    assert heard == [(k, 4) for k in range(1, 5)]
    assert [each.state for each in check(store, ["good", "nobody"])] == ["fine", "missing"]
    assert good.path.read_bytes() == DATA


@pytest.mark.parametrize(
    "record",
    [
        *[b"", b"[]", b"{", b"\xff", b"[" * 100_000],
        json.dumps({"name": "b0", "file": "../../x", "sha256": SHA, "bytes": 1}).encode(),
        json.dumps({"name": "other", "file": "x", "sha256": SHA, "bytes": 1}).encode(),
        json.dumps({"name": "b0", "file": "x", "sha256": "../..", "bytes": 1}).encode(),
        json.dumps({"name": "b0", "file": "x", "sha256": "", "bytes": 1}).encode(),
    ],
)
def test_a_record_that_cannot_be_read_is_none(store: Store, brought: Path, record: bytes) -> None:
    import_file(brought, store=store, rows={}, name="b0")
    (store.root / "names/b0.json").write_bytes(record)
    assert store.find("b0") is None
    assert store.entries() == []
    import_file(brought, store=store, rows={}, name="b0")
    assert store.find("b0") is not None


def test_a_lock_file_gives_everybody_the_same_bytes(store: Store, brought: Path, tmp_path: Path) -> None:
    path = tmp_path / "compoundnet-weights.lock"
    first = import_file(brought, store=store, rows=ROWS).stored
    brought.write_bytes(b"mine")
    second = import_file(brought, store=store, rows=ROWS, name="a/mine").stored
    assert add_to_lock(path, [first], store)
    assert add_to_lock(path, [second], store)
    text = path.read_text()
    assert not add_to_lock(path, [first, second], store)
    assert path.read_text() == text == lock_text(read_lock(path))
    assert list(json.loads(text)["weights"]) == ["a/mine", "maker/b0"]
    other = tmp_path / "other.lock"
    add_to_lock(other, [second, first], store)
    assert other.read_text() == text
    lock = read_lock(path)
    assert lock["maker/b0"] == replace(ROW, file="download.pth", bytes=len(DATA))
    assert [each.state for each in check(store, lock=lock)] == ["fine", "fine"]
    assert fetch(lock["a/mine"], store=store, how=Access(offline=True)).stored == second
    assert sorted(each.name for each in tmp_path.iterdir() if ".part" in each.name) == []


def test_a_store_that_has_something_else_under_a_locked_name_is_told_so(
    store: Store, brought: Path, tmp_path: Path
) -> None:
    path = tmp_path / "weights.lock"
    add_to_lock(path, [import_file(brought, store=store, rows={}, name="b0").stored], store)
    brought.write_bytes(b"newer")
    newer = import_file(brought, store=store, rows={}, name="b0")
    found = check(store, lock=read_lock(path))
    assert [each.state for each in found] == ["other"]
    assert newer.stored.sha256 in found[0].problem
    assert fetch(read_lock(path)["b0"], store=store, how=Access(offline=True)).stored.sha256 == SHA
    empty = Store(tmp_path / "empty")
    assert [each.state for each in check(empty, lock=read_lock(path))] == ["missing"]
    with pytest.raises(CheckpointError, match=r"no address is known; bring download\.pth"):
        fetch(read_lock(path)["b0"], store=empty)


def test_a_damaged_file_gives_way_to_a_whole_copy_under_another_file_name(store: Store, brought: Path) -> None:
    """verify called it damaged while fetch said that it was there."""
    first = import_file(brought, store=store, rows={}, name="b0")
    other = brought.rename(brought.with_name("a-copy.pth"))
    import_file(other, store=store, rows={}, name="twin")
    first.path.write_bytes(b"damaged")
    said: list[str] = []
    found = fetch(first.stored.as_wanted(), store=store, how=Access(offline=True), say=said.append)
    assert (found.path, found.path.read_bytes(), found.new) == (first.path, DATA, False)
    assert said == [f"{first.path}: is damaged; replaced by the whole copy a-copy.pth"]
    assert [each.state for each in check(store)] == ["fine", "fine"]


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("url", ["", "https://192.0.2.1/b0.pth"])
def test_a_damaged_file_that_cannot_be_had_again_is_called_damaged(
    store: Store, brought: Path, url: str, offline: bool
) -> None:
    found = import_file(brought, store=store, rows={}, name="b0")
    found.path.write_bytes(b"damaged")
    wanted, how = replace(found.stored.as_wanted(), url=url), Access(offline=offline, attempts=1, timeout=0.01)
    with pytest.raises(CheckpointError) as caught:
        fetch(wanted, store=store, how=how)
    assert ("is damaged in the store" in str(caught.value)) == (offline or not url)
    assert "not in the store" not in str(caught.value)


def test_fetch_takes_a_name_of_the_store_with_the_bytes_it_has(store: Store, brought: Path) -> None:
    found = import_file(brought, store=store, rows={}, name="team/mine")
    assert fetch("team/mine", store=store, how=Access(offline=True)).stored == found.stored
    found.path.unlink()
    with pytest.raises(
        CheckpointError, match=r"no address is known; bring download\.pth .*import FILE --name team/mine"
    ):
        fetch("team/mine", store=store, how=Access(offline=True))


GOOD = {"file": "b0.pth", "sha256": SHA, "bytes": 3, "source": ""}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "is a JSON object"),
        ("{}", "version: missing"),
        ('{"version": 2, "weights": {}}', "version: 2 is not supported"),
        ('{"version": 1}', "weights"),
        (json.dumps({"version": 1, "weights": {"../b0": GOOD}}), "is no name"),
        (json.dumps({"version": 1, "weights": {"b0": {**GOOD, "file": "../b0"}}}), "weights.b0.file: '../b0' is no"),
        (json.dumps({"version": 1, "weights": {"b0": {**GOOD, "sha256": "12"}}}), "weights.b0.sha256: '12' is not 64"),
        (json.dumps({"version": 1, "weights": {"b0": {**GOOD, "sha256": ""}}}), "the whole hash"),
        (json.dumps({"version": 1, "weights": {"b0": {**GOOD, "bytes": -1}}}), "weights.b0.bytes: -1"),
        (json.dumps({"version": 1, "weights": {"b0": {**GOOD, "bytes": "3"}}}), "bytes: expected an integer"),
        (json.dumps({"version": 1, "weights": {"b0": {**GOOD, "run": "sh"}}}), "run"),
    ],
)
def test_a_lock_file_that_is_none_is_refused_by_name(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "weights.lock"
    path.write_text(text)
    with pytest.raises(CheckpointError) as caught:
        read_lock(path)
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_locked_address_of_a_local_file_is_not_opened(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    path = tmp_path / "weights.lock"
    entry = {"file": "b0.pth", "sha256": SHA, "bytes": len(DATA), "source": secret.as_uri()}
    path.write_text(json.dumps({"version": 1, "weights": {"b0": entry}}))
    with pytest.raises(CheckpointError, match="only https and hf addresses are fetched"):
        fetch(read_lock(path)["b0"], store=store, how=Access())
    assert store.blobs() == []


def test_a_lock_file_that_cannot_be_written_is_one_line(store: Store, brought: Path, tmp_path: Path) -> None:
    stored = import_file(brought, store=store, rows={}).stored
    with pytest.raises(CheckpointError, match="does not exist; create it first"):
        add_to_lock(tmp_path / "none/weights.lock", [stored], store)
    with pytest.raises(CheckpointError, match=r"cannot be read \(Is a directory\)"):
        add_to_lock(tmp_path, [stored], store)
    with pytest.raises(CheckpointError, match="weights fetch NAME --lock"):
        read_lock(tmp_path / "none.lock")


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
