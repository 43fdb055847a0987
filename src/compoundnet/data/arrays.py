"""idx: the array files of MNIST and Fashion-MNIST, plain or packed by gzip."""

import gzip
import math
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoundnet.schema import require_choice

from .examples import Labels, Task
from .files import class_counts, require_trainable

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package dataset-fashion-mnist puts it
FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_BYTES = 8  # the code of unsigned bytes, in the third byte of the header
_MOST = 2 * 10**9  # bytes
_AT_ONCE = 2**20  # bytes


@dataclass(frozen=True, eq=False)
class Memory:
    """Examples whose pictures lie in one uint8 array: (n, height, width) grey, or (n, height, width, 3) RGB."""

    pixels: NDArray[np.uint8]
    labels: Labels
    classes: tuple[str, ...]
    task: Task = "multiclass"
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.pixels.dtype == np.uint8
        assert len(self.pixels) == len(self.labels)

    def __len__(self) -> int:
        return len(self.pixels)

    def name(self, index: int) -> str:
        """The number."""
        return str(index)

    def image(self, index: int, side: int | None = None) -> Image.Image:
        """See ``Examples``."""
        return Image.fromarray(self.pixels[index]).convert("RGB")


def idx(file: str | Path) -> NDArray[np.uint8]:
    """The array in an idx file of unsigned bytes, plain or packed by gzip (by its first bytes, not its name).

    The header is two zero bytes, the type's code (8), the number of dimensions, and each dimension as four bytes, the
    highest first. Raises ValueError, one line, for another header, and for more or fewer bytes than it announces or
    more than two thousand million; what a packed file holds beyond that is never unpacked.
    """
    path = Path(file)
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=plain) as stream:
                    return _array(path, stream)
            return _array(path, plain)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error}); name an idx file") from None
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{path}: damaged or cut off ({error}); copy it again") from None


def _array(path: Path, stream: BufferedIOBase) -> NDArray[np.uint8]:
    """What a stream holds; no more is unpacked than its header announces, and one byte."""
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _BYTES or not 1 <= head[3] <= 4:
        raise ValueError(f"{path}: no idx file of bytes (it begins with {head.hex() or 'nothing'}, not 00000801)")
    sides = stream.read(4 * head[3])
    if len(sides) < 4 * head[3]:
        raise ValueError(f"{path}: cut off in its header; copy it again")
    shape = tuple(int.from_bytes(sides[at : at + 4], "big") for at in range(0, 4 * head[3], 4))
    announced = f"{path}: announces {' x '.join(map(str, shape))} bytes"
    size = math.prod(shape)
    if size > _MOST:
        raise ValueError(f"{announced}, more than the {_MOST:,} that are read; copy it again, or divide it")
    array = np.empty(size, np.uint8)
    filled = _fill(array, stream)
    if filled < size or stream.read(1):
        found = "more" if filled == size else f"{filled:,}"
        raise ValueError(f"{announced} and holds {found}; copy it again")
    return array.reshape(shape)


def _fill(array: NDArray[np.uint8], stream: BufferedIOBase) -> int:
    """Read into an array until it is full or nothing is left; how many bytes that were."""
    view, filled = array.data, 0
    while filled < len(view) and (count := stream.readinto(view[filled : filled + _AT_ONCE])):
        filled += count
    return filled


def fashion_mnist(path: str | Path = FASHION_MNIST, split: str = "train") -> Memory:
    """Fashion-MNIST (Xiao et al. 2017): 60,000 pictures in "train", 10,000 in "test", 28 x 28 grey, 10 classes.

    ``path`` holds the four idx files, packed or not; by default where Debian's package dataset-fashion-mnist has them.
    Raises ValueError, one line, for missing files and those of other shapes.
    """
    require_choice(split, ("train", "test"), "split")
    root, stem = Path(path), "train" if split == "train" else "t10k"
    pixels, labels = idx(_found(root, f"{stem}-images-idx3-ubyte")), idx(_found(root, f"{stem}-labels-idx1-ubyte"))
    if pixels.ndim != 3 or pixels.shape[1:] != (28, 28):
        raise ValueError(f"{root}: pictures of shape {pixels.shape[1:]}, not (28, 28); this is not Fashion-MNIST")
    if labels.shape != pixels.shape[:1]:
        raise ValueError(f"{root}: {len(pixels)} pictures and {labels.size} labels; copy the files again")
    if labels.size and int(labels.max()) >= len(FASHION_CLASSES):
        raise ValueError(f"{root}: a label {labels.max()}; Fashion-MNIST has 0 to {len(FASHION_CLASSES) - 1}")
    counts = class_counts(labels, len(FASHION_CLASSES))
    require_trainable(str(root), dict(zip(FASHION_CLASSES, counts, strict=True)))
    return Memory(pixels, labels.astype(np.int64), FASHION_CLASSES)


def _found(root: Path, stem: str) -> Path:
    for name in (f"{stem}.gz", stem):
        if (root / name).is_file():
            return root / name
    remedy = "apt-get install dataset-fashion-mnist, or give the folder of its four files"
    raise ValueError(f"{root}: no {stem}.gz; {remedy}")
