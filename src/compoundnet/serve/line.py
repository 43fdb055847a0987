"""Two stages of threads: a few read pictures, one runs the model on those that are read, several at once.

The event loop is woken when answers are there; handing every stage back to it costs a small network a tenth of its
rate.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .limits import RequestError
from .reading import Picture, Pixels

# To wake the event loop costs about what answering costs. While the next run is ready and is no longer than this, the
# answers of two go back together.
_BRIEF_SECONDS = 0.01

Runner: TypeAlias = Callable[[Pixels], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Model:
    """What runs pictures (N x 3 x H x W in, N rows out), at most ``batch`` of them at once."""

    run: Runner
    batch: int = 1


@dataclass(frozen=True)
class Ran:
    """A picture, its row of the model's output, the milliseconds it waited and ran, and how many ran together."""

    picture: Picture
    row: NDArray[np.float32]
    wait_ms: float
    infer_ms: float
    batch: int


@dataclass(frozen=True, eq=False)
class _Job:
    read: Callable[[], Picture]
    model: Model
    answer: asyncio.Future[Ran]


@dataclass(frozen=True, eq=False)
class _Ready:
    job: _Job
    picture: Picture
    since: float


_Outcome: TypeAlias = tuple[_Job, Ran | RequestError]


class Line:
    """Pictures in the order they came: read by ``readers`` threads, run by one.

    A picture that is read waits at most ``wait_ms`` for others, and only while others are being read. No more
    than ``ahead`` pictures are read before the model can take them: reading more would take its processor time.
    Who fills the line bounds its length.
    """

    def __init__(self, readers: int, wait_ms: float, ahead: int) -> None:
        self._readers, self._wait_ms, self._ahead = readers, wait_ms, ahead
        self._lock = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self._read = threading.Condition(self._lock)
        self._unread: deque[_Job] = deque()
        self._ready: deque[_Ready] = deque()
        self._reading = 0
        self._open = False

    @contextmanager
    def at_work(self) -> Generator[None]:
        """The threads at work for the running event loop; at the end they are let go, and who waits is told so."""
        loop, self._open = asyncio.get_running_loop(), True
        works = [*[self._read_all] * self._readers, self._run_all]
        # Daemons, so that a second Ctrl-C need not wait for a long run of the model.
        threads = [threading.Thread(target=work, args=[loop], daemon=True) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._open = False
                self._asked.notify_all()
                self._read.notify_all()
            for thread in threads:
                thread.join()
            left = [*(ready.job for ready in self._ready), *self._unread]
            self._ready.clear()
            self._unread.clear()
            _settle([(job, _stopping()) for job in left])

    async def __call__(self, read: Callable[[], Picture], model: Model) -> Ran:
        """What ``read`` gives, run on the model.

        Raises what ``read`` raises; RequestError 500 when the model fails, 503 when nobody is at work (any more).
        """
        job = _Job(read, model, asyncio.get_running_loop().create_future())
        with self._lock:
            if not self._open:
                raise _stopping()
            self._unread.append(job)
            self._asked.notify()
        try:
            return await job.answer
        finally:
            # What was raised holds this frame, pictures and all. If the frame held it too, by the job, both would stay
            # until Python next looks for such circles: hundreds of megabytes later, when many bad pictures come.
            del job

    def _read_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._next_unread()) is not None:
            try:
                ready = _Ready(job, job.read(), time.perf_counter())
            except Exception as error:  # whatever a picture leads its reader to goes to the one who sent it
                self._let_pass(None)
                hand_back(loop, [(job, _failure("reading the picture failed", error))])
            else:
                self._let_pass(ready)

    def _next_unread(self) -> _Job | None:
        with self._lock:
            while self._open and (not self._unread or len(self._ready) >= self._ahead):
                self._asked.wait()
            if not self._open:
                return None
            self._reading += 1
            return self._unread.popleft()

    def _let_pass(self, ready: _Ready | None) -> None:
        with self._lock:
            self._reading -= 1
            if ready is not None:
                self._ready.append(ready)
            self._read.notify()

    def _run_all(self, loop: asyncio.AbstractEventLoop) -> None:
        held: list[_Outcome] = []
        while batch := self._next_batch():
            start = time.perf_counter()
            outcomes = _outcomes(batch)
            brief = time.perf_counter() - start < _BRIEF_SECONDS
            if brief and not held and self._same_follows(batch[0].job.model):
                held = outcomes
                continue
            hand_back(loop, held + outcomes)
            held = []
        hand_back(loop, held)

    def _same_follows(self, model: Model) -> bool:
        """Whether the next run is one like the last, and begins at once: one picture waits for no others."""
        with self._lock:
            return model.batch == 1 and bool(self._ready) and self._ready[0].job.model is model

    def _next_batch(self) -> Sequence[_Ready]:
        """The next pictures for one model: those that are ready, and those that come within the bound."""
        with self._lock:
            while self._open and not self._ready:
                self._read.wait()
            if not self._open:
                return ()
            first = self._ready[0]
            model, until = first.job.model, first.since + self._wait_ms / 1e3
            while self._others_come(model) and (left := until - time.perf_counter()) > 0:
                self._read.wait(left)
            batch = [self._ready.popleft()]
            while len(batch) < model.batch and self._ready and self._ready[0].job.model is model:
                batch.append(self._ready.popleft())
            self._asked.notify(len(batch))
            return batch

    def _others_come(self, model: Model) -> bool:
        return self._open and len(self._ready) < model.batch and bool(self._reading or self._unread)


def _outcomes(batch: Sequence[_Ready]) -> list[_Outcome]:
    try:
        return _ran(batch)
    except Exception as error:  # a batch that fails is its pictures' failure, not the server's
        failure = _failure("the model failed", error)
        return [(ready.job, failure) for ready in batch]


def _ran(batch: Sequence[_Ready]) -> list[_Outcome]:
    start = time.perf_counter()
    each = [ready.picture.pixels for ready in batch]
    rows = batch[0].job.model.run(each[0][None] if len(each) == 1 else np.stack(each))
    infer_ms = 1e3 * (time.perf_counter() - start)
    if len(rows) != len(batch):
        raise ValueError(f"{len(rows)} rows for {len(batch)} pictures")
    return [
        (ready.job, Ran(ready.picture, row, 1e3 * (start - ready.since), infer_ms, len(batch)))
        for ready, row in zip(batch, rows, strict=True)
    ]


def _failure(what: str, error: Exception) -> RequestError:
    if isinstance(error, RequestError):
        return error
    return RequestError(500, f"{what}: {type(error).__name__}: {' '.join(str(error).split()):.200}")


def _stopping() -> RequestError:
    return RequestError(503, "the server is starting or stopping; try again later")


def hand_back(loop: asyncio.AbstractEventLoop, outcomes: Sequence[_Outcome]) -> None:
    """Give the outcomes to those who wait for them, in the event loop's thread."""
    if outcomes and not loop.is_closed():
        loop.call_soon_threadsafe(_settle, outcomes)


def _settle(outcomes: Sequence[_Outcome]) -> None:
    for job, outcome in outcomes:
        if job.answer.done():  # nobody waits any more
            continue
        if isinstance(outcome, RequestError):
            job.answer.set_exception(outcome)
        else:
            job.answer.set_result(outcome)
