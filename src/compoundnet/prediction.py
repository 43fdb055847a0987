"""Predictions: picture files in, the most probable classes out, in the order given.

Pictures are decoded ahead of the model by a few threads; never more than a few batches are in
memory. A picture that cannot be read becomes a prediction with an ``error``.
"""

import glob
import itertools
import math
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .images import ImageError, read
from .schema import encode, require, require_count, shown

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from .weights import Pretrained

    Pixels: TypeAlias = NDArray[np.float32]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif"})
_THREADS = 4


@dataclass(frozen=True)
class Label:
    """A class the model considered: its name (its index as text where the weights name none)."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one picture, best first; or none, and an ``error`` of one line."""

    path: str
    top: tuple[Label, ...] = ()
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of ``compoundnet predict --json``: path, top (label, index, probability), error."""
        return {"path": self.path, "top": encode(self.top), "error": self.error}


@dataclass(frozen=True)
class Entry:
    """A file to predict, or what was named and why there is nothing to predict."""

    path: str
    error: str | None = None


def predict(
    paths: str | Path | Iterable[str | Path],
    pretrained: "Pretrained",
    *,
    top: int = 5,
    batch: int = 8,
    threads: int | None = None,
    exact: bool = False,
    on_done: Callable[[int, int], None] | None = None,
) -> list[Prediction]:
    """The ``top`` classes (fewer if the model has fewer) of every picture, in the order of ``expand(paths)``.

    ``batch`` pictures go through the model at once, decoded by ``threads`` threads (default: one a
    core, at most 4); neither changes the answer beyond float noise. ``exact`` is explained at
    ``images.read``. ``on_done(done, total)`` is called after every batch. The model is put in eval mode.
    Raises FieldError for counts below 1, for a model that does not take 3 channels, and for a record
    whose class names are of another number than the model's outputs.

    >>> from compoundnet.weights import load
    >>> predict(["no_such.jpg"], load("efficientnet_lite0"))[0].error
    'no_such.jpg: no such file; check the path'
    """
    require_count(top, "top")
    require_count(batch, "batch")
    threads = min(_THREADS, os.cpu_count() or 1) if threads is None else threads
    require_count(threads, "threads")
    require(hasattr(pretrained, "weights"), "pretrained", f"{shown(pretrained)} is not what load() returns")
    outputs, named = pretrained.model.network.classes, len(pretrained.weights.classes)
    remedy = "load with classes=, or replace the record's classes"
    require(named in (0, outputs), "classes", f"the record names {named} classes, the model has {outputs}; {remedy}")
    channels = pretrained.model.network.in_channels
    require(channels == 3, "in_channels", f"the model takes {channels} channels; pictures have 3")
    entries = expand(paths)
    decode = partial(_pixels, preprocess=pretrained.weights.preprocess, exact=exact)
    done: list[Prediction] = []
    for decoded in _batches(_ahead(entries, decode, threads, 2 * batch), batch):
        done += _answers(decoded, pretrained, top)
        if on_done is not None:
            on_done(len(done), len(entries))
    return done


def expand(paths: str | Path | Iterable[str | Path]) -> list[Entry]:
    """Files as they are, folders and globs as the files they hold; duplicates stay.

    A folder gives every file below it with a picture's suffix, hidden ones left out, a glob every file
    it matches; both in natural order (img2 before img10). What gives nothing is an entry with an error.
    """
    each = [paths] if isinstance(paths, str | Path) else paths
    return [entry for path in each for entry in _expand(str(path))]


def _expand(path: str) -> list[Entry]:
    try:
        if Path(path).is_dir():
            return _folder(path)
        if not os.path.lexists(path) and glob.has_magic(path):
            found = [name for name in glob.glob(path, recursive=True) if Path(name).is_file()]  # noqa: PTH207 (Path.glob takes no absolute pattern)
            return [Entry(name) for name in _sorted(found)] or [Entry(path, f"{path}: no file matches; check the glob")]
    except (OSError, ValueError):
        pass  # what is wrong with it is said when it is read
    return [Entry(path)]


def _folder(path: str) -> list[Entry]:
    found: list[str] = []
    failed: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=failed.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        pictures = (name for name in names if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES)
        found += [str(Path(folder, name)) for name in pictures]
    entries = [Entry(name) for name in _sorted(found)]
    entries += [Entry(str(e.filename), f"{e.filename}: cannot be listed ({e.strerror}); skipped") for e in failed]
    return entries or [Entry(path, f"{path}: no picture in this folder; it needs files such as .jpg or .png")]


def _sorted(names: Sequence[str]) -> list[str]:
    """Numbers inside names count as numbers; folders stay together."""
    return sorted(names, key=lambda name: [_natural(part) for part in Path(name).parts])


def _natural(text: str) -> list[tuple[int, str]]:
    # re.split with a group: text, digits, text, ...; pairs keep numbers and text comparable.
    parts = re.split(r"([0-9]+)", text.lower())
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]


def _pixels(entry: Entry, preprocess: Any, exact: bool) -> "tuple[Entry, Pixels | None]":
    """The network's input for an entry, or the entry with what is wrong."""
    if entry.error is not None:
        return entry, None
    try:
        return entry, read(entry.path, preprocess, exact=exact)
    except ImageError as error:
        return Entry(entry.path, str(error)), None


def _ahead(
    entries: Sequence[Entry], decode: "Callable[[Entry], tuple[Entry, Pixels | None]]", threads: int, ahead: int
) -> "Iterator[tuple[Entry, Pixels | None]]":
    """Decoded entries in order, at most ``ahead`` of them waiting."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
    waiting: deque[Future[tuple[Entry, Pixels | None]]] = deque()
    try:
        for entry in entries:
            if len(waiting) == ahead:
                yield waiting.popleft().result()
            waiting.append(pool.submit(decode, entry))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(
    decoded: "Iterator[tuple[Entry, Pixels | None]]", batch: int
) -> "Iterator[list[tuple[Entry, Pixels | None]]]":
    """Runs of ``batch`` entries; the last may be shorter."""
    while run := list(itertools.islice(decoded, batch)):
        yield run


def _answers(decoded: "list[tuple[Entry, Pixels | None]]", pretrained: "Pretrained", top: int) -> list[Prediction]:
    import numpy as np
    import torch

    arrays = [pixels for _, pixels in decoded if pixels is not None]
    answers: Iterator[list[float]] = iter(())
    if arrays:
        model = pretrained.model.eval()
        weight = next(model.parameters())
        x_NCHW = torch.from_numpy(np.stack(arrays)).to(weight.device, weight.dtype)
        with torch.inference_mode():
            answers = iter(probabilities(model(x_NCHW)))
    return [
        Prediction(entry.path, error=entry.error)
        if pixels is None
        else best(entry.path, next(answers), pretrained.weights.classes, top)
        for entry, pixels in decoded
    ]


def probabilities(logits_NK: "torch.Tensor") -> list[list[float]]:
    """The softmax of each row, in double precision."""
    return logits_NK.double().softmax(dim=1).tolist()


def best(path: str, probabilities: list[float], classes: tuple[str, ...], top: int) -> Prediction:
    """The ``top`` classes of one picture's probabilities; an error where they are not numbers."""
    if not all(map(math.isfinite, probabilities)):
        return Prediction(path, error=f"{path}: the model's answer is not a number; check the weights")
    order = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])[:top]
    return Prediction(path, tuple(Label(classes[i] if classes else str(i), i, probabilities[i]) for i in order))
