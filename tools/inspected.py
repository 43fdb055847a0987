"""What inspect says of files with random weights, in every ecosystem's names and every format that is read.

``python -m tools.inspected`` writes results/inspected.jsonl, in about two minutes; ``confusion_files`` makes its table.
The files of Keras and TensorFlow are made by the writers of the tests, which share no code with the readers.
"""

import functools
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tests import bundles
from tests.keras_files import MEMBER, archive, in_memory, named_arrays, numbered_h5
from tests.parity import built, named
from torch import Tensor

from compoundnet import Network, Preprocess, Weights
from compoundnet.weights import ECOSYSTEMS, from_ours, inspect_checkpoint, names, write_keras
from compoundnet.weights.files import write_safetensors
from tools.files import RESULTS, write

RECORD = "inspected.jsonl"
# A small one and a larger one of each family; the classifier is none of ImageNet's, so it is told by its shape.
MEMBERS = (
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_edgetpu_s",
    "efficientnet_edgetpu_m",
    "mobilenet_v1",
    "mobilenet_v2",
    "resnet18",
    "resnet50",
    "tiny",
)
CLASSES = 37
NAME = "found somewhere.bin"  # which tells nothing, not even the format
TOPICS = ("format", "names", "network", "classes", "in_channels", "padding", "norm_eps")
_TORCH = ("compoundnet", "torchvision", "timm", "lukemelas", "mmpretrain")


@dataclass(frozen=True)
class Drawn:
    """A network with random weights and statistics by our names, and whose names they are to be written in."""

    member: str
    ecosystem: str
    network: Network
    state: Mapping[str, Tensor]

    def tensors(self) -> dict[str, Tensor]:
        """The tensors by the ecosystem's names."""
        theirs = from_ours(self.state, self.network, self.ecosystem)
        return {name: tensor.contiguous() for name, tensor in theirs.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The tensors by our names, for the writers that turn axes themselves."""
        return {name: tensor.numpy() for name, tensor in self.state.items()}


@dataclass(frozen=True)
class Kind:
    """One kind of file: ``told`` is what inspect has to call it; ``write`` makes it in a folder, and says where."""

    name: str
    told: str
    ecosystems: tuple[str, ...]
    write: Callable[[Drawn, Path], Path]


def _ours(drawn: Drawn, folder: Path) -> Path:
    side = drawn.network.resolution
    weights = Weights(name=drawn.member, network=drawn.network, preprocess=Preprocess(size=(side, side)))
    write_safetensors(folder / "a.safetensors", drawn.state, json.dumps(weights.to_dict()))
    return (folder / "a.safetensors").rename(folder / NAME)


def _safetensors(drawn: Drawn, folder: Path) -> Path:
    save_file(drawn.tensors(), folder / NAME, {"format": "pt"})
    return folder / NAME


def _torch(drawn: Drawn, folder: Path) -> Path:
    torch.save(drawn.tensors(), folder / NAME)
    return folder / NAME


def _legacy(drawn: Drawn, folder: Path) -> Path:
    torch.save(drawn.tensors(), folder / NAME, _use_new_zipfile_serialization=False)
    return folder / NAME


def _keras(drawn: Drawn, folder: Path) -> Path:
    write_keras(folder / "a.h5", drawn.arrays(), drawn.network)
    return (folder / "a.h5").rename(folder / NAME)


def _keras_model(drawn: Drawn, folder: Path) -> Path:
    """As model.save("x.h5") puts the layers below a group of their own."""
    write_keras(folder / "a.h5", drawn.arrays(), drawn.network)
    with h5py.File(folder / "a.h5") as layers:
        whole = in_memory(lambda file: layers.copy(layers["/"], file, "model_weights"))
    (folder / NAME).write_bytes(whole)
    return folder / NAME


def _numbered(drawn: Drawn, folder: Path) -> Path:
    (folder / NAME).write_bytes(numbered_h5(drawn.arrays(), drawn.network))
    return folder / NAME


def _keras_archive(drawn: Drawn, folder: Path) -> Path:
    return archive(folder / NAME, numbered_h5(drawn.arrays(), drawn.network), member=MEMBER)


@functools.lru_cache(maxsize=1)  # its checksums take seconds, and three kinds of files hold it
def _bundle(member: str) -> bundles.Written:
    arrays = named_arrays(drawn_of(member, "tensorflow").arrays(), network_of(member), "tensorflow")
    return bundles.bundle({f"model/{name}": array for name, array in arrays.items()})


def _index(drawn: Drawn, folder: Path) -> Path:
    prefix = _bundle(drawn.member).write(folder, "a")
    return prefix.with_name("a.index")


def _folder(drawn: Drawn, folder: Path) -> Path:
    _bundle(drawn.member).write(folder, "a")
    return folder


def _tar(drawn: Drawn, folder: Path) -> Path:
    _bundle(drawn.member).write(folder / "a", "model.ckpt")
    with tarfile.open(folder / NAME, "w:gz", compresslevel=1) as packed:
        for path in sorted((folder / "a").iterdir()):
            info = tarfile.TarInfo(f"a/{path.name}")
            info.size = path.stat().st_size
            packed.addfile(info, io.BytesIO(path.read_bytes()))
    return folder / NAME


KINDS = (
    Kind("safetensors with our record", "safetensors file", ("compoundnet",), _ours),
    Kind("safetensors", "safetensors file", _TORCH, _safetensors),
    Kind("PyTorch, zip", "PyTorch checkpoint", _TORCH, _torch),
    Kind("PyTorch, before 1.6", "PyTorch checkpoint of before 1.6", _TORCH, _legacy),
    Kind("Keras .h5, weights", "Keras file", ("keras",), _keras),
    Kind("Keras .h5, model", "Keras file", ("keras",), _keras_model),
    Kind("Keras .weights.h5", "Keras file", ("keras_numbered",), _numbered),
    Kind("Keras .keras", "Keras archive", ("keras_numbered",), _keras_archive),
    Kind("TensorFlow, .index", "TensorFlow checkpoint", ("tensorflow",), _index),
    Kind("TensorFlow, folder", "TensorFlow checkpoint", ("tensorflow",), _folder),
    Kind("TensorFlow, .tar.gz", "TensorFlow checkpoint", ("tensorflow",), _tar),
)


def network_of(member: str) -> Network:
    """The member with CLASSES outputs."""
    return named(member, classes=CLASSES)


@functools.lru_cache(maxsize=1)
def _state(member: str) -> dict[str, Tensor]:
    return built(network_of(member), seed=6).state_dict()


def drawn_of(member: str, ecosystem: str) -> Drawn:
    """A member with random weights."""
    return Drawn(member, ecosystem, network_of(member), _state(member))


def cells() -> Iterator[tuple[str, str, Kind]]:
    """Member, ecosystem and kind of file, wherever the ecosystem has names for the member."""
    for member in MEMBERS:
        for ecosystem in ECOSYSTEMS:
            if _has_names(member, ecosystem):
                yield from ((member, ecosystem, kind) for kind in KINDS if ecosystem in kind.ecosystems)


def _has_names(member: str, ecosystem: str) -> bool:
    try:
        names(network_of(member), ecosystem)
    except ValueError:
        return False
    return True


def inspected(member: str, ecosystem: str, kind: Kind) -> dict[str, Any]:
    """One line of the record: a file is written, and what inspect says of it, with its confidence, by topic."""
    with tempfile.TemporaryDirectory() as folder:
        found = inspect_checkpoint(kind.write(drawn_of(member, ecosystem), Path(folder)))
    said = {each.what: [each.value, each.confidence] for each in found.findings if each.what in TOPICS}
    about = {"member": member, "ecosystem": ecosystem, "file": kind.name, "is": kind.told, "classes": CLASSES}
    return {**about, "said": said}


def text() -> str:
    """The whole record."""
    torch.set_num_threads(1)
    return "".join(f"{json.dumps(inspected(*cell))}\n" for cell in cells())


if __name__ == "__main__":
    write(RESULTS / RECORD, text())
