"""PyTorch's files are read whole, zip archives as Python reads them; hostile ones are one line in little memory."""

import io
import struct
import zipfile
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.weights.errors import DamagedError, RefusedError
from compoundnet.weights.pytorch import archive, legacy, zipped
from tests import torchfiles as made

from .torch_reading import Read, arrays, in_little_memory, opened


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
        in_little_memory(lambda: zipped.read(opened(bomb)))


@pytest.mark.parametrize("wrong", [0, -1, 1])
def test_a_packed_entry_is_unpacked_beside_a_piece_of_the_file(wrong: int) -> None:
    data = np.random.default_rng(0).integers(0, 16, 6 << 20, dtype=np.uint8).tobytes()  # packs to somewhat over half
    whole = made.zipped(b"N", {"0": data}, method=zipfile.ZIP_DEFLATED)
    file = opened(_changed(whole, b"PK\1\2", 24, "<I", len(data) + wrong))
    entry = next(row for row in archive.entries(file) if row.name.endswith("/0"))
    if not wrong:
        in_little_memory(lambda: archive.content(file, entry), len(data) + (2 << 20))
        assert archive.content(file, entry) == data
        return
    with pytest.raises(DamagedError, match="does not unpack to its size"):
        archive.content(file, entry)


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

    in_little_memory(read)


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
