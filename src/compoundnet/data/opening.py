"""Opening: whatever form data has, the pictures that train, judge or test, by the one name that people give it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from compoundnet.schema import require_choice

from .arrays import FASHION_MNIST, fashion_mnist
from .cells import elpv
from .examples import Examples, Task
from .folders import folder, left_aside, places
from .ilsvrc import imagenet, is_imagenet
from .listing import listed
from .papers import DATASETS, published
from .sharding import has_shards, shards
from .splitting import split as divide

Part: TypeAlias = Literal["train", "validation", "test"]
HELD_OUT = 0.1  # of the pictures, where nothing else judges
_PARTS: tuple[Part, ...] = get_args(Part)
_MINIVAL = MappingProxyType({"train": "train", "validation": "minival", "test": "test"})


@dataclass(frozen=True)
class Form:
    """Data of one form: the parts that it has, none when it is one whole, and what reads a part (None: the whole).

    ``read`` takes the part, the classes that are fixed already or None, and whether one can train on it or need not.
    """

    parts: tuple[Part, ...]
    read: Callable[[Part | None, Sequence[str] | None, bool], Examples]


@dataclass(frozen=True)
class Given:
    """What ``for_training`` found: the pictures that train, those that judge, and lines worth showing to people."""

    train: Examples
    validation: Examples
    warnings: tuple[str, ...] = ()


def for_training(data: str, val: str | None = None, task: Task = "multiclass", seed: int = 0) -> Given:
    """The pictures that train and those that judge: of ``val``, else of the data's own validation part, else a tenth.

    Data is the name of a form (``form_of``). That tenth is drawn by ``seed``. Raises ValueError, one line, for what is
    not there, has another layout, or does not fit the task.
    """
    form = form_of(data, task)
    train = form.read(_part(form, data, "train"), None, True)
    if val is not None:
        other = form_of(val, task)
        return _given(train, other.read(_part(other, val, "validation"), train.classes, False))
    if "validation" in form.parts:
        return _given(train, form.read("validation", train.classes, False))
    return Given(*divide(train, HELD_OUT, seed), _warnings(train))


def for_evaluation(data: str, split: Part | None = None, task: Task = "multiclass") -> Examples:
    """The pictures to measure a model on: a part of the data, which data without parts is as a whole.

    Raises ValueError, one line, as ``for_training`` does, for a part that the data does not have, and for data with
    parts when none is named.
    """
    form = form_of(data, task)
    if split is None:
        if form.parts:
            raise ValueError(f"{data}: has the parts {' and '.join(form.parts)}; say which with --split")
        return form.read(None, None, False)
    return form.read(_part(form, data, split), None, False)


def every_part(data: str, task: Task = "multiclass") -> dict[str, Examples]:
    """All parts by name, "train" first; of data without parts, all of it as "train". Raises as ``for_training``."""
    form = form_of(data, task)
    train = form.read(_part(form, data, "train"), None, True)
    rest = {part: form.read(part, train.classes, False) for part in form.parts if part != "train"}
    return {"train": train, **rest}


def form_of(data: str, task: Task = "multiclass") -> Form:
    """The form of the data that a text names.

    A path is that of a folder with one sub-folder a class, or with parts that have them; of ImageNet as it is unpacked
    (``is_imagenet``); of WebDataset shards, their folder, or a folder of parts; or of a list (.csv). NAME:FOLDER is a
    published data set (``DATASETS``), ImageNet, Fashion-MNIST or ELPV; the last two may do without a folder.
    """
    name, colon, where = data.partition(":")
    if name in _SETS and (colon or name in _INSTALLED):
        return _of_set(name, where, task)
    path = Path(data)
    if path.suffix == ".csv":
        return Form((), lambda part, classes, trainable: listed(path, task, classes, trainable=trainable))
    if name in _SETS and not path.exists():
        raise ValueError(f"{data}: no such folder; of the data set, say where it lies: {name}:FOLDER")
    require_multiclass(data, task)
    if path.suffix == ".tar" or has_shards(path):
        return Form((), lambda part, classes, trainable: shards(path, classes, trainable=trainable))
    if is_imagenet(path):
        return _ilsvrc(path)
    found = places(path)
    read = shards if found and all(map(has_shards, found.values())) else folder

    def part_of(part: Part | None, classes: Sequence[str] | None, trainable: bool) -> Examples:
        examples = read(path if part is None else found[part], classes, trainable=trainable)
        return replace(examples, warnings=left_aside(path)) if part == "train" else examples

    return Form(tuple(part for part in _PARTS if part in found), part_of)


def require_multiclass(data: str, task: Task) -> None:
    """Raise ValueError, one line, for a task that the data has no labels for."""
    require_choice(task, get_args(Task), "task")
    if task != "multiclass":
        raise ValueError(f"{data}: has one class a picture, no labels for {task}; give a .csv of paths and labels")


_INSTALLED = ("fashion_mnist", "elpv")  # found where their packages put them
_SETS = (*_INSTALLED, "imagenet", *DATASETS)


def _of_set(name: str, where: str, task: Task) -> Form:
    if name == "elpv":
        require_choice(task, ("multiclass", "regression"), "task")
        return Form((), lambda part, classes, trainable: elpv(where or None, task))
    require_multiclass(name, task)
    if name == "fashion_mnist":
        read = partial(fashion_mnist, where or FASHION_MNIST)
        return Form(("train", "test"), lambda part, classes, trainable: read(part or "train"))
    if not where:
        raise ValueError(f"{name}: say where the data set lies: {name}:FOLDER")
    if name == "imagenet":
        return _ilsvrc(Path(where))
    halves = "validation" in DATASETS[name].splits
    parts: tuple[Part, ...] = _PARTS if halves else ("train", "test")

    def part_of(part: Part | None, classes: Sequence[str] | None, trainable: bool) -> Examples:
        return published(name, where, "fit" if halves and part == "train" else part or "train")

    return Form(parts, part_of)


def _ilsvrc(root: Path) -> Form:
    """ImageNet: what judges is the part of train/ that the paper held out, and val/ is its test."""
    return Form(_PARTS, lambda part, classes, trainable: imagenet(root, _MINIVAL[part or "train"]))


def _part(form: Form, data: str, part: Part) -> Part | None:
    """The part to read, None for all of data without parts."""
    if not form.parts or part in form.parts:
        return part if form.parts else None
    raise ValueError(f"{data}: holds {' and '.join(form.parts)} but no {part} pictures; name data that has them")


def _given(train: Examples, validation: Examples) -> Given:
    return Given(train, validation, (*_warnings(train), *_warnings(validation)))


def _warnings(examples: Examples) -> tuple[str, ...]:
    return getattr(examples, "warnings", ())
