"""Export with proof: a trained model as one file that says what it is and can be checked anywhere.

``export`` writes ONNX, OpenVINO, torch.export or safetensors, and only when the file answers as the
model does; ``verify`` repeats that proof from what the file carries.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .record import ArtefactError as ArtefactError
from .record import Int8 as Int8
from .record import Options as Options
from .record import ProofError as ProofError
from .record import Record as Record

if TYPE_CHECKING:
    from .exporting import Exported as Exported
    from .exporting import export as export
    from .exporting import opened as opened
    from .exporting import random_weights as random_weights
    from .exporting import verify as verify
    from .proof import Proof as Proof

# What needs numpy or PyTorch loads when first used: name -> the module that holds it.
_LAZY = {
    "Exported": "exporting",
    "Proof": "proof",
    "export": "exporting",
    "opened": "exporting",
    "random_weights": "exporting",
    "verify": "exporting",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'compoundnet.export' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
