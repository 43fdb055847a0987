"""Damaged and hostile TensorFlow checkpoints: one line, or the right numbers; no hang, no full memory."""

import struct
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.weights.bundle import read_bundle
from compoundnet.weights.errors import CheckpointError

from . import bundles
from .bundles import Array, Block, Entry, Written, bundle, model, trained
from .test_bundle import archived, line, same

ARRAYS = trained()
WANTED = model(ARRAYS)
BUNDLE = bundle(ARRAYS, shards=2)
PACKED = bundle(ARRAYS, packed=True)
W = {"w": np.arange(12, dtype=np.float32).reshape(4, 3)}
SPARE = 1 << 20  # bytes beyond twice the files: tables of checksums, Python's own objects
SECONDS = 5
FAST = settings(max_examples=100, deadline=None)
SLOW = settings(FAST, max_examples=1000)


def outcome(path: Path) -> dict[str, Array] | None:
    """What is read, or None for one line of error; within the limits of time and memory."""
    size = sum(each.stat().st_size for each in path.parent.iterdir())
    found, problem = None, f"{path}: "
    tracemalloc.start()
    began = time.perf_counter()
    try:
        found = dict(read_bundle(path).tensors)
    except CheckpointError as error:
        problem = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.perf_counter() - began < SECONDS
    assert peak < 2 * size + SPARE
    assert problem.startswith(f"{path}: ")
    assert "\n" not in problem
    return found


def right(found: dict[str, Array]) -> bool:
    return found.keys() == WANTED.keys() and all(np.array_equal(found[name], WANTED[name]) for name in WANTED)


@st.composite
def mutations(draw: st.DrawFn, data: bytes) -> bytes:
    """Truncated, with bits flipped, or with a stretch changed, cut out or repeated."""
    at = draw(st.integers(0, len(data) - 1))
    end = min(len(data), at + draw(st.integers(1, 40)))
    match draw(st.sampled_from(["truncate", "flip", "change", "cut", "repeat", "number"])):
        case "truncate":
            return data[:at]
        case "flip":
            return data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
        case "change":
            new = draw(st.binary(min_size=end - at, max_size=end - at))
            return data[:at] + new + data[end:]
        case "cut":
            return data[:at] + data[end:]
        case "repeat":
            return data[:end] + data[at:end] * draw(st.integers(1, 30)) + data[end:]
        case _:
            new = bundles.varint(draw(st.sampled_from([0, 1, 127, 1 << 20, (1 << 31) - 1, 1 << 62, (1 << 64) - 1])))
            return data[:at] + new + data[at + len(new) :]


def _damaged(folder: Path, written: Written, data: st.DataObject) -> Path:
    """A checkpoint one of whose files is mutated; its checksums are as they were."""
    prefix = written.write(folder)
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    path.write_bytes(data.draw(mutations(path.read_bytes())))
    return prefix


def _resealed(folder: Path, written: Written, data: st.DataObject) -> Path:
    """A checkpoint one of whose blocks is mutated before its checksum is taken: the reader's own checks are left."""
    records = {b"": written.header} | {key: entry.to_bytes() for key, entry in written.entries.items()}
    table = bundles.table(records, per_block=13, packed=written.packed)
    at = data.draw(st.integers(0, len(table.blocks)))
    if at == len(table.blocks):
        return _written(folder, written, replace(table, raw_listing=data.draw(mutations(table.listing()))))
    block = table.blocks[at].to_bytes()
    changed = Block(table.blocks[at].entries, data.draw(mutations(block[:-5])), kind=block[-5])
    return _written(folder, written, replace(table, blocks=(*table.blocks[:at], changed, *table.blocks[at + 1 :])))


def _written(folder: Path, written: Written, table: bundles.Table) -> Path:
    prefix = written.write(folder)
    (folder / f"{prefix.name}.index").write_bytes(table.to_bytes())
    return prefix


def _every_damage_is_seen(folder: Path, data: st.DataObject) -> None:
    found = outcome(_damaged(folder, data.draw(st.sampled_from([BUNDLE, PACKED])), data))
    assert found is None or right(found)


def _every_lie_is_survived(folder: Path, data: st.DataObject) -> None:
    written = data.draw(st.sampled_from([BUNDLE, PACKED]))
    found = outcome(_resealed(folder, written, data))
    assert found is None or sum(a.nbytes for a in found.values()) <= 2 * sum(map(len, written.data))


def _every_damaged_archive_is_seen(folder: Path, data: st.DataObject) -> None:
    path = folder / data.draw(st.sampled_from(["b0.tar.gz", "b0.tar"]))
    whole = archived(BUNDLE.write(folder / "b0"), path).read_bytes()
    path.write_bytes(data.draw(mutations(whole)))
    found = outcome(path)
    assert found is None or right(found)


@FAST
@given(st.data())
def test_every_damage_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    _every_damage_is_seen(tmp_path_factory.mktemp("damaged"), data)


@FAST
@given(st.data())
def test_every_lie_with_right_checksums_is_survived(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    _every_lie_is_survived(tmp_path_factory.mktemp("lies"), data)


@FAST
@given(st.data())
def test_every_damage_of_an_archive_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    _every_damaged_archive_is_seen(tmp_path_factory.mktemp("archive"), data)


@pytest.mark.slow
@pytest.mark.parametrize("check", [_every_damage_is_seen, _every_lie_is_survived, _every_damaged_archive_is_seen])
@SLOW
@given(data=st.data())
def test_a_thousand_of_each(
    tmp_path_factory: pytest.TempPathFactory, check: Callable[[Path, st.DataObject], None], data: st.DataObject
) -> None:
    check(tmp_path_factory.mktemp("thousand"), data)


def test_every_bit_that_counts_is_checked(tmp_path: Path) -> None:
    """Each byte of a small checkpoint in turn: its flip is seen, or it says nothing (what fills up the footer)."""
    prefix = bundle(W).write(tmp_path)
    silent = 0
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for at in range(len(whole)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
            found = outcome(prefix)
            if found is not None:
                assert np.array_equal(found["w"], W["w"])
                silent += 1
        path.write_bytes(whole)
    assert silent < 40  # the footer has 40 bytes for two handles


HUGE = 1 << 62
LIES: dict[str, tuple[dict[str, object], str]] = {
    "shape": ({"shape": (4, 4)}, "'w' has 48 bytes, but its shape needs 64"),
    "huge shape": ({"shape": (HUGE, HUGE)}, "'w' has 48 bytes, but its shape needs "),
    "huge shape and size": ({"shape": (HUGE // 4,), "size": HUGE}, "is truncated: 'w' ends at byte"),
    "no numbers": ({"shape": (0, HUGE), "size": 0}, "'w' holds no numbers at all"),
    "offset": ({"offset": 1}, "model.ckpt-7.data-00000-of-00001 is truncated: 'w' ends at byte 49 of 48"),
    "huge offset": ({"offset": HUGE}, "is truncated: 'w' ends at byte"),
    "size": ({"size": HUGE}, "but its shape needs 48"),
    "type": ({"dtype": 2}, "but its shape needs 96"),
    "data file": ({"shard": 1}, "'w' is in data file 1, of 1"),
    "checksum": ({"checksum": 1}, "model.ckpt-7.data-00000-of-00001 is damaged: the checksum of 'w' differs"),
    "rank": ({"shape": (1,) * 9}, "more than 8 dimensions"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_entry_that_lies_is_refused(tmp_path: Path, lie: str) -> None:
    changes, why = LIES[lie]
    prefix = bundle(W).changed("w", **changes).write(tmp_path)
    assert why in line(prefix)
    assert outcome(prefix) is None


def test_variables_in_the_same_bytes_are_refused(tmp_path: Path) -> None:
    """A few bytes of data that thousands of variables claim would fill the memory."""
    written = bundle({"a": W["w"], "b": W["w"]})
    prefix = written.changed("b", offset=written.entries[b"a"].offset + 4).write(tmp_path)
    assert line(prefix) == "'a' and 'b' are in the same bytes"


PARTS = bundle(W, parts={"w": 2})
ALL = (0, None)
PART_LIES = {
    "gap": ((((0, 2), ALL),), "overlap or leave gaps"),
    "twice": ((((0, 2), ALL), ((0, 2), ALL)), "overlap or leave gaps"),
    "unknown": ((((0, 2), ALL), ((2, 1), ALL)), "missing"),
    "outside": ((((0, 2), ALL), ((9, 2), ALL)), "missing"),
    "rank": ((((0, 2),),), "missing"),
    "too deep": (((ALL,) * 300,), "more than 8 dimensions"),
    "negative": ((((0, 2), ALL), ((-1 << 62, 2), ALL)), "missing"),
    "too many": ((((0, 2), ALL),) * 257, "more than 256 parts"),
}


@pytest.mark.parametrize("lie", PART_LIES)
def test_parts_that_lie_are_refused(tmp_path: Path, lie: str) -> None:
    parts, why = PART_LIES[lie]
    prefix = PARTS.changed("w", parts=parts).write(tmp_path)
    assert why in line(prefix)
    assert outcome(prefix) is None


def test_parts_of_another_shape_place_or_type_are_refused(tmp_path: Path) -> None:
    first = ((0, 2), (0, None))
    key = bundles.part_key("w", first)
    lies: list[tuple[dict[str, Any], str]] = [
        ({"shape": (3, 2)}, "does not fit"),
        ({"shape": (6,)}, "does not fit"),
        ({"dtype": bundles.TYPES["int32"]}, "missing or of another type"),
        ({"parts": (first,)}, "missing or of another type"),
    ]
    for index, (change, why) in enumerate(lies):
        entries = dict(PARTS.entries)
        entries[key] = replace(entries[key], **change)
        assert why in line(replace(PARTS, entries=entries).write(tmp_path / str(index)))


def test_parts_that_overlap_in_the_second_dimension_are_refused(tmp_path: Path) -> None:
    """Eight of twelve places twice, four never: as many numbers as there should be."""
    boxes = [((0, None), (0, 2)), ((0, None), (1, 1))]
    written = bundle({"a": W["w"][:, :2].copy(), "b": W["w"][:, 1:2].copy()})
    pieces = {bundles.part_key("w", box): written.entries[name] for box, name in zip(boxes, (b"a", b"b"), strict=True)}
    whole = Entry(1, (4, 3), parts=tuple(boxes))
    prefix = replace(written, entries={b"w": whole, **pieces}).write(tmp_path)
    assert "overlap or leave gaps" in line(prefix)


def test_a_count_of_data_files_that_no_disk_holds_costs_nothing(tmp_path: Path) -> None:
    written = replace(bundle(W), header=bundles.header(shards=(1 << 31) - 1))
    assert "data-00000-of-2147483647, one of 2147483647, is not beside the index" in line(written.write(tmp_path))


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ({b"w": b""}, "the index has no header"),
        ({b"": bundles.message(1, b"first format")}, "it may be one in the first format of TensorFlow"),
        ({b"": bundles.header(), b"\xff\xfe": b""}, r"b'\xff\xfe' is no name"),
        ({b"": bundles.header(), b"a\nb": b""}, r"b'a\nb' is no name"),
    ],
)
def test_an_index_of_something_else_is_refused(tmp_path: Path, records: dict[bytes, bytes], why: str) -> None:
    prefix = bundle(W).write(tmp_path)
    (tmp_path / "model.ckpt-7.index").write_bytes(bundles.table(records).to_bytes())
    assert why in line(prefix)


def test_names_that_share_their_begin_cannot_fill_the_memory(tmp_path: Path) -> None:
    """Five bytes each in the file, a thousand in memory."""
    header = bundles.header()
    raw = bytes([0, 0, len(header)]) + header + b"\x00" + bundles.varint(1000) + b"\x00" + b"n" * 1000
    raw += b"".join(bundles.varint(1000) + b"\x05\x00" + f"{n:05}".encode() for n in range(5000))
    prefix = bundle(W).write(tmp_path)
    index = bundles.Table((Block((), raw + struct.pack("<II", 0, 1)),)).to_bytes()
    assert len(index) < 1 << 16
    (tmp_path / "model.ckpt-7.index").write_bytes(index)
    tracemalloc.start()
    assert "4,194,304 bytes of them" in line(prefix)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_undamaged_ones_are_read_within_the_limits(tmp_path: Path) -> None:
    for name, written in {"plain": BUNDLE, "packed": PACKED}.items():
        found = outcome(written.write(tmp_path / name))
        assert found is not None
        assert same(read_bundle(tmp_path / name), found)
        assert right(found)
