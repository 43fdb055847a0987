"""A chart as the bytes of a file, by its suffix."""

import importlib
from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType

from compoundnet.schema import near

from .chart import Chart

# suffix -> the library that draws it
SUFFIXES: Mapping[str, str] = MappingProxyType({".svg": "matplotlib", ".png": "matplotlib", ".html": "plotly"})


def checked(path: str) -> str:
    """The suffix of a picture's path. Raises ValueError, one line, for one that nobody draws or a library not there.

    >>> checked("front.svg")
    '.svg'
    """
    suffix = PurePath(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: a picture ends in .svg, .png or .html; {near(suffix or 'nothing', SUFFIXES)}")
    try:
        importlib.import_module(SUFFIXES[suffix])
    except ImportError:
        remedy = "install it with: pip install 'compoundnet[report]'"
        raise ValueError(f"{path}: {SUFFIXES[suffix]} is not installed; {remedy}") from None
    return suffix


def picture(chart: Chart, suffix: str) -> bytes:
    """The chart in the format of a suffix: the same bytes at every run."""
    if suffix == ".html":
        from .interactive import page

        return page(chart).encode()
    from .still import drawn

    return drawn(chart, suffix.removeprefix("."))
