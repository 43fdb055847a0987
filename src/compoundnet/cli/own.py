"""A user's own operators, from a Python file: --operators."""

import dataclasses
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from compoundnet.operators import OPERATORS


def operators_of(file: str | None) -> Mapping[str, type]:
    """The operators by name: ours, and the dataclasses with an ``unfold`` that a Python file defines.

    The file is run, as it is the user's, and stays importable by its name: worker processes import it too. Raises
    ValueError, one line, for what is no such file.
    """
    if file is None:
        return OPERATORS
    path = Path(file).resolve()
    if path.suffix != ".py" or not path.is_file():
        raise ValueError(f"{file}: not a Python file; name the one that defines your operators")
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, or a json.py beside the file would be every worker's json
    try:
        module = importlib.import_module(path.stem)
    except Exception as error:
        raise ValueError(f"{file}: cannot be imported ({type(error).__name__}: {error})") from None
    if Path(module.__file__ or "").resolve() != path:
        raise ValueError(f"{file}: another module is named {path.stem}; give the file another name")
    own = {name: kind for name, kind in vars(module).items() if _is_operator(kind) and kind.__module__ == path.stem}
    if not own:
        raise ValueError(f"{file}: defines no operator, a frozen dataclass with unfold(site)")
    return {**OPERATORS, **own}


def _is_operator(kind: object) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind) and callable(getattr(kind, "unfold", None))
