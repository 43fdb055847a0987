"""Pretrained weights: where they come from, how they are named, and loading and saving them.

What reads tensors imports PyTorch when first used; the catalogue does not.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .cards import Card as Card
from .cards import Made as Made
from .cards import Provenance as Provenance
from .cards import lineage as lineage
from .catalogue import PACKAGED as PACKAGED
from .errors import CheckpointError as CheckpointError
from .markdown import to_markdown as to_markdown
from .names import ECOSYSTEMS as ECOSYSTEMS
from .names import from_ours as from_ours
from .names import names as names
from .names import to_ours as to_ours
from .places import places as places
from .published import METHODS as METHODS
from .published import Published as Published
from .published import every_published as every_published
from .published import published_weights as published_weights
from .records import Weights as Weights
from .records import imagenet_classes as imagenet_classes

if TYPE_CHECKING:
    from .converting import Converted as Converted
    from .converting import convert as convert
    from .files import Checkpoint as Checkpoint
    from .files import load_state as load_state
    from .files import read_checkpoint as read_checkpoint
    from .files import sha256 as sha256
    from .files import verify as verify
    from .inspecting import Inspection as Inspection
    from .inspecting import inspect_checkpoint as inspect_checkpoint
    from .keras import KerasFile as KerasFile
    from .keras import read_keras as read_keras
    from .keras import write_keras as write_keras
    from .loading import Pretrained as Pretrained
    from .loading import load as load
    from .loading import save as save
    from .matching import LoadReport as LoadReport
    from .matching import Recognised as Recognised
    from .matching import adapt_stem as adapt_stem
    from .matching import load_into as load_into
    from .matching import recognise as recognise
    from .parity import Parity as Parity
    from .telling import Finding as Finding
    from .tensorflow import from_variables as from_variables

# PyTorch and numpy begin here: module -> the names it holds.
_LAZY = {
    "converting": ("Converted", "convert"),
    "files": ("Checkpoint", "load_state", "read_checkpoint", "sha256", "verify"),
    "inspecting": ("Inspection", "inspect_checkpoint"),
    "keras": ("KerasFile", "read_keras", "write_keras"),
    "loading": ("Pretrained", "load", "save"),
    "matching": ("LoadReport", "Recognised", "adapt_stem", "load_into", "recognise"),
    "parity": ("Parity",),
    "telling": ("Finding",),
    "tensorflow": ("from_variables",),
}


def __getattr__(name: str) -> Any:
    for module, offered in _LAZY.items():
        if name in offered:
            return getattr(importlib.import_module(f".{module}", __name__), name)
    raise AttributeError(f"module 'compoundnet.weights' has no attribute {name!r}")
