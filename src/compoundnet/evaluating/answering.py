"""Answering: what turns pictures into scores, a model in memory or an exported file on its own engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compoundnet.data import Examples, Pictures
from compoundnet.export import Record, opened
from compoundnet.images import ImageError
from compoundnet.prediction import Plan, plan, usable_cores
from compoundnet.schema import require, require_count
from compoundnet.weights import Pretrained, Weights, sha256

if TYPE_CHECKING:
    from compoundnet.export.proof import Run

Row: TypeAlias = "NDArray[np.float32] | str"  # scores, or what is wrong with the picture
Reader: TypeAlias = Callable[[int], NDArray[Any]]


@dataclass(frozen=True)
class Artefact:
    """An exported file, opened: what it is, its weights' record, and the call of its engine."""

    path: Path
    record: Record
    weights: Weights
    run: "Run" = field(repr=False)


def artefact(path: str | Path) -> Artefact:
    """Open a file that ``export`` or ``quantize`` wrote, to be evaluated; its seal is checked.

    Raises ArtefactError, one line, for a file that is absent, damaged or not ours, and FieldError for a network of
    operators that are not known here.
    """
    record, run = opened(path)
    return Artefact(Path(path), record, record.read_weights(), run)


def planned(
    model: Pretrained | Artefact, count: int, batch: int | None, workers: int | None, engine: str | None
) -> Plan:
    """How ``count`` pictures will be answered. An artefact runs on the engine of its format, one call at a time."""
    if isinstance(model, Pretrained):
        return plan(model, batch=batch, workers=workers, engine=engine, pictures=count)
    kind = model.record.options.format
    problem = f"{engine!r}; the file runs on its own engine ({kind}), leave engine out"
    require(engine is None, "engine", problem)
    for value, name in ((batch, "batch"), (workers, "workers")):
        if value is not None:
            require_count(value, name)
    several = model.record.options.dynamic is not None and not model.record.options.include_preprocess
    require(several or batch in (None, 1), "batch", f"{batch}; this file takes one picture at a time")
    cores = usable_cores()
    return Plan(f"{kind} file", batch or 1, workers or cores, cores, partial(_one_call, model.run, Lock()))


def reader(model: Pretrained | Artefact, examples: Examples) -> Reader:
    """What the model is to be given of a picture by its number; it raises ImageError."""
    if isinstance(model, Artefact) and model.record.options.include_preprocess:
        return lambda index: np.array(examples.image(index))
    pictures = Pictures(examples, model.weights.preprocess)
    return lambda index: pictures[index][0].numpy()


def rows(read: Reader, run: Callable[[Sequence[Any]], NDArray[Any]], indexes: Sequence[int]) -> list[Row]:
    """One worker's turn."""
    inputs = [_read(read, index) for index in indexes]
    good = [pixels for pixels in inputs if not isinstance(pixels, str)]
    found = iter(np.asarray(run(good), np.float32) if good else ())
    return [pixels if isinstance(pixels, str) else next(found) for pixels in inputs]


def identity(model: Pretrained | Artefact) -> str:
    """The SHA-256 of the tensors, or of the file."""
    from compoundnet.weights.hashing import tensors_sha256

    return sha256(model.path) if isinstance(model, Artefact) else tensors_sha256(model.model)


def _one_call(run: "Run", lock: Lock, pixels: Sequence[NDArray[Any]]) -> NDArray[Any]:
    images = np.stack(pixels)
    with lock:  # an engine of an exported file computes on all cores, and not every one can be called twice at a time
        return run(images)[0]


def _read(read: Reader, index: int) -> NDArray[Any] | str:
    try:
        return read(index)
    except ImageError as error:
        return str(error)
