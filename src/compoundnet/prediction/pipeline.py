"""The pipeline: every worker decodes, prepares and runs pictures of its own; answers come in order.

On a CPU one picture at a time on each core is as fast as it gets: while one worker decodes another
computes, nobody waits for a batch, and maps stay in the core's cache. Workers are threads: Pillow, NumPy
and the engines let go of the interpreter while they work.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from compoundnet.images import ImageError, read
from compoundnet.schema import near, require, require_count, shown

from .answers import Prediction, best, probabilities
from .entries import Entry, expand

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compoundnet.modules import ConvNet
    from compoundnet.weights import Pretrained

    Pixels: TypeAlias = NDArray[np.float32]
    Batch: TypeAlias = Callable[[Sequence[Pixels]], NDArray[Any]]

T = TypeVar("T")
R = TypeVar("R")
BATCHES = (1, 8)  # what is tried where the batch is left open
_DEVICE_BATCH = 32  # on a device other than the CPU, where small batches leave it idle
_AHEAD = 32  # answers for each worker that may wait for their turn


@dataclass(frozen=True)
class Plan:
    """How pictures will be predicted: ``workers`` threads, each running ``batch`` pictures at once.

    ``engine`` is a name in ``ENGINES``, or "model": the PyTorch model as it is, where it is. Every call
    computes on ``threads`` threads.
    """

    engine: str
    batch: int
    workers: int
    threads: int
    run: "Batch" = field(repr=False)

    def __str__(self) -> str:
        return f"{self.engine}, {_counted(self.workers, 'worker')}, {_counted(self.batch, 'picture')} at once"


def predict(
    paths: str | Path | Iterable[str | Path],
    pretrained: "Pretrained",
    *,
    top: int = 5,
    batch: int | None = None,
    workers: int | None = None,
    engine: str | None = None,
    exact: bool = False,
    on_done: Callable[[int, int], None] | None = None,
) -> list[Prediction]:
    """The ``top`` classes (fewer if the model has fewer) of every picture, in the order of ``expand(paths)``.

    ``batch`` pictures go through the model at once in each of ``workers`` threads (default: one a core),
    on ``engine``: a name in ``ENGINES``, "auto" for the fastest here, None or "model" for the model as it is. None of
    these changes the answer beyond float noise. ``exact`` is explained at ``images.read``.
    ``on_done(done, total)`` is called after every picture. The model is put in eval mode.
    Raises FieldError for counts below 1, for a model that does not take 3 channels, and for a record
    whose class names are of another number than the model's outputs; ValueError for an unknown engine.

    >>> from compoundnet.weights import load
    >>> predict(["no_such.jpg"], load("efficientnet_lite0"))[0].error
    'no_such.jpg: no such file; check the path'
    """
    given = {"top": top, "batch": batch, "workers": workers, "engine": engine, "exact": exact, "on_done": on_done}
    return list(predictions(paths, pretrained, **given))


def predictions(
    paths: str | Path | Iterable[str | Path],
    pretrained: "Pretrained",
    *,
    top: int = 5,
    batch: int | None = None,
    workers: int | None = None,
    engine: str | None = None,
    exact: bool = False,
    on_done: Callable[[int, int], None] | None = None,
) -> Iterator[Prediction]:
    """``predict``, one answer after the other as they are ready: for more pictures than answers fit in memory."""
    require_count(top, "top")
    entries = expand(paths)
    planned = plan(pretrained, batch=batch, workers=workers, engine=engine, pictures=len(entries))
    return _told(answered(entries, pretrained, planned, top=top, exact=exact), len(entries), on_done)


def plan(
    pretrained: "Pretrained",
    *,
    batch: int | None = None,
    workers: int | None = None,
    engine: str | None = None,
    pictures: int | None = None,
) -> Plan:
    """How to predict ``pictures`` pictures (None: many); what is left open is chosen, by clocking for "auto".

    "auto" clocks every installed engine with all workers at once, at each of BATCHES, and remembers the
    fastest in pictures a second. A model on another device than the CPU is run as it is. Raises as ``predict`` does.
    """
    engine = None if engine == "model" else engine
    require_possible(pretrained, None if engine == "auto" else engine)
    model, count = pretrained.model.eval(), usable_cores()
    device = next(model.parameters()).device.type
    for value, name in ((batch, "batch"), (workers, "workers")):
        if value is not None:
            require_count(value, name)
    if device != "cpu":
        require(engine in (None, "auto"), "engine", f"{engine!r} runs on the CPU, the model is on {device!r}; move it")
        engine, batch = None, batch or _DEVICE_BATCH
    workers = workers or count
    if pictures is not None:
        workers = max(1, min(workers, math.ceil(pictures / (batch or 1))))
    threads = max(1, count // workers)
    if engine is None:
        return Plan("model", batch or 1, workers, threads, partial(_as_is, model))
    return _on_engine(pretrained, engine, batch, workers, threads)


def answered(
    entries: Sequence[Entry], pretrained: "Pretrained", planned: Plan, *, top: int = 5, exact: bool = False
) -> Iterator[Prediction]:
    """The answers to ``entries``, in their order; at most some dozens of answers for each worker wait in memory."""
    return worked(entries, planned, partial(_answers, pretrained=pretrained, run=planned.run, top=top, exact=exact))


def worked(items: Sequence[T], planned: Plan, work: Callable[[Sequence[T]], list[R]]) -> Iterator[R]:
    """What ``work`` makes of the items, ``planned.batch`` at a time on ``planned.workers`` threads, in their order."""
    import torch

    # A thread's first call of PyTorch sets how many threads its calls compute on.
    before, start = torch.get_num_threads(), partial(torch.set_num_threads, planned.threads)
    pool = ThreadPoolExecutor(planned.workers, thread_name_prefix="predict", initializer=start)
    waiting: deque[Future[list[R]]] = deque()
    most = planned.workers * max(2, _AHEAD // planned.batch)
    try:
        for index in range(0, len(items), planned.batch):
            if len(waiting) == most:
                yield from waiting.popleft().result()
            waiting.append(pool.submit(work, items[index : index + planned.batch]))
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _told(
    answers: Iterator[Prediction], total: int, on_done: Callable[[int, int], None] | None
) -> Iterator[Prediction]:
    for done, answer in enumerate(answers, 1):
        yield answer
        if on_done is not None:
            on_done(done, total)


def require_possible(pretrained: "Pretrained", engine: str | None = None) -> None:
    """Raise as ``predict`` does for a model that it cannot run, and for an engine that is not there."""
    require(hasattr(pretrained, "weights"), "pretrained", f"{shown(pretrained)} is not what load() returns")
    network, named = pretrained.model.network, len(pretrained.weights.classes)
    remedy = "load with classes=, or replace the record's classes"
    problem = f"the record names {named} classes, the model has {network.classes}; {remedy}"
    require(named in (0, network.classes), "classes", problem)
    channels = network.in_channels
    require(channels == 3, "in_channels", f"the model takes {channels} channels; pictures have 3")
    if engine is not None:
        from compoundnet.engines.table import ENGINES, known, lacking

        if engine not in ENGINES:
            raise ValueError(f"unknown engine {engine!r}; {near(engine, [*ENGINES, 'auto', 'model'])}")
        if (problem := lacking(known(engine))) is not None:
            raise ValueError(problem)


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _on_engine(pretrained: "Pretrained", engine: str, batch: int | None, workers: int, threads: int) -> Plan:
    from compoundnet.engines import Setting, choose, prepare

    def setting(pictures: int) -> Setting:
        size = pretrained.weights.preprocess.size
        return Setting(size=size, batch=pictures, threads=threads, streams=workers)

    if engine == "auto":
        tried = [setting(pictures) for pictures in (BATCHES if batch is None else (batch,))]
        choices = {each: choose(pretrained.model, each) for each in tried}
        ms = {each: choice.ms[choice.engine] / each.batch for each, choice in choices.items()}
        fastest = min(tried, key=lambda each: ms[each])
        engine, batch = choices[fastest].engine, fastest.batch
    prepared = prepare(pretrained.model, setting(batch or 1), engine)
    return Plan(engine, batch or 1, workers, threads, partial(_padded, prepared))


def _as_is(model: "ConvNet", pixels: "Sequence[Pixels]") -> "NDArray[Any]":
    import numpy as np
    import torch

    weight = next(model.parameters())
    with torch.inference_mode():
        x_NCHW = torch.from_numpy(np.stack(pixels)).to(weight.device, weight.dtype)
        return model(x_NCHW).double().cpu().numpy()


def _padded(prepared: Any, pixels: "Sequence[Pixels]") -> "NDArray[Any]":
    """A run on an engine that takes a fixed number of pictures: what is missing is black and thrown away."""
    import numpy as np

    x_NCHW = np.zeros(prepared.shape, np.float32)
    for place, picture in zip(x_NCHW, pixels, strict=False):
        place[:] = picture
    return prepared(x_NCHW)[: len(pixels)]


def _answers(
    entries: Sequence[Entry], *, pretrained: "Pretrained", run: "Batch", top: int, exact: bool
) -> list[Prediction]:
    """One worker's turn: decode, run, answer."""
    weights = pretrained.weights
    decoded = [_pixels(entry, weights.preprocess, exact) for entry in entries]
    good = [pixels for pixels in decoded if not isinstance(pixels, str)]
    rows = iter(probabilities(run(good)) if good else ())
    return [
        Prediction(entry.path, error=pixels)
        if isinstance(pixels, str)
        else best(entry.path, next(rows), weights.classes, top)
        for entry, pixels in zip(entries, decoded, strict=True)
    ]


def _pixels(entry: Entry, preprocess: Any, exact: bool) -> "Pixels | str":
    """The network's input for an entry, or what is wrong with it."""
    if entry.error is not None:
        return entry.error
    try:
        return read(entry.path, preprocess, exact=exact)
    except ImageError as error:
        return str(error)
