"""One worker process: what it is sent, how it is started, and what it does."""

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from .failing import TrialsError, reason
from .job import Job, Limits, Tasks
from .process import myself
from .store import Place
from .working import Why, resumed

_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a worker process is sent."""

    place: Place
    study: str
    identity: dict[str, str]
    job: Job | Tasks
    limits: Limits
    front: Path | None
    rank: int
    core: int | None
    beat: float


@dataclass
class Started:
    """A worker process as its launcher sees it."""

    order: Order
    process: BaseProcess
    pipe: Connection
    name: str = ""  # as its claims have it; it says so when it starts
    why: Why | None = None
    error: str = ""


def started(order: Order) -> Started:
    """Start a process on an order."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(order, there), name=f"worker-{order.rank}", daemon=True)
    with _one_thread():
        process.start()
    there.close()
    return Started(order, process, here)


def _run(order: Order, pipe: Connection) -> None:
    """A worker process. It stops after its trial when it is told to, or when who started it is gone."""
    from .opening import open_store

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; who started us says what it means
    if order.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {order.core})
    place = order.place
    try:
        pipe.send(("name", myself()))
        say: Callable[[str], None] = lambda line: pipe.send(("say", line))  # noqa: E731
        options: dict[str, Any] = {"limits": order.limits, "front": order.front, "rank": order.rank, "beat": order.beat}
        kept = {"spill": place.spill, "patience": place.patience, "operators": place.operators}
        with open_store(place.where, say=say, **kept) as store:
            ended = resumed(store.study(order.study, order.identity), order.job, stop=pipe.poll, **options)
        pipe.send(("ended", (ended.why, ended.recorded)))
    except TrialsError as error:
        pipe.send(("error", str(error)))
    except Exception as error:
        pipe.send(("error", reason(error)))
        raise SystemExit(1) from None


def require_sendable(job: Job | Tasks, place: Place) -> None:
    """Raise TrialsError for a job, or operators of a store, that cannot be pickled."""
    try:
        pickle.dumps((job, place))
    except Exception as error:
        raise TrialsError(
            f"the job cannot be sent to worker processes ({reason(error)}); "
            "let its functions and operators be those of a module, or partials of them"
        ) from None


@contextmanager
def _one_thread() -> Iterator[None]:
    """An environment in which what is started computes in one thread; ours is as before afterwards."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
