"""Files: examples that lie on a disk, one picture a file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from compoundnet.images import decode
from compoundnet.schema import counted

from .examples import Labels, Task


@dataclass(frozen=True, eq=False)
class Files:
    """Pictures of ``root / paths[i]`` with ``labels[i]``; see ``Examples``.

    ``warnings`` are lines worth showing to people, such as a count that is not the published one.

    >>> files = Files(Path("."), ("a.png", "b.png"), np.array([0, 1]), ("cat", "dog"))
    >>> len(files), files.name(1), files.classes[files.labels[1]]
    (2, 'b.png', 'dog')
    """

    root: Path
    paths: tuple[str, ...]
    labels: Labels
    classes: tuple[str, ...]
    task: Task = "multiclass"
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.paths) == len(self.labels)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """The path below the root."""
        return self.paths[index]

    def source(self, index: int) -> Path:
        """The path."""
        return self.root / self.paths[index]

    def image(self, index: int, side: int | None = None) -> Image.Image:
        """See ``Examples``. Raises ImageError."""
        return decode(self.source(index), at_least=side)


def class_counts(labels: Labels, classes: int) -> list[int]:
    """How many pictures each class has; ``labels`` are of "multiclass" or "multilabel".

    >>> class_counts(np.array([0, 2, 2]), 3)
    [1, 0, 2]
    """
    if labels.ndim == 2:
        return [int(count) for count in (labels > 0).sum(0)]
    return np.bincount(labels, minlength=classes).tolist()


def require_trainable(where: str, counts: dict[str, int]) -> None:
    """Raise ValueError, one line, for pictures that no classifier can learn from: how many each class has is given."""
    empty = [name for name, count in counts.items() if not count]
    if empty:
        names = _listed(empty)
        none = counted(len(empty), "class", "classes")
        raise ValueError(f"{where}: {none} without a picture ({names}); add pictures or remove them")
    if len(counts) < 2:
        only = "".join(f", {name}" for name in counts)
        raise ValueError(f"{where}: one class only{only}; a classifier needs at least 2")


def _listed(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
