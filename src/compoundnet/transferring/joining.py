"""Joining: pictures that train and pictures of their own that judge, as one set that is passed through once."""

from compoundnet.data.examples import Examples
from compoundnet.data.joining import Joined
from compoundnet.schema import require, shown


class Judged(Joined):
    """Pictures that train, and after them those that judge: see ``judged``."""


def judged(train: Examples, validation: Examples) -> Judged:
    """Both as one. Raises FieldError for validation pictures of another task or other classes, and for none."""
    require(len(validation) > 0, "validation", "no pictures; give some, or none at all for a share of the training's")
    require(validation.task == train.task, "validation", f"{validation.task}, but the training set is {train.task}")
    names = f"{shown(list(validation.classes))}, but the training set has {shown(list(train.classes))}"
    require(tuple(validation.classes) == tuple(train.classes), "validation", f"the classes are {names}")
    return Judged(train, validation)
