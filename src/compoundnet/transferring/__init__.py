"""Transfer: a folder of labelled pictures and pretrained weights in, a classifier out, within a budget of time."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .finishing import Finished as Finished
    from .finishing import finish as finish
    from .running import Transferred as Transferred
    from .running import transfer as transfer

_LAZY = {"Finished": "finishing", "Transferred": "running", "finish": "finishing", "transfer": "running"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'compoundnet.transferring' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
