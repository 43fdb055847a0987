"""Examples: labelled pictures, wherever they come from."""

from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from numpy.typing import NDArray
from PIL import Image

Task: TypeAlias = Literal["multiclass", "multilabel", "regression"]
Labels: TypeAlias = NDArray[Any]


class Examples(Protocol):
    """Labelled pictures by their number. Nothing is decoded before it is asked for.

    ``labels``: int64 (n,) indices into ``classes`` for "multiclass"; float32 (n, classes) of zeros and ones for
    "multilabel"; float32 (n, targets) for "regression", with ``classes`` the targets' names.
    """

    @property
    def task(self) -> Task: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def labels(self) -> Labels: ...

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What people know the picture by: its path below the root, or its number."""
        ...

    def image(self, index: int, side: int | None = None) -> Image.Image:
        """The picture, RGB; at least ``side`` pixels on its shorter side where it can be decoded smaller and faster.

        Raises ImageError, one line, when it cannot be read.
        """
        ...


@runtime_checkable
class Encoded(Protocol):
    """Examples whose pictures are files, or bytes of files: what is cut from a large JPEG is decoded smaller."""

    def source(self, index: int) -> Path | bytes | None:
        """The picture's path, or its bytes, or None where it has neither. Raises ImageError, one line."""
        ...


def source_of(examples: Examples, index: int) -> Path | bytes | None:
    """A picture's file, where there is one."""
    return examples.source(index) if isinstance(examples, Encoded) else None
