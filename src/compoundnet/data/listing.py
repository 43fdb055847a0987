"""Listing: a CSV file of pictures and what is known of each."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compoundnet.schema import counted, near, shown

from .examples import Labels, Task
from .files import Files, class_counts, require_trainable

SEPARATOR = ";"  # between several labels, or several numbers, of one picture


@dataclass(frozen=True)
class _Row:
    where: str
    path: str
    label: str

    @property
    def labels(self) -> list[str]:
        return [part.strip() for part in self.label.split(SEPARATOR) if part.strip()]


def listed(
    file: str | Path,
    task: Task = "multiclass",
    classes: Sequence[str] | None = None,
    root: str | Path | None = None,
    *,
    trainable: bool = True,
) -> Files:
    """The pictures of a CSV file with columns path and label; paths are below ``root``, by default the file's folder.

    A label is one class for "multiclass", any number of classes separated by ";" for "multilabel" (none is possible),
    and one or more numbers separated by ";" for "regression". ``classes`` are the names in their order, by default all
    labels, sorted; for "regression" the targets' names. Raises ValueError, one line, with the line's number, for a
    missing column, an empty path or label, one that is not in ``classes`` (with near names), a number that is none,
    and for what ``folder`` refuses too; ``trainable`` is as there.
    """
    path = Path(file)
    rows = list(_rows(path))
    if not rows:
        raise ValueError(f"{path}: no pictures; expected a line 'path,label' and then one line for each picture")
    where = path.parent if root is None else Path(root)
    paths = tuple(row.path for row in rows)
    if task == "regression":
        values, names = _numbers(rows, classes)
        return Files(where, paths, values, names, task)
    labels, names = _indices(rows, classes) if task == "multiclass" else _marks(rows, classes)
    if trainable:
        require_trainable(str(path), dict(zip(names, class_counts(labels, len(names)), strict=True)))
    return Files(where, paths, labels, names, task)


def _rows(path: Path) -> Iterator[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [name.strip().lower() for name in reader.fieldnames or ()]
            for name in ("path", "label"):
                if name not in columns:
                    found = ", ".join(map(shown, columns)) or "nothing"
                    raise ValueError(f"{path}: no column {name!r} in its first line, which has {found}; name it so")
            reader.fieldnames = columns
            for row in reader:
                yield _row(f"{path}, line {reader.line_num}", row)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); name a CSV file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: no CSV file in UTF-8 ({error}); save it as such") from None


def _row(where: str, row: dict[str, str]) -> _Row:
    if row.get("path") is None or row.get("label") is None:
        raise ValueError(f"{where}: fewer cells than the first line; expected a path and a label")
    if not (name := row["path"].strip()):
        raise ValueError(f"{where}: the path is empty; name a picture")
    return _Row(where, name, row["label"].strip())


def _indices(rows: Sequence[_Row], classes: Sequence[str] | None) -> tuple[Labels, tuple[str, ...]]:
    for row in rows:
        if not row.label:
            raise ValueError(f"{row.where}: the label is empty; every picture has one class")
    names = tuple(sorted({row.label for row in rows}) if classes is None else classes)
    places = {name: index for index, name in enumerate(names)}
    return np.array([_place(row.label, places, row.where) for row in rows], np.int64), names


def _marks(rows: Sequence[_Row], classes: Sequence[str] | None) -> tuple[Labels, tuple[str, ...]]:
    names = tuple(sorted({label for row in rows for label in row.labels}) if classes is None else classes)
    places = {name: index for index, name in enumerate(names)}
    marks = np.zeros((len(rows), len(names)), np.float32)
    for index, row in enumerate(rows):
        marks[index, [_place(label, places, row.where) for label in row.labels]] = 1
    return marks, names


def _place(label: str, places: dict[str, int], where: str) -> int:
    if label not in places:
        raise ValueError(f"{where}: the label {shown(label)} is no class; {near(label, places)}")
    return places[label]


def _numbers(rows: Sequence[_Row], targets: Sequence[str] | None) -> tuple[Labels, tuple[str, ...]]:
    count = len(rows[0].labels) if targets is None else len(targets)
    values = np.empty((len(rows), count), np.float32)
    for index, row in enumerate(rows):
        if len(row.labels) != count or not count:
            numbers = counted(len(row.labels), "number")
            raise ValueError(f"{row.where}: {numbers} where others have {count}; give as many everywhere")
        for place, text in enumerate(row.labels):
            values[index, place] = _number(text, row.where)
    numbered = ("value",) if count == 1 else tuple(f"value {place}" for place in range(count))
    return values, numbered if targets is None else tuple(targets)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(np.float32(value)):
        raise ValueError(f"{where}: the label {shown(text)} is no finite number; regression needs one")
    return value
