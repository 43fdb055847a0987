"""Variables of the authors' TensorFlow checkpoints by the names of the layout "tensorflow", in PyTorch's axes."""

import re
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from .axes import to_pytorch
from .errors import CheckpointError, first

_PARTS = re.compile(r"(stem|head|blocks_\d+)/")
_PLAIN_NORM = re.compile(r"/batch_normalization(?=[_/])")


def from_variables(variables: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The variables of a checkpoint without the scope of its model, such as ``efficientnet-b0/``, and notes.

    ``variables`` are in TensorFlow's order of axes, each already read from its moving average where
    there is one. Batch norms that were saved outside a TPU's graph get the name they have in one.
    Variables of no stem, block or head stay as they are, for the loader to refuse. Raises
    CheckpointError when variables of several models share the file.

    >>> import numpy as np
    >>> found, notes = from_variables({"efficientnet-b0/stem/conv2d/kernel": np.zeros((3, 3, 3, 32))})
    >>> {name: array.shape for name, array in found.items()}, notes
    ({'stem/conv2d/kernel': (32, 3, 3, 3)}, ("cut the scope 'efficientnet-b0/' off every name",))
    """
    scopes = {name[: at.start()] for name in variables if (at := _PARTS.search(name))}
    if len(scopes) > 1:
        raise CheckpointError(f"it holds {len(scopes)} models ({first(sorted(scopes))}); give a checkpoint of one")
    scope = next(iter(scopes), "")
    found: dict[str, NDArray[Any]] = {}
    for name, array in variables.items():
        ours = _PLAIN_NORM.sub("/tpu_batch_normalization", name.removeprefix(scope))
        found[ours] = to_pytorch(ours, array)
    return found, (f"cut the scope {scope!r} off every name",) if scope else ()
