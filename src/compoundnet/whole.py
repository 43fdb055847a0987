"""Small files that appear whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path


def made(folder: Path) -> Path:
    """The folder of results, made if need be. Raises ValueError, one line, where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder}: cannot be a folder for results ({error.strerror}); choose another place") from None
    return folder


def write_whole(path: Path, text: str) -> None:
    """A text file that is there whole or not at all, also after the power failed; its folder is made if need be.

    Written beside, flushed to the disk and renamed. Raises OSError as writing does, and leaves the old file then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()
