"""Joining: two parts of one data set as one set."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from .examples import Examples, Labels, Task, source_of


@dataclass(frozen=True, eq=False)
class Joined:
    """``train``, and after them ``validation``, which are of the same task and classes.

    >>> from compoundnet.data import Memory
    >>> one = Memory(np.zeros((3, 2, 2), np.uint8), np.array([0, 1, 1]), ("a", "b"))
    >>> Joined(one, one).labels.tolist()
    [0, 1, 1, 0, 1, 1]
    """

    train: Examples = field(repr=False)
    validation: Examples = field(repr=False)

    @property
    def task(self) -> Task:
        return self.train.task

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes

    @property
    def labels(self) -> Labels:
        return np.concatenate([self.train.labels, self.validation.labels])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of both."""
        return (*warnings_of(self.train), *warnings_of(self.validation))

    def __len__(self) -> int:
        return len(self.train) + len(self.validation)

    def name(self, index: int) -> str:
        """As the set says it that has the picture."""
        examples, place = self._where(index)
        return examples.name(place)

    def image(self, index: int, side: int | None = None) -> Image.Image:
        """See ``Examples``."""
        examples, place = self._where(index)
        return examples.image(place, side)

    def source(self, index: int) -> Path | bytes | None:
        """See ``Encoded``."""
        return source_of(*self._where(index))

    def _where(self, index: int) -> tuple[Examples, int]:
        count = len(self.train)
        return (self.train, index) if index < count else (self.validation, index - count)


def warnings_of(examples: Examples) -> tuple[str, ...]:
    """The lines worth showing to people that some examples have."""
    return getattr(examples, "warnings", ())
