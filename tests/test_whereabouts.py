"""Where a search's trials are, as its folder says."""

import json
from pathlib import Path

import pytest

from compoundnet.search.whereabouts import kept_at, named, require_own


def said(folder: Path, store: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "search.json").write_text(json.dumps({"store": store, "study": "s"}))


def test_what_is_named_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for store in ("runs/shared.log", "out/journal.log", "other/journal.log", "postgresql://u:secret@host/d"):
        Path(store).parent.mkdir(exist_ok=True) if "://" not in store else None
        said(tmp_path / "out", named(store, Path("out")))
        monkeypatch.chdir("/")
        found = kept_at(tmp_path / "out")
        assert found == ("postgresql://u@host/d" if "://" in store else str(tmp_path / store), "s")
        monkeypatch.chdir(tmp_path)


def test_a_folder_that_was_moved_has_its_own_journal(tmp_path: Path) -> None:
    for store in ("journal.log", "old/journal.log", str(tmp_path / "old/journal.log")):  # the last two: older versions
        said(tmp_path / "new", store)
        (tmp_path / "new/journal.log").touch()
        assert kept_at(tmp_path / "new") == (str(tmp_path / "new/journal.log"), "s")
        require_own(tmp_path / "new")


def test_no_other_store_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "shared.log").touch()
    for store, gone in ((str(tmp_path / "shared.log"), ""), ("/nowhere/shared.log", ", which is not there")):
        for own in (False, True):  # a journal that was begun before the other store was given
            said(tmp_path / "out", store)
            (tmp_path / "out/journal.log").touch() if own else (tmp_path / "out/journal.log").unlink(missing_ok=True)
            with pytest.raises(ValueError, match=rf"out: its trials are in {store}{gone}; give that store \(--store\)"):
                require_own(tmp_path / "out")
    said(tmp_path / "out", "postgresql://u:***@host/d")
    with pytest.raises(ValueError, match=r"its trials are in postgresql://u@host/d; give that store"):
        require_own(tmp_path / "out")


def test_a_folder_that_names_no_store_is_its_own(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"store": 1, "study": "s"}', '{"version": 1}'):
        (tmp_path / "search.json").write_text(text)
        assert kept_at(tmp_path) is None
        require_own(tmp_path)
