"""What kind of file something is, by its first and last bytes: the name's ending has no say."""

import struct
import zipfile
from pathlib import Path

_HDF5, _ZIP, _OLD_TORCH = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_TENSORFLOW = struct.pack("<Q", 0xDB4775248B80FB57)  # ends the index of a checkpoint
_MOST_ENTRIES = 100_000
# What an archive holds -> what it is.
_ARCHIVES = (
    ("data.pkl", "PyTorch (zip)"),
    ("model.weights.h5", "Keras 3 archive"),
    ("archive_format", "PyTorch program (torch.export)"),
)


def container(path: Path) -> str:
    """The kind of a file, in words; "unknown" where none is recognised. Nothing is unpacked.

    Raises OSError for a file that cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(max(0, size - 8))
        tail = file.read(8)
    if head.startswith(_HDF5):
        return "HDF5"
    if head.startswith(_ZIP):
        return _archive(path)
    if head.startswith(_OLD_TORCH[:14]):
        return "PyTorch (before 1.6)"
    if len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= size - 8:
        return "safetensors"
    if tail == _TENSORFLOW:
        return "TensorFlow checkpoint"
    return "unknown"


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()[:_MOST_ENTRIES]}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return "damaged zip archive"
    return next((kind for name, kind in _ARCHIVES if name in names), "zip archive")
