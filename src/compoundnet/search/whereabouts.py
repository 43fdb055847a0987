"""Where the trials of a search are, as its folder says: ``search.json`` names the store and the study."""

import json
import re
from pathlib import Path

from .trials.opening import JOURNAL

ASKED = "search.json"
_PASSWORD = re.compile(r"(://[^:/@]*):[^@]*@")


def named(store: str, folder: Path) -> str:
    """A store as ``search.json`` names it: found from every place, and after the folder was moved.

    The folder's own journal is named by its file, another one by its whole path, a database without its password.

    >>> named("postgresql://user:***@host/trials", Path("out")), named("out/journal.log", Path("out"))
    ('postgresql://user@host/trials', 'journal.log')
    """
    if "://" in store:
        return _PASSWORD.sub(r"\1@", store)
    path = Path(store).resolve()
    return JOURNAL if path == (folder / JOURNAL).resolve() else str(path)


def kept_at(folder: Path) -> tuple[str, str] | None:
    """The store and the study that a search's folder names; None where it names none, or cannot be read."""
    try:
        told = json.loads((folder / ASKED).read_text(encoding="utf-8"))
        store, study = told["store"], told["study"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not (isinstance(store, str) and isinstance(study, str)):
        return None
    own = folder / JOURNAL
    # Folders of older versions name their own journal by a path, which is gone when they were moved.
    moved = Path(store).name == JOURNAL and not Path(store).exists() and own.exists()
    return (str(own), study) if store == JOURNAL or moved else (_PASSWORD.sub(r"\1@", store), study)


def require_own(folder: Path) -> None:
    """Raise ValueError, one line, where a folder's trials are in another store than its own: none is trained again."""
    kept = kept_at(folder)
    if kept is None or ("://" not in kept[0] and Path(kept[0]).resolve() == (folder / JOURNAL).resolve()):
        return
    gone = "://" not in kept[0] and not Path(kept[0]).exists()
    where = f"its trials are in {kept[0]}{', which is not there' if gone else ''}"
    raise ValueError(f"{folder}: {where}; give that store (--store), or name another folder")
