"""Where the trials of a search are, as its folder says: ``search.json`` names the store and the study."""

import json
from pathlib import Path

ASKED = "search.json"


def kept_at(folder: Path) -> tuple[str, str] | None:
    """The store and the study that a search's folder names; None where it names none, or cannot be read."""
    try:
        told = json.loads((folder / ASKED).read_text(encoding="utf-8"))
        store, study = told["store"], told["study"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (store, study) if isinstance(store, str) and isinstance(study, str) else None


def lasting(store: str) -> str:
    """A store as ``search.json`` names it: a file by its whole path, so that it is found from every folder.

    >>> lasting("postgresql://user@host/trials")
    'postgresql://user@host/trials'
    """
    return store if "://" in store else str(Path(store).resolve())


def require_store(folder: Path, own: Path) -> None:
    """Raise ValueError, one line, where the folder's trials are in another store, and its ``own`` would begin anew."""
    kept = kept_at(folder)
    if kept is None or own.exists():
        return
    store, _ = kept
    if "://" in store or (Path(store).is_file() and Path(store).resolve() != own.resolve()):
        raise ValueError(f"{folder}: its trials are in {store}; give that store (--store), or name another folder")
