"""A lock file gives everybody the same bytes; what is damaged, gone or another is noticed and said."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from compoundnet.weights import CheckpointError
from compoundnet.weights.store import Access, Store, add_to_lock, check, fetch, import_file, read_lock
from compoundnet.weights.store.lockfile import lock_text

from .stores import DATA, ROW, ROWS, SHA, brought, store

__all__ = ["brought", "store"]  # the fixtures


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
