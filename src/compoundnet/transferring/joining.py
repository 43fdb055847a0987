"""Joining: pictures that train and pictures of their own that judge, as one set that is passed through once."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from compoundnet.data.examples import Examples, Labels, Task
from compoundnet.schema import require, shown


@dataclass(frozen=True, eq=False)
class Joined:
    """``train``, and after them ``validation``: of the same task and classes, see ``joined``."""

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

    def _where(self, index: int) -> tuple[Examples, int]:
        count = len(self.train)
        return (self.train, index) if index < count else (self.validation, index - count)


def joined(train: Examples, validation: Examples) -> Joined:
    """Both as one. Raises FieldError for validation pictures of another task or other classes, and for none.

    >>> from compoundnet.data import Memory
    >>> one = Memory(np.zeros((3, 2, 2), np.uint8), np.array([0, 1, 1]), ("a", "b"))
    >>> joined(one, one).labels.tolist()
    [0, 1, 1, 0, 1, 1]
    """
    require(len(validation) > 0, "validation", "no pictures; give some, or none at all for a share of the training's")
    require(validation.task == train.task, "validation", f"{validation.task}, but the training set is {train.task}")
    names = f"{shown(list(validation.classes))}, but the training set has {shown(list(train.classes))}"
    require(tuple(validation.classes) == tuple(train.classes), "validation", f"the classes are {names}")
    return Joined(train, validation)
