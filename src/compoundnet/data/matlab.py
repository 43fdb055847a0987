"""MATLAB files, in which several data sets keep their labels."""

from pathlib import Path
from typing import Any


def matlab(path: Path) -> dict[str, Any]:
    """What a .mat file holds, by name. Raises ValueError, one line, for a missing or damaged one, and without SciPy."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise ValueError(f"{path}: reading it needs SciPy: pip install 'compoundnet[data]'") from None
    try:
        return loadmat(path, squeeze_me=True)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error}); copy it there") from None
    except Exception as error:  # SciPy's reader raises whatever a damaged file leads it to
        detail = " ".join(str(error).split())[:80]
        raise ValueError(f"{path}: damaged, or no MATLAB file ({detail}); copy it again") from None
