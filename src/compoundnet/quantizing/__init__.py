"""int8 with gates: a trained model as an artefact that was measured to be nearly as right as float, and faster.

``quantize`` writes nothing but a report when either does not hold on labelled pictures.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .making import GateError as GateError
    from .making import Quantized as Quantized
    from .making import quantize as quantize
    from .report import Report as Report

# What needs numpy or an engine loads when first used: name -> the module that holds it.
_LAZY = {"GateError": "making", "Quantized": "making", "quantize": "making", "Report": "report"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'compoundnet.quantizing' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
