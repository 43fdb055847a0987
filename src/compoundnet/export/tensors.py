"""safetensors: the tensors alone, which ``load`` reads too; the network is built from the record."""

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.weights.files import RECORD_KEY

from .record import KEY, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compoundnet.modules import ConvNet

    from .proof import Run


def write(model: "ConvNet", record: Record, path: Path) -> None:
    """Write the state dict, norms and all, with both records in the file's metadata."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, path, {RECORD_KEY: json.dumps(record.weights), KEY: record.to_json()})


def contents(path: Path) -> list[bytes]:
    """What the seal covers: the whole file."""
    return [path.read_bytes()]


def read_record(path: Path) -> str:
    """The record's JSON text."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))["__metadata__"][KEY]


def runner(path: Path, record: Record) -> "Run":
    """Build the network, load the tensors, and run PyTorch on the CPU."""
    import torch

    from compoundnet.weights import load

    model = load(path).model

    def run(images: "NDArray[Any]") -> "list[NDArray[np.float32]]":
        with torch.inference_mode():
            return [model(torch.tensor(images)).numpy()]

    return run
