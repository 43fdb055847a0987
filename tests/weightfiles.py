"""One file of every format that exists in the wild, by the name of its row, made without the frameworks."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping

import numpy as np

from tests import bundles, torchfiles


def zip_of(held: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in held.items():
            archive.writestr(name, data)
    return out.getvalue()


def tar_of(held: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in held.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1, 2)


def npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(2))
    return out.getvalue()


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)
CKPT = {"net/model.ckpt.index": b"1", "net/model.ckpt.data-00000-of-00001": b"2", "net/checkpoint": b"3"}
NOISE = bytes((7 * i * i + 3 * i + 150) % 256 for i in range(4096))
KERAS = {"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": HDF5}

# (row's name, look, content) of files as their programs begin and end them.
SAMPLES: tuple[tuple[str, str, bytes], ...] = (
    ("safetensors file", "safetensors", safetensors()),
    ("PyTorch checkpoint", "torch_zip", torchfiles.good_zip()),
    ("TorchScript archive", "torchscript", torchfiles.zipped(b"N", {}, {"constants.pkl": b"", "code/a.py": b""})),
    ("exported program", "exported", zip_of({"b0/archive_format": b"pt2", "b0/models/model.json": b"{}"})),
    ("PyTorch checkpoint of before 1.6", "torch_legacy", torchfiles.good_legacy()),
    ("PyTorch checkpoint of before 0.2", "torch_tar", tar_of({"sys_info": b"1", "pickle": b"2", "storages": b"3"})),
    ("PyTorch checkpoint", "pickle", b"\x80\x04\x95\x01\x00"),
    ("Keras archive", "keras_zip", zip_of(KERAS)),
    ("Keras file", "hdf5", HDF5),
    ("Keras file", "hdf5", bytes(512) + HDF5),
    ("Keras file", "hdf5", bytes(4096) + HDF5),
    ("TensorFlow checkpoint", "tensorflow_index", bytes(40) + struct.pack("<Q", bundles.MAGIC)),
    ("TensorFlow checkpoint", "tensorflow_tar", gzip.compress(tar_of(CKPT))),
    ("TensorFlow checkpoint", "tensorflow_tar", tar_of(CKPT)),
    ("NumPy file", "numpy_zip", npy()),
    ("NumPy file", "numpy_zip", zip_of({"a.npy": npy(), "b.npy": npy()})),
    ("zip archive", "other_zip", zip_of({"photos/a.jpg": b"1"})),
    ("zip archive", "other_zip", zip_of({})),
    ("packed file", "packed", gzip.compress(b"text")),
    ("packed file", "packed", tar_of({"photos/a.jpg": b"1"})),
    ("TFLite model", "tflite", b"\x1c\0\0\0TFL3" + NOISE),
    ("SavedModel", "saved_model", b"\x08\x01\x12\xff\x05\n\x07\n\x05serve" + NOISE),
    ("ONNX model", "onnx", b"\x08\x08\x12\x07pytorch\x1a\x052.9.0" + NOISE),
    ("ONNX model", "onnx", b"\x08\x0a\x3a\x80\x01" + NOISE),
    ("OpenVINO model", "openvino", b'<?xml version="1.0"?>\n<net name="Model0" version="11">\n'),
    ("GGUF file", "gguf", b"GGUF\3\0\0\0" + NOISE),
    ("pointer of Git LFS", "lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 21\n"),
    ("web page", "page", b"<!DOCTYPE html>\n<html><body>404</body></html>"),
    ("web page", "page", b"\xef\xbb\xbf \n<HTML>"),
    ("web page", "page", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
    ("JSON text", "json_text", b'{"error": "Repository not found"}'),
    ("JSON text", "json_text", ('[{"name": "ä"}, ' + "1, " * 3000).encode()),
    ("text", "text", b"Entry not found"),
    ("text", "text", "Zugriff verweigert für Gäste\r\n".encode()),
)
UNKNOWN = (NOISE, bytes(64), bytes(range(256)) * 8, b"\x00")
