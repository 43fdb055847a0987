"""The formats of weight files as a table: how each looks, who reads it, or why it is not read and what to do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import looks, readers
from .bundle import is_bundle
from .checkpoint import Checkpoint
from .errors import CheckpointError, DamagedError, RefusedError
from .looks import Look

Reader = Callable[[Path, bool | None], Checkpoint]


@dataclass(frozen=True, kw_only=True)
class Format:
    """One format: ``name`` as in "truncated or no ...", ``looks`` recognises it, ``files`` says where it comes from.

    A format without a ``reader`` is refused with ``refusal``: what the file is, and the way out; ``check`` may know
    more of a file, and raise that first.
    """

    name: str
    files: str
    looks: Callable[[Look], bool]
    reader: Reader | None = None
    check: Callable[[Path], None] | None = None
    refusal: str = ""


_DOWNLOAD = "the download did not work"
_STATE = "torch.save(module.state_dict(), ...)"

# The first row that fits counts.
FORMATS: tuple[Format, ...] = (
    Format(
        name="safetensors file",
        files="safetensors, the Hugging Face hub, compoundnet",
        looks=looks.safetensors,
        reader=readers.read_safetensors,
    ),
    Format(
        name="TorchScript archive",
        files="torch.jit.save",
        looks=looks.torchscript,
        refusal="a TorchScript archive, which is a program and not only tensors; open it with torch.jit.load where you "
        f"trust it, and write {_STATE}",
    ),
    Format(
        name="exported program",
        files="torch.export.save",
        looks=looks.exported,
        refusal="a program of torch.export, with weights of its graph; take the checkpoint that it was made from",
    ),
    Format(
        name="PyTorch checkpoint",
        files="torch.save: torchvision, timm, EfficientNet-PyTorch, mmpretrain, training scripts",
        looks=looks.torch_zip,
        reader=readers.read_torch_zip,
    ),
    Format(
        name="PyTorch checkpoint of before 1.6",
        files="torch.save of older versions",
        looks=looks.torch_legacy,
        reader=readers.read_torch_legacy,
    ),
    Format(
        name="PyTorch checkpoint of before 0.2",
        files="torch.save of the oldest versions",
        looks=looks.torch_tar,
        refusal="a tar archive of PyTorch before 0.2; open it with PyTorch 1.x and save it again",
    ),
    Format(
        name="PyTorch checkpoint",
        files="pickle.dump",
        looks=looks.pickle,
        check=readers.check_pickle,
        refusal="a pickle that PyTorch did not write, which may hold code; ask its author for "
        "torch.save(model.state_dict(), ...), or for a .safetensors file",
    ),
    Format(name="Keras archive", files="Keras 3, .keras", looks=looks.keras_zip, reader=readers.read_keras_file),
    Format(
        name="Keras file",
        files="Keras, .h5 and .weights.h5",
        looks=looks.hdf5,
        reader=readers.read_keras_file,
    ),
    Format(
        name="TensorFlow checkpoint",
        files="TensorFlow, the .index file, its prefix or folder",
        looks=looks.tensorflow_index,
        reader=readers.read_tensorflow_checkpoint,
    ),
    Format(
        name="TensorFlow checkpoint",
        files="tensorflow/tpu, .tar.gz",
        looks=looks.tensorflow_tar,
        reader=readers.read_tensorflow_checkpoint,
    ),
    Format(
        name="NumPy file",
        files="numpy.save, numpy.savez",
        looks=looks.numpy_zip,
        refusal="NumPy's arrays, which say nothing of whose names they have; name them as one ecosystem does and write "
        "them with safetensors.numpy.save_file",
    ),
    Format(
        name="zip archive",
        files="zip",
        looks=looks.other_zip,
        refusal="a zip archive without weights that are known; unpack it and give the file in it",
    ),
    Format(
        name="packed file",
        files="gzip, bzip2, xz, zstd, tar",
        looks=looks.packed,
        refusal="a packed file without weights that are known; unpack it and give the file in it",
    ),
    Format(
        name="TFLite model",
        files="TensorFlow Lite",
        looks=looks.tflite,
        refusal="a TFLite model, with batch norms folded into its weights; take the checkpoint that it was made from",
    ),
    Format(
        name="SavedModel",
        files="TensorFlow, saved_model.pb",
        looks=looks.saved_model,
        refusal="the graph of a TensorFlow SavedModel, which is a program; take the checkpoint that it was made from",
    ),
    Format(
        name="ONNX model",
        files="torch.onnx.export",
        looks=looks.onnx,
        refusal="an ONNX model, with batch norms folded into its weights; it runs as it is (compoundnet "
        "evaluate), for training take the checkpoint that it was made from",
    ),
    Format(
        name="OpenVINO model",
        files="OpenVINO, .xml",
        looks=looks.openvino,
        refusal="an OpenVINO model, whose weights lie folded in its .bin; take the checkpoint that it was made from",
    ),
    Format(
        name="GGUF file",
        files="llama.cpp",
        looks=looks.gguf,
        refusal="a GGUF file of a language model; give a checkpoint of a convolutional network",
    ),
    Format(
        name="pointer of Git LFS",
        files="git clone without LFS",
        looks=looks.lfs,
        refusal="a pointer of Git LFS to the file, not the file; get it with: git lfs pull",
    ),
    Format(
        name="web page",
        files="a server that does not give the file",
        looks=looks.page,
        refusal=f"a web page, not weights: {_DOWNLOAD}; open the address in a browser to see what it says",
    ),
    Format(
        name="JSON text",
        files="a server's answer, a configuration",
        looks=looks.json_text,
        refusal=f"JSON, not weights: a configuration, or {_DOWNLOAD}; give the file with the tensors",
    ),
    Format(
        name="text",
        files="a server's answer",
        looks=looks.text,
        refusal=f"text, not weights: {_DOWNLOAD}; open the file in an editor to see what it says",
    ),
)


def recognised(path: Path) -> Format | None:
    """The format of a file, by its content; None for a file that is of none.

    Raises OSError when the file cannot be read.
    """
    seen = looks.look(path)
    return next((row for row in FORMATS if row.looks(seen)), None)


def read(path: Path, averaged: bool | None) -> Checkpoint:
    """Read a file of any format of the table. Raises CheckpointError, one line that begins with the path."""
    row: Format | None = None
    try:
        if path.is_file():
            row = recognised(path)
        if row is None and is_bundle(path):  # a folder, a prefix, or another file of a TensorFlow checkpoint
            return readers.read_tensorflow_checkpoint(path, averaged)
        if row is None:
            raise RefusedError(_unknown(path))
        if row.check is not None:
            row.check(path)
        if row.reader is None:
            raise RefusedError(row.refusal)
        return row.reader(path, averaged)
    except DamagedError as error:
        name = row.name if row else "checkpoint"
        remedy = "download it again, or ask for a .safetensors file"
        raise CheckpointError(f"{path}: truncated or no {name} ({error}); {remedy}") from None
    except RefusedError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except OSError as error:
        raise CheckpointError(f"{path}: could not be read ({error.strerror or readers.one_line(error)})") from None


def _unknown(path: Path) -> str:
    with path.open("rb") as file:
        begins = file.read(8).hex(" ")
    names = dict.fromkeys(row.name for row in FORMATS if row.reader)
    return f"truncated or no weight file that is known (it begins with {begins}); read are: {', '.join(names)}"
