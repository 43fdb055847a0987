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
from .joining import Joined, warnings_of
from .listing import listed
from .papers import DATASETS, published
from .sharding import has_shards, shards
from .splitting import split as divide
from .splitting import subset

Part: TypeAlias = Literal["train", "validation", "test"]
FitOn: TypeAlias = Literal["train", "trainval"]
HELD_OUT = 0.1  # of the pictures, where nothing else judges
_PARTS: tuple[Part, ...] = get_args(Part)
_PACKED = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip", ".7z")
_MINIVAL = MappingProxyType({"train": "train", "validation": "minival", "test": "test"})


@dataclass(frozen=True)
class Form:
    """Data of one form: the parts that it has, none when it is one whole, and what reads a part (None: the whole).

    ``read`` takes the part, the classes that are fixed already or None, and whether one can train on it or need not.
    ``trainval`` reads training and validation together where the data has that as a part of its own.
    """

    parts: tuple[Part, ...]
    read: Callable[[Part | None, Sequence[str] | None, bool], Examples]
    trainval: Callable[[], Examples] | None = None


@dataclass(frozen=True)
class Given:
    """What ``for_training`` found: the pictures that train, those that judge, and lines worth showing to people."""

    train: Examples
    validation: Examples
    warnings: tuple[str, ...] = ()


def for_training(
    data: str,
    val: str | None = None,
    task: Task = "multiclass",
    seed: int = 0,
    *,
    fit_on: FitOn = "train",
    test_judges: bool = False,
) -> Given:
    """The pictures that train and those that judge: of ``val``, else of the data's own validation part, else a tenth.

    Data is the name of a form (``form_of``). That tenth is drawn by ``seed``. With ``fit_on`` "trainval" everything but
    the test part trains, and without ``val`` none judge: the validation is empty. Raises ValueError, one line, for what
    is not there, has another layout, or does not fit the task, and for ImageNet's val/ as ``val``, which is its test
    set, unless ``test_judges``.
    """
    require_choice(fit_on, get_args(FitOn), "fit_on")
    form = form_of(data, task)
    if fit_on == "train":
        train, validation = _judged(form, data, val, task, test_judges)
    else:
        train = _trainval(form, data)
        validation = subset(train, []) if val is None else _judges(val, train, test_judges)
    if validation is None:
        return Given(*divide(train, HELD_OUT, seed), warnings_of(train))
    return Given(train, validation, (*warnings_of(train), *warnings_of(validation)))


def for_transfer(
    data: str, val: str | None = None, task: Task = "multiclass", *, test_judges: bool = False
) -> tuple[Examples, Examples | None]:
    """The pictures that train, and those that judge: of ``val``, else of the data's own validation part, else None.

    Data is as for ``for_training``, and so is what is raised.
    """
    return _judged(form_of(data, task), data, val, task, test_judges)


def _judged(form: Form, data: str, val: str | None, task: Task, test_judges: bool) -> tuple[Examples, Examples | None]:
    train = form.read(_part(form, data, "train"), None, True)
    if val is not None:
        return train, _judges(val, train, test_judges)
    return train, form.read("validation", train.classes, False) if "validation" in form.parts else None


def _judges(val: str, train: Examples, test_judges: bool) -> Examples:
    """The pictures of other data that judge. Raises ValueError, one line, for those that only test, unless they may."""
    root = next((path.parent for path in (Path(val).absolute(), Path(val).resolve()) if _is_test(path)), None)
    if root is not None and not test_judges:
        remedy = f"leave --val out with --data {root}, so that a part of train/ judges, or allow it with --test-judges"
        raise ValueError(f"{val}: is ImageNet's test set, by which nothing is chosen; {remedy}")
    form = form_of(val, train.task)
    return form.read(_part(form, val, "validation"), train.classes, False)


def _is_test(path: Path) -> bool:
    """Whether a path is val/ of ImageNet as it is unpacked."""
    return path.name == "val" and path.is_dir() and is_imagenet(path.parent)


def _trainval(form: Form, data: str) -> Examples:
    """Everything but the test part."""
    if form.trainval is not None:
        return form.trainval()
    train = form.read(_part(form, data, "train"), None, True)
    return Joined(train, form.read("validation", train.classes, False)) if "validation" in form.parts else train


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
    if path.suffix.lower() in _PACKED and path.is_file():
        raise ValueError(f"{data}: is packed, so no picture can be read from its place; unpack it and name the folder")
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

    return Form(parts, part_of, lambda: published(name, where, "train"))


def _ilsvrc(root: Path) -> Form:
    """ImageNet: what judges is the part of train/ that the paper held out, and val/ is its test."""
    return Form(
        _PARTS,
        lambda part, classes, trainable: imagenet(root, _MINIVAL[part or "train"]),
        partial(imagenet, root, "trainval"),
    )


def _part(form: Form, data: str, part: Part) -> Part | None:
    """The part to read, None for all of data without parts."""
    if not form.parts or part in form.parts:
        return part if form.parts else None
    raise ValueError(f"{data}: holds {' and '.join(form.parts)} but no {part} pictures; name data that has them")
