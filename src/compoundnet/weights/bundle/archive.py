"""The archives that checkpoints are published in: the members that belong to one, taken out into a folder.

Source of the format: POSIX ustar. A member is a block of 512 bytes that names it, then its bytes, filled up to a whole
number of blocks. Only regular files whose names are a checkpoint's are taken, by the last part of their names, whatever
folders the archive would like to write to.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from compoundnet.schema import shown
from compoundnet.weights.errors import CheckpointError

GZIP = b"\x1f\x8b"
_BLOCK = 512
_AT_ONCE = 1 << 20  # bytes
_MOST_MEMBERS = 1000
_GROWTH = 20  # the most that a packed byte stands for; trained weights hardly shrink
_SPARE = 1 << 20  # bytes more
_WANTED = re.compile(r"checkpoint|[^/.][^/]*\.(index|data-\d{5}-of-\d{5})")


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    regular: bool

    @property
    def base(self) -> str:
        return PurePosixPath(self.name).name

    @property
    def wanted(self) -> bool:
        return self.regular and bool(_WANTED.fullmatch(self.base))


class _Stream:
    """The unpacked bytes of an archive, in order and not more than its size can account for."""

    def __init__(self, file: BufferedReader | gzip.GzipFile, most: int) -> None:
        self._file = file
        self._left = most

    def read(self, count: int) -> bytes:
        self._left -= count
        if self._left < 0:
            raise self._too_much()
        found = self._file.read(count)
        if len(found) < count:
            raise CheckpointError("it is truncated; download it again")
        return found

    def pieces(self, count: int) -> Iterator[bytes]:
        for start in range(0, count, _AT_ONCE):
            yield self.read(min(_AT_ONCE, count - start))

    def _too_much(self) -> CheckpointError:
        return CheckpointError(f"it unpacks to more than {_GROWTH} times its size; unpack it, and give the folder")

    def drain(self) -> None:
        """Read to the end, where a packed file has its checksum."""
        while found := self._file.read(_BLOCK):
            self._left -= len(found)
            if self._left < 0:
                raise self._too_much()


def is_archive(path: Path) -> bool:
    """Whether a file is a .tar.gz or .tar, by its content, that holds an index or data of a checkpoint."""
    try:
        with _opened(path) as file:
            stream = _Stream(file, _GROWTH * path.stat().st_size + _SPARE)
            for member in _members(stream):
                if member.wanted and member.base != "checkpoint":
                    return True
                _skip(stream, member)
    except (CheckpointError, OSError, EOFError, zlib.error):
        pass
    return False


def taken_out(path: Path, folder: Path) -> None:
    """Write a checkpoint's members, the index, the data files and ``checkpoint``, into an empty folder.

    Raises CheckpointError, without the path, for a damaged archive, for one that unpacks to more than 20 times its
    size, and for two members of one name.
    """
    try:
        with _opened(path) as file:
            stream = _Stream(file, _GROWTH * path.stat().st_size + _SPARE)
            for member in _members(stream):
                if member.wanted:
                    if (folder / member.base).exists():
                        raise CheckpointError(f"it holds two files {shown(member.base)}; unpack it, and give a folder")
                    with (folder / member.base).open("xb") as out:
                        out.writelines(stream.pieces(member.size))
                    stream.read(-member.size % _BLOCK)
                else:
                    _skip(stream, member)
            stream.drain()
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise CheckpointError("it is truncated or damaged; download it again") from None


def _opened(path: Path) -> BufferedReader | gzip.GzipFile:
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")


def _members(stream: _Stream) -> Iterator[_Member]:
    """Each member, when the stream is at its bytes; whoever asks for the next one has read or skipped them."""
    for _ in range(_MOST_MEMBERS):
        block = stream.read(_BLOCK)
        if not any(block):
            return  # blocks of zeros end an archive
        yield _member(block)
    raise CheckpointError(f"it holds more than {_MOST_MEMBERS:,} files; unpack it, and give the folder")


def _member(block: bytes) -> _Member:
    total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if total != _octal(block[148:156]):
        raise CheckpointError("it is no archive, or damaged; download it again")
    name = block[:100].split(b"\0")[0].decode("utf-8", "replace")
    return _Member(name, _octal(block[124:136]), block[156:157] in (b"0", b"\0"))


def _octal(field: bytes) -> int:
    text = field.strip(b" \0")
    if not all(ord("0") <= digit <= ord("7") for digit in text):
        raise CheckpointError("it holds a size that is no number; download it again")
    return int(text or b"0", 8)


def _skip(stream: _Stream, member: _Member) -> None:
    for _ in stream.pieces(member.size + -member.size % _BLOCK):
        pass
