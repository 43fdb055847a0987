"""Our HDF5 reader against the HDF5 library: what Keras writes is read alike, everything else is one line."""

import io
import random
import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from compoundnet.weights.errors import CheckpointError
from compoundnet.weights.hdf5 import Source, datasets, values

Arrays = dict[str, NDArray[np.generic]]


def read(data: bytes) -> Arrays:
    source = Source(io.BytesIO(data), 0, len(data))
    return {path: values(header).read(source) for path, header in datasets(source).items()}


def written(fill: Callable[[h5py.File], object], **options: object) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w", **options) as h5:
        fill(h5)
    return file.getvalue()


def attempt(data: bytes) -> Arrays | None:
    """What is read, or None after one line; any other error is a failure."""
    try:
        return read(data)
    except CheckpointError as error:
        return None if "\n" not in str(error) else pytest.fail(str(error))


def line(data: bytes) -> str:
    with pytest.raises(CheckpointError) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# HDF5 turns a group with other letters into a newer kind, which Keras's names never need.
names = st.text(st.characters(codec="ascii", exclude_characters="/\0"), min_size=1, max_size=9)
paths = st.lists(names.filter(lambda name: set(name) != {"."}), min_size=1, max_size=4).map("/".join)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        paths,
        arrays(st.sampled_from(["<f2", "<f4", "<f8"]), array_shapes(min_dims=0, max_dims=5, max_side=4)),
        max_size=8,
    )
)
def test_random_trees_are_read_as_the_library_wrote_them(wanted: Arrays) -> None:
    kept = {p: a for p, a in wanted.items() if not any(other.startswith(f"{p}/") for other in wanted)}
    found = read(written(lambda file: [file.create_dataset(path, data=array) for path, array in kept.items()]))
    assert found.keys() == kept.keys()
    for path, array in kept.items():
        assert found[path].dtype == array.dtype
        assert found[path].shape == array.shape
        assert found[path].tobytes() == array.tobytes()


def test_a_group_of_thousands_whose_tree_has_levels_is_read() -> None:
    found = read(written(lambda file: [file.create_dataset(f"g/a{i}", data=np.float32(i)) for i in range(3000)]))
    assert len(found) == 3000
    assert all(found[f"g/a{i}"] == i for i in range(3000))


def test_long_attributes_push_messages_into_continuation_blocks_which_are_read() -> None:
    def fill(file: h5py.File) -> None:
        made = file.create_dataset("a", data=np.arange(3.0))
        for index in range(20):
            made.attrs[f"note{index}"] = "x" * 1000

    assert np.array_equal(read(written(fill))["a"], np.arange(3.0))


def test_bfloat16_becomes_float32() -> None:
    def fill(file: h5py.File) -> None:
        kind = h5py.h5t.IEEE_F32LE.copy()
        kind.set_fields(15, 7, 8, 0, 7)
        kind.set_size(2)
        kind.set_ebias(127)
        space = h5py.h5s.create_simple((2,))
        made = h5py.h5d.create(file.id, b"a", kind, space)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([0x3FC0, 0xC000], np.uint16), mtype=kind)

    assert read(written(fill))["a"].tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (2, 3, 2)},
        {"chunks": (5, 7, 4), "compression": "gzip"},
        {"chunks": (2, 7, 3), "compression": "gzip", "compression_opts": 9, "shuffle": True},
        {"chunks": (1, 1, 1)},
    ],
)
@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8"])
def test_values_in_pieces_and_packed_ones_are_put_together(options: dict[str, Any], kind: str) -> None:
    array = np.random.default_rng(0).normal(size=(5, 7, 4)).astype(kind)
    data = written(lambda file: [file.create_dataset("a", data=array, **options), file.create_dataset("b", data=array)])
    found = read(data)
    assert found["a"].tobytes() == found["b"].tobytes() == array.tobytes()


def test_a_piece_that_unpacks_to_more_or_less_than_its_size_is_refused() -> None:
    noise = np.random.default_rng(0).normal(size=1000)
    packed = zlib.compress(noise.tobytes())
    for size in (999, 1001):

        def fill(file: h5py.File, size: int = size) -> None:
            made = file.create_dataset("a", (size,), "f8", chunks=(size,), compression="gzip")
            made.id.write_direct_chunk((0,), packed)

        assert f"not its {8 * size}" in line(written(fill))


def test_numbers_that_pack_too_tight_are_a_bomb_and_refused_before_memory_is_taken() -> None:
    zeros = written(lambda file: file.create_dataset("a", data=np.zeros(2**22), compression="gzip"))
    assert "refused: 33554432 bytes of values from a file of" in line(zeros)


def _with_a_hole(file: h5py.File) -> None:
    file.create_dataset("a", (9,), "f4", chunks=(3,))[:3] = 1


REFUSED: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "bomb": (lambda f: f.create_dataset("a", (2**40,), "f4", chunks=(2**20,)), "its values were never written"),
    "holes": (_with_a_hole, "1 pieces do not make values of shape (9,)"),
    "lzf": (lambda f: f.create_dataset("a", data=np.ones(9), compression="lzf"), "packed by filters (32000,)"),
    "checksums": (lambda f: f.create_dataset("a", data=np.ones(9), fletcher32=True), "packed by filters (3,)"),
    "never written": (lambda f: f.create_dataset("a", (2**40,), "f4"), "its values were never written"),
    "outside": (lambda f: f.create_dataset("a", (9,), "f4", external="/etc/passwd"), "its values in another file"),
    "virtual": (
        lambda f: f.create_virtual_dataset("a", _virtual()),
        "its layout has version 4 and kind 3",
    ),
    "soft": (lambda f: f.__setitem__("a", h5py.SoftLink("/b")), "a soft link"),
    "external": (lambda f: f.__setitem__("a", h5py.ExternalLink("/tmp/b.h5", "/c")), "a group with links"),
    "twice": (lambda f: [f.__setitem__("a", np.ones(2)), f.__setitem__("b", f["a"])], "another name of an object"),
    "circle": (lambda f: f.create_group("a").__setitem__("b", f["/"]), "another name of an object"),
    "integers": (lambda f: f.__setitem__("a", np.arange(3)), "no floating-point numbers"),
    "high byte first": (lambda f: f.__setitem__("a", np.ones(3, ">f4")), "no floating-point numbers"),
    "texts": (lambda f: f.__setitem__("a", "text"), "no floating-point numbers"),
    "no values": (lambda f: f.__setitem__("a", np.ones((0, 4))), "has no values"),
    "deep": (lambda f: f.create_group("/".join("abcdefgh" * 5)), "nested deeper than 32"),
}


def _virtual() -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((9,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "b", (9,))
    return layout


@pytest.mark.parametrize("what", REFUSED)
def test_what_keras_does_not_write_is_refused_in_one_line(what: str) -> None:
    fill, reason = REFUSED[what]
    assert reason in line(written(fill))


def test_the_newest_layout_is_refused_with_the_remedy() -> None:
    assert "write it again with libver='earliest'" in line(written(lambda f: f.create_group("a"), libver="latest"))


SMALL = written(lambda f: [f.create_dataset(f"g{i}/g{i}/kernel", data=np.arange(6.0) + i) for i in range(12)])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_cut_file_is_one_line(share: float) -> None:
    assert line(SMALL[: int(len(SMALL) * share)]).startswith(("truncated", "damaged"))


def _changed(at: int, new: bytes) -> bytes:
    return SMALL[:at] + new + SMALL[at + len(new) :]


HUGE = (2**62).to_bytes(8, "little")


@pytest.mark.parametrize("mark", [b"HEAP", b"TREE", b"SNOD"])
def test_a_header_that_claims_more_than_the_file_is_one_line_and_allocates_nothing(mark: bytes) -> None:
    at = SMALL.index(mark)
    for place in range(at + 4, at + 40, 4):
        attempt(_changed(place, HUGE))


def test_a_tree_that_leads_to_itself_ends() -> None:
    at = SMALL.index(b"TREE")
    line(_changed(at + 32, at.to_bytes(8, "little")))


def test_values_that_lie_over_other_values_are_found() -> None:
    source = Source(io.BytesIO(SMALL), 0, len(SMALL))
    first, second = list(datasets(source).values())[:2]
    old, new = (values(header).at.to_bytes(8, "little") for header in (first, second))
    assert SMALL.count(old) == 1
    assert "two parts of the file claim" in line(SMALL.replace(old, new))


PACKED = written(
    lambda f: [
        f.create_dataset(
            f"g/a{i}", data=np.random.default_rng(i).normal(size=(9, 8)), chunks=(4, 4), compression="gzip"
        )
        for i in range(6)
    ]
)


@pytest.mark.parametrize("whole", [SMALL, PACKED], ids=["plain", "packed"])
def test_damaged_files_are_one_line_or_read_with_no_more_than_the_damaged_numbers_changed(whole: bytes) -> None:
    """A flipped bit in a number cannot be seen; one in the structure must not turn into other numbers."""
    draw, right, refused = random.Random(1), read(whole), 0
    for _ in range(600):
        data = bytearray(whole)
        places = [draw.randrange(len(data)) for _ in range(draw.choice([1, 1, 2, 8]))]
        for at in places:
            data[at] ^= draw.randrange(1, 256)
        found = attempt(bytes(data))
        if found is None:
            refused += 1
        elif found.keys() == right.keys() and all(found[p].shape == right[p].shape for p in right):
            assert sum(int((found[p] != right[p]).sum()) for p in right) <= len(places)
    assert refused > 50
