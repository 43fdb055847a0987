"""Class activation maps: what in a photo speaks for a class, exactly, and where in the photo that is."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .drawing import blended as blended
    from .drawing import figure as figure
    from .explaining import Activation as Activation
    from .explaining import activation as activation
    from .maps import class_activation_map as class_activation_map
    from .maps import grad_cam as grad_cam
    from .placing import placed as placed

# NumPy and PyTorch load when first used: name -> the module that holds it.
_LAZY = {
    "Activation": "explaining",
    "activation": "explaining",
    "blended": "drawing",
    "figure": "drawing",
    "class_activation_map": "maps",
    "grad_cam": "maps",
    "placed": "placing",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'compoundnet.cam' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
