"""The folder that keeps what can be made or fetched again: measured choices of engines, fetched weights."""

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "COMPOUNDNET_CACHE"


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that ``COMPOUNDNET_CACHE`` names, or else ``compoundnet`` in the user's cache folder.

    The user's is ``XDG_CACHE_HOME`` or ``~/.cache``, on every system, as PyTorch and the Hugging Face hub have it.
    Raises ValueError, one line, for a user without a home who set neither.

    >>> cache_folder({"XDG_CACHE_HOME": "/var/cache"}).as_posix()
    '/var/cache/compoundnet'
    >>> cache_folder({"COMPOUNDNET_CACHE": "/data/nets", "XDG_CACHE_HOME": "/var/cache"}).as_posix()
    '/data/nets'
    """
    try:
        if given := environ.get(VARIABLE):
            return Path(given).expanduser().absolute()
        user = environ.get("XDG_CACHE_HOME")
        return (Path(user) if user else Path.home() / ".cache").absolute() / "compoundnet"
    except RuntimeError:  # of pathlib, which found no home
        raise ValueError(f"this user has no home folder; set {VARIABLE} to a folder that may be written") from None
