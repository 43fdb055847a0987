"""Keras files: every way to save one is read to the same tensors; what is damaged or hostile is one line."""

import random
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from compoundnet.families import named
from compoundnet.network import Head, Network
from compoundnet.weights import read_checkpoint
from compoundnet.weights.errors import CheckpointError
from compoundnet.weights.keras import read_keras, write_keras
from compoundnet.weights.keras.writing import list_attribute
from compoundnet.weights.names import to_ours
from tests.keras_files import MEMBER, archive, in_memory, named_arrays, numbered_h5, random_tensors

TINY = replace(named("tiny"), classes=10)
TENSORS = random_tensors(TINY)
KEPT = {name: array for name, array in TENSORS.items() if not name.endswith("num_batches_tracked")}


def same(found: dict[str, NDArray[Any]], ecosystem: str = "keras", network: Network = TINY) -> bool:
    ours = to_ours(found, network, ecosystem)
    return ours.keys() == KEPT.keys() and all(np.array_equal(ours[name], KEPT[name]) for name in KEPT)


def line(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_keras(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    assert write_keras(tmp_path / "a.h5", TENSORS, TINY) == ()
    found = read_keras(tmp_path / "a.h5")
    assert same(found.tensors)
    (note,) = found.notes
    assert note.startswith("left out: preprocessing inside the model, 3 arrays")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("block", [512, 4096])
def test_a_file_behind_a_user_block_is_read(block: int, tmp_path: Path) -> None:
    write_keras(tmp_path / "a.h5", TENSORS, TINY)
    with h5py.File(tmp_path / "a.h5") as plain, h5py.File(tmp_path / "b.h5", "w", userblock_size=block) as behind:
        for name, value in plain.attrs.items():
            behind.attrs[name] = value
        for name in plain:
            plain.copy(name, behind)
    data = (tmp_path / "b.h5").read_bytes()
    assert data[:block] == bytes(block)
    assert same(read_keras(tmp_path / "b.h5").tensors)
    assert read_checkpoint(tmp_path / "b.h5").tensors.keys() == read_keras(tmp_path / "a.h5").tensors.keys()
    moved = put(tmp_path / "moved.h5", bytes(block) + data)  # it says that it begins where it does not
    assert line(moved) == f"damaged: it begins at byte {2 * block} and says {block}"
    cut = put(tmp_path / "cut.h5", data[:-block])
    assert line(cut).startswith(f"truncated: {len(data) - 2 * block} of {len(data) - block} bytes are there")


def test_a_written_file_lists_layers_and_weights_in_the_order_that_keras_loads_them(tmp_path: Path) -> None:
    write_keras(tmp_path / "a.h5", TENSORS, TINY, mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0))
    with h5py.File(tmp_path / "a.h5") as file:
        layers = [name.decode() for name in file.attrs["layer_names"]]
        assert layers[:5] == ["normalization", "stem_conv", "stem_bn", "block1a_dwconv", "block1a_bn"]
        assert layers[-3:] == ["top_conv", "top_bn", "predictions"]
        weights = [name.decode() for name in file["stem_bn"].attrs["weight_names"]]
        assert weights == [f"stem_bn/{leaf}:0" for leaf in ("gamma", "beta", "moving_mean", "moving_variance")]
        assert file["normalization/normalization/mean:0"][()].tolist() == [0.5, 0.5, 0.5]
        assert file["normalization/normalization/variance:0"][()].tolist() == [0.0625, 0.25, 1.0]
        assert file["block1a_dwconv/block1a_dwconv/depthwise_kernel:0"].shape == (3, 3, 8, 1)


def test_a_list_too_long_for_one_attribute_is_written_in_parts_as_keras_joins_them() -> None:
    layers = [f"block{index}a_project_conv" for index in range(5000)]
    with h5py.File("a", "w", driver="core", backing_store=False) as file:
        list_attribute(file, "layer_names", layers)
        parts = [f"layer_names{index}" for index in range(len(file.attrs))]
        assert len(parts) > 1
        assert [name.decode() for part in parts for name in file.attrs[part]] == layers


def test_writing_says_where_keras_would_compute_something_else(tmp_path: Path) -> None:
    other = replace(TINY, padding="symmetric", norm_eps=1e-5)
    assert write_keras(tmp_path / "a.h5", TENSORS, other) == (
        "Keras's EfficientNet runs padding 'same', this network 'symmetric': its answers will differ",
        "Keras's EfficientNet runs norm epsilon 0.001, this network 1e-05: its answers will differ",
    )


def test_grey_pictures_have_a_mean_and_variance_too(tmp_path: Path) -> None:
    grey = replace(TINY, in_channels=1)
    notes = write_keras(tmp_path / "a.h5", random_tensors(grey), grey)
    assert notes == ("mean and std of 3 channels are repeated for 1",)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["normalization/normalization/mean:0"].shape == (1,)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.weights.h5", r"ends in .h5 \(and not in .weights.h5\)"),
        ("a.keras", "ends in .h5"),
        ("no/a.h5", "could not be written"),
    ],
)
def test_a_path_that_cannot_be_written_is_one_line_and_nothing_is_left(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        write_keras(tmp_path / name, TENSORS, TINY)
    assert list(tmp_path.iterdir()) == []


def test_a_network_or_tensors_that_keras_has_no_names_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="keras has no name for"):
        write_keras(tmp_path / "a.h5", {}, named("resnet18"))
    with pytest.raises(CheckpointError, match="1 missing"):
        write_keras(tmp_path / "a.h5", {k: v for k, v in TENSORS.items() if k != "classifier.bias"}, TINY)
    with pytest.raises(CheckpointError, match="the tensors are not the network's: 1 misshapen"):
        write_keras(tmp_path / "a.h5", TENSORS | {"classifier.bias": np.ones(3, np.float32)}, TINY)
    deep = replace(TINY, stages=(*TINY.stages[:-1], replace(TINY.stages[-1], layers=40)))
    with pytest.raises(CheckpointError, match="more blocks than Keras has letters"):
        write_keras(tmp_path / "a.h5", random_tensors(deep), deep)
    assert list(tmp_path.iterdir()) == []


def _h5(path: Path, rename: str = "{layer}/{layer}/{leaf}:0") -> Path:
    def fill(file: h5py.File) -> None:
        for name, array in named_arrays(TENSORS, TINY, "keras").items():
            layer, _, leaf = name.rpartition("/")
            file[rename.format(layer=layer, leaf=leaf)] = array
        file[rename.partition("{")[0] + "top_level_model_weights/x"] = np.ones(2, np.float32)

    return put(path, in_memory(fill))


@pytest.mark.parametrize(
    "rename",
    [
        "{layer}/{layer}/{leaf}:0",  # Keras 2
        "{layer}/{layer}/{leaf}",  # Keras 3
        "model_weights/{layer}/{layer}/{leaf}:0",  # a whole model
        "efficientnetb0/{layer}/{leaf}:0",  # a network inside a model
    ],
)
def test_every_way_to_save_layers_by_name_is_read(tmp_path: Path, rename: str) -> None:
    assert same(read_keras(_h5(tmp_path / "a.h5", rename)).tensors)


def test_names_of_other_versions_are_understood_and_stated(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for name, array in named_arrays(TENSORS, TINY, "keras").items():
            layer, _, leaf = (
                name.replace("depthwise_kernel", "kernel").replace("predictions", "dense_4").rpartition("/")
            )
            file[f"model_weights/{layer}/{layer}/{leaf}"] = array
        file["optimizer_weights/adam/iteration"] = np.int64(3)

    found = read_keras(put(tmp_path / "a.hdf5", in_memory(fill)))
    assert same(found.tensors)
    assert found.notes == (
        "left out: what is not the network, 1 array (optimizer_weights/adam/iteration)",
        "took the layer 'dense_4' as the classifier",
    )


@pytest.mark.parametrize("below", ["layers", "layers/functional/layers", "_layer_checkpoint_dependencies"])
def test_layers_by_number_are_read_wherever_they_stand(tmp_path: Path, below: str) -> None:
    around = {"optimizer/vars/0": np.ones(3, np.float32)}
    found = read_keras(put(tmp_path / "a.weights.h5", numbered_h5(TENSORS, TINY, below, around)))
    assert same(found.tensors, "keras_numbered")
    assert found.notes[0].startswith("left out: what is not the network, ")


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_is_read_and_its_configuration_is_not_looked_at(tmp_path: Path, packing: int) -> None:
    path = archive(tmp_path / "a.keras", numbered_h5(TENSORS, TINY), packing)
    assert same(read_keras(path).tensors, "keras_numbered")


def test_a_file_without_a_top_has_all_but_the_classifier(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for name, array in named_arrays(TENSORS, TINY, "keras").items():
            layer, _, leaf = name.rpartition("/")
            if layer != "predictions":
                file[f"{layer}/{layer}/{leaf}:0"] = array

    found = read_keras(put(tmp_path / "a_notop.h5", in_memory(fill))).tensors
    assert len(found) == len(KEPT) - 2
    assert not any(name.startswith("predictions") for name in found)


def test_a_bomb_a_stranger_and_a_locked_member_are_refused(tmp_path: Path) -> None:
    weights = numbered_h5(TENSORS, TINY)
    zeros = in_memory(lambda file: file.create_dataset("layers/conv2d/vars/0", data=np.zeros((3, 3, 300, 3000), "f4")))
    bomb = archive(tmp_path / "bomb.keras", zeros, zipfile.ZIP_DEFLATED)
    assert "bytes, which no trained numbers do" in line(bomb)
    other = archive(tmp_path / "other.keras", weights, member="model.weights.npz")
    assert "an archive without model.weights.h5 (it has metadata.json, config.json, model.weights.npz)" in line(other)
    packed = archive(tmp_path / "lzma.keras", weights, zipfile.ZIP_LZMA)
    assert "packed by method 14" in line(packed)


def test_what_was_packed_is_read_within_twice_the_file(tmp_path: Path) -> None:
    """Numbers that pack to nothing, beside noise that makes the file large enough for them."""
    noise = np.frombuffer(np.random.default_rng(0).bytes(5 << 20), np.uint8)

    def made(columns: int, packed: str | None = None) -> bytes:
        def fill(file: h5py.File) -> None:
            ones = np.ones((1, 1, 1 << 10, columns), np.float32)
            file.create_dataset("layers/conv2d/vars/0", data=ones, compression=packed)
            file.create_dataset("optimizer/vars/0", data=noise)

        return in_memory(fill)

    path = archive(tmp_path / "a.keras", made(1 << 10), zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    assert (read_keras(path).tensors["conv2d/kernel"] == 1).all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * path.stat().st_size
    assert "its tensors claim" in line(put(tmp_path / "a.h5", made(1792, "gzip")))  # 1.4 times the file, and its copy


def test_a_flipped_bit_anywhere_in_a_stored_archives_weights_is_found(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.keras", numbered_h5(TENSORS, TINY)).read_bytes()
    first, last = whole.index(b"\x89HDF"), whole.rindex(MEMBER.encode())
    for at in random.Random(0).sample(range(first, last - 100), 20):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        assert "fails its checksum" in line(put(tmp_path / "b.keras", bytes(damaged)))


@pytest.mark.parametrize("content", [b"", b"x", b"<html>404</html>", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", bytes(4096)])
def test_a_file_that_is_no_keras_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    line(put(tmp_path / "a.h5", content))
    line(put(tmp_path / "a.keras", content))


def test_an_absent_file_is_one_line(tmp_path: Path) -> None:
    assert "could not be read" in line(tmp_path / "no.h5")


def attempt(path: Path) -> dict[str, NDArray[Any]] | None:
    try:
        return read_keras(path).tensors
    except CheckpointError as error:
        return None if "\n" not in str(error) else pytest.fail(str(error))


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["h5", "keras"])
def test_damaged_files_are_refused_or_read_without_other_numbers(tmp_path: Path, kind: str, count: int) -> None:
    """Bits flipped in the structure, where they could lead astray, and files cut anywhere."""
    narrow = replace(TINY, classes=3, stages=TINY.stages[:3], head=Head(channels=8))
    tensors = random_tensors(narrow)
    if kind == "h5":
        write_keras(tmp_path / "a.h5", tensors, narrow)
        whole = (tmp_path / "a.h5").read_bytes()
    else:
        whole = archive(tmp_path / "a.keras", numbered_h5(tensors, narrow)).read_bytes()
    right = read_keras(tmp_path / f"a.{kind}").tensors
    path, draw, refused = tmp_path / f"b.{kind}", random.Random(kind), 0
    for _ in range(count):
        damaged, flips = _damaged(whole, draw)
        found = attempt(put(path, damaged))
        if found is None:
            refused += 1
        elif {name: array.shape for name, array in found.items()} == {n: a.shape for n, a in right.items()}:
            assert sum(int((found[name] != right[name]).sum()) for name in right) <= flips
    assert refused > 0.3 * count


def _damaged(whole: bytes, draw: random.Random) -> tuple[bytes, int]:
    if draw.random() < 0.2:
        return whole[: draw.randrange(len(whole))], 0
    data, flips = bytearray(whole), draw.choice([1, 1, 2, 8])
    marks = [
        at for mark in (b"TREE", b"SNOD", b"HEAP", b"PK") if (at := whole.find(mark, draw.randrange(len(whole)))) >= 0
    ]
    for _ in range(flips):
        start = draw.choice(marks) if marks else draw.randrange(len(data))
        data[min(len(data) - 1, start + draw.randrange(-200, 200))] ^= draw.randrange(1, 256)
    return bytes(data), flips
