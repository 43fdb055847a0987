"""Evaluating: how good a model's answers to labelled pictures are, and how sure that is."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answering import Artefact as Artefact
    from .answering import artefact as artefact
    from .calibration import Bin as Bin
    from .calibration import calibration_error as calibration_error
    from .calibration import reliability as reliability
    from .calibration import temperature as temperature
    from .figures import Metrics as Metrics
    from .figures import PerClass as PerClass
    from .figures import metrics as metrics
    from .intervals import DRAWS as DRAWS
    from .intervals import bootstrap as bootstrap
    from .intervals import wilson as wilson
    from .ranking import auroc as auroc
    from .ranking import average_precision as average_precision
    from .running import Evaluation as Evaluation
    from .running import evaluate as evaluate

# NumPy and PyTorch load when first used: name -> the module that holds it.
_LAZY = {
    "Artefact": "answering",
    "artefact": "answering",
    "Bin": "calibration",
    "calibration_error": "calibration",
    "reliability": "calibration",
    "temperature": "calibration",
    "DRAWS": "intervals",
    "bootstrap": "intervals",
    "wilson": "intervals",
    "Metrics": "figures",
    "PerClass": "figures",
    "metrics": "figures",
    "auroc": "ranking",
    "average_precision": "ranking",
    "Evaluation": "running",
    "evaluate": "running",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'compoundnet.evaluating' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
