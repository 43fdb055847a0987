"""How the formats of weight files look: by their bytes and by the names in an archive, never by the file's name.

A look is a few bytes from both ends, the names in a zip or tar archive, and where HDF5's signature stands.
"""

import re
import struct
import tarfile
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from .errors import DamagedError, RefusedError
from .hdf5 import beginning
from .pytorch.archive import entries

LEVELDB = struct.pack("<Q", 0xDB4775248B80FB57)  # ends a table of LevelDB, as TensorFlow's .index files are
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the first pickle of PyTorch's files before 1.6
_HEAD, _UNPACKED = 4096, 1 << 16
_MAX_NAME = 256
MAX_HEADER = 100_000_000  # bytes of safetensors' header, the limit of its own reader


@dataclass(frozen=True)
class Look:
    """What a glance at a file shows: its first and last bytes, its size, and the names in it where it is an archive."""

    head: bytes
    tail: bytes
    size: int
    names: tuple[str, ...] = ()
    hdf5: bool = False


def look(path: Path) -> Look:
    """A glance at a file; a damaged archive shows its first name only."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(_HEAD)
        file.seek(max(0, size - len(LEVELDB)))
        tail = file.read(len(LEVELDB))
        return Look(head, tail, size, _names(file, head), beginning(file, size) is not None)


def _names(file: BufferedReader, head: bytes) -> tuple[str, ...]:
    if head.startswith(b"PK\3\4"):
        try:
            return tuple(entry.name for entry in entries(file))
        except (DamagedError, RefusedError):
            (length,) = struct.unpack_from("<H", head.ljust(30, b"\0"), 26)
            return (head[30 : 30 + min(length, _MAX_NAME)].decode(errors="replace"),)
    if head.startswith(b"\x1f\x8b"):
        return _tar_names(_unpacked(file))
    return _tar_names(head)


def _unpacked(file: BufferedReader) -> bytes:
    """The beginning of what a gzip file unpacks to; as much as a few tar headers need, and no more."""
    file.seek(0)
    try:
        return zlib.decompressobj(31).decompress(file.read(_UNPACKED), _UNPACKED)
    except zlib.error:
        return b""


def _tar_names(data: bytes) -> tuple[str, ...]:
    """The names in the first headers of a tar archive, up to the first file whose content reaches beyond ``data``."""
    found: list[str] = []
    at = 0
    while at + tarfile.BLOCKSIZE <= len(data):
        try:
            member = tarfile.TarInfo.frombuf(data[at : at + tarfile.BLOCKSIZE], "utf-8", "replace")
        except tarfile.TarError:
            break
        if member.size < 0:
            break
        found.append(member.name)
        at += tarfile.BLOCKSIZE + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return tuple(found)


def safetensors(seen: Look) -> bool:
    """The length of a JSON header in eight bytes, then the header."""
    (length,) = struct.unpack("<Q", seen.head[:8].ljust(8, b"\xff"))
    return length <= MAX_HEADER and seen.head[8:9] == b"{"


def torch_zip(seen: Look) -> bool:
    """A zip archive with PyTorch's pickle in its folder."""
    return _zip(seen) and any(name.endswith("/data.pkl") for name in seen.names)


def torchscript(seen: Look) -> bool:
    """PyTorch's archive with a program's code or constants."""
    return torch_zip(seen) and any(name.endswith("/constants.pkl") or "/code/" in name for name in seen.names)


def exported(seen: Look) -> bool:
    """The archive of torch.export."""
    return _zip(seen) and any(name.endswith("/archive_format") or name == "archive_format" for name in seen.names)


def torch_legacy(seen: Look) -> bool:
    """A pickle of PyTorch's number."""
    return seen.head.startswith(MAGIC)


def torch_tar(seen: Look) -> bool:
    """The tar archive of PyTorch before 0.2."""
    return not _zip(seen) and {"sys_info", "pickle"} <= {name.removeprefix("./") for name in seen.names}


def pickle(seen: Look) -> bool:
    """A pickle of protocol 2 to 5."""
    return seen.head[:1] == b"\x80" and seen.head[1:2] in (b"\2", b"\3", b"\4", b"\5")


def hdf5(seen: Look) -> bool:
    """HDF5's signature, perhaps behind a user block; Keras's .h5."""
    return seen.hdf5


def keras_zip(seen: Look) -> bool:
    """The archive of Keras 3, .keras."""
    return _zip(seen) and {"config.json", "metadata.json", "model.weights.h5"} <= set(seen.names)


def tensorflow_index(seen: Look) -> bool:
    """A table of LevelDB, as the .index file of a TensorFlow checkpoint is."""
    return seen.tail == LEVELDB


def tensorflow_tar(seen: Look) -> bool:
    """A tar archive, packed by gzip or not, with TensorFlow's model.ckpt."""
    files = [name.rpartition("/")[2] for name in seen.names]
    return not _zip(seen) and any(".ckpt" in name or name == "checkpoint" for name in files)


def numpy_zip(seen: Look) -> bool:
    """NumPy's .npz, or one array."""
    npz = _zip(seen) and bool(seen.names) and all(name.endswith(".npy") for name in seen.names)
    return npz or seen.head.startswith(b"\x93NUMPY")


def other_zip(seen: Look) -> bool:
    """Any other zip archive."""
    return _zip(seen)


def packed(seen: Look) -> bool:
    """Any other gzip, bzip2, xz, zstd or tar file."""
    return bool(seen.names) or seen.head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))


def tflite(seen: Look) -> bool:
    """FlatBuffers with TensorFlow Lite's identifier."""
    return seen.head[4:8] == b"TFL3"


def gguf(seen: Look) -> bool:
    """llama.cpp's format."""
    return seen.head.startswith(b"GGUF")


def saved_model(seen: Look) -> bool:
    """TensorFlow's saved_model.pb: schema version 1, then a graph."""
    return seen.head.startswith(b"\x08\x01\x12")


def onnx(seen: Look) -> bool:
    """ONNX: a small version of the format, then the name of who made it, or the graph."""
    version = seen.head[:1] == b"\x08" and 2 <= int.from_bytes(seen.head[1:2], "little") < 32
    return version and seen.head[2:3] in (b"\x12", b"\x1a", b"\x3a", b"\x42")


def openvino(seen: Look) -> bool:
    """OpenVINO's .xml."""
    return re.match(rb"\s*(<\?xml[^>]*>\s*)?<net\s", seen.head) is not None


def lfs(seen: Look) -> bool:
    """What Git holds in place of a large file."""
    return seen.head.startswith(b"version https://git-lfs.github.com/spec/")


def page(seen: Look) -> bool:
    """HTML or XML, as a server answers that does not give the file."""
    start = seen.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:100].lower()
    return start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<error", b"<!--"))


def json_text(seen: Look) -> bool:
    """JSON."""
    return seen.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[") and _is_text(seen)


def text(seen: Look) -> bool:
    """Any other text."""
    return bool(seen.head) and _is_text(seen)


def _is_text(seen: Look) -> bool:
    """Whether the beginning is text that people or servers write; a character may be cut off at its end."""
    try:
        found = seen.head[:-3].decode() if seen.size > len(seen.head) else seen.head.decode()
    except UnicodeDecodeError as error:
        if len(seen.head) - error.start > 4:
            return False
        found = seen.head[: error.start].decode()
    return all(letter.isprintable() or letter in "\t\r\n" for letter in found)


def _zip(seen: Look) -> bool:
    return seen.head.startswith((b"PK\3\4", b"PK\5\6"))
