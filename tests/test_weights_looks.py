"""A format is told by its bytes; one damaged beyond that is told as far as it can be. No PyTorch here."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from compoundnet.weights import looks
from compoundnet.weights.looks import Look, look
from tests.weightfiles import CKPT, HDF5, SAMPLES, UNKNOWN, tar_of

# In the order of the table of formats.
ORDER = [
    *("safetensors", "torchscript", "exported", "torch_zip", "torch_legacy", "torch_tar", "pickle", "keras_zip"),
    *("hdf5", "tensorflow_index", "tensorflow_tar", "numpy_zip", "other_zip", "packed", "tflite", "saved_model"),
    *("onnx", "openvino", "gguf", "lfs", "page", "json_text", "text"),
]
LOOKS: dict[str, Callable[[Look], bool]] = {name: getattr(looks, name) for name in ORDER}


def first(path: Path, content: bytes) -> str | None:
    path.write_bytes(content)
    seen = look(path)
    return next((name for name in ORDER if LOOKS[name](seen)), None)


@pytest.mark.parametrize(("row", "name", "content"), SAMPLES, ids=[f"{row} {k}" for k, (row, *_) in enumerate(SAMPLES)])
def test_each_format_is_told_by_its_content(tmp_path: Path, row: str, name: str, content: bytes) -> None:
    assert first(tmp_path / "file.anything", content) == name


@pytest.mark.parametrize("content", UNKNOWN)
def test_noise_looks_like_nothing(tmp_path: Path, content: bytes) -> None:
    assert first(tmp_path / "noise", content) is None


def test_a_cut_archive_is_told_by_its_first_name(tmp_path: Path) -> None:
    whole = next(content for _, name, content in SAMPLES if name == "torch_zip")
    for share in (0.2, 0.5, 0.9):
        assert first(tmp_path / "a", whole[: int(share * len(whole))]) == "torch_zip"


def test_a_signature_where_hdf5_has_none_does_not_count(tmp_path: Path) -> None:
    for place in (8, 256, 513, 768, 1536):
        assert first(tmp_path / "a", b"\1" * place + HDF5) != "hdf5"
    assert first(tmp_path / "a", b"\1" * 1024 + HDF5) == "hdf5"


def test_a_tar_header_with_a_negative_size_ends_the_look(tmp_path: Path) -> None:
    data = bytearray(tar_of({"photos/a.jpg": b"1"}))
    data[124:136] = b"\xff" * 12
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    (tmp_path / "a").write_bytes(data)
    assert look(tmp_path / "a").names == ()


def test_a_packed_bomb_is_unpacked_a_little_only(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(bytes(20 << 20)))
    tracemalloc.start()
    seen = look(tmp_path / "a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert looks.packed(seen)


def test_the_archive_of_a_checkpoint_is_told_though_its_first_file_is_large(tmp_path: Path) -> None:
    large = {"b0/": b"", "b0/model.ckpt.data-00000-of-00001": bytes(range(256)) * 4000, **CKPT}
    (tmp_path / "a").write_bytes(gzip.compress(tar_of(large)))
    assert looks.tensorflow_tar(look(tmp_path / "a"))


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 9, 29, 30])
def test_short_beginnings_of_every_format_harm_nothing(tmp_path: Path, size: int) -> None:
    for _, _, content in SAMPLES:
        first(tmp_path / "a", content[:size])
