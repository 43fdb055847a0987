"""Worker processes on this machine: one for each core, started again when they crash, stopped cleanly."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import connection
from pathlib import Path
from typing import Any

from compoundnet.schema import require_count
from compoundnet.signals import stop_on_signal

from .about import keep_about
from .failing import TrialsError
from .fronts import save_front
from .job import NO_LIMITS, Job, Limits, Tasks
from .leases import BEAT
from .standing import Standing, Standings
from .starting import Order, Started, require_sendable, started
from .study import Study
from .working import STOPPING, Ended, Why, take_up

RESTARTS = 3  # of all workers together
_LOOK = 1.0  # seconds between looks at the store


def launch(
    study: Study,
    job: Job | Tasks,
    *,
    workers: int | None = None,
    limits: Limits = NO_LIMITS,
    front: Path | None = None,
    on_standing: Callable[[Standing], None] | None = None,
    restarts: int = RESTARTS,
    beat: float = BEAT,
) -> Ended:
    """Do trials in ``workers`` processes of one thread each, by default one for each core that this process may use.

    When there is one for each core, each is bound to its own. Limits hold for all of them together, and for those of
    other machines on the same study too: never more than ``limits.trials`` are recorded. ``on_standing`` is called when
    something changed. A trial that failed in an earlier call is done again, up to three times in all. A first Ctrl-C or
    SIGTERM begins no more trials and waits for those that run; a second ends them at once. Raises TrialsError when
    workers crashed more than ``restarts`` times, three trials of a worker in a row failed, the store did not answer for
    long, or the job cannot be sent to a process.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    count = (len(cores) or os.cpu_count() or 1) if workers is None else workers
    require_count(count, "workers")
    require_sendable(job, study.store.place)
    take_up(study, limits, front)
    keep_about(study, job)
    orders = [
        Order(
            place=study.store.place,
            study=study.name,
            identity=study.identity,
            job=job,
            limits=limits,
            front=front,
            rank=rank,
            core=cores[rank] if count == len(cores) else None,
            beat=beat,
        )
        for rank in range(count)
    ]
    run = _Run(study, job, limits, on_standing, restarts)
    with _sigterm_raises(), stop_on_signal() as asked:
        why = run.through(orders, asked)
    standing = run.standings.now()
    if front is not None:
        about = {"trials": standing.done, "results": standing.results}
        save_front(front, standing.front, job.axes, study=study.name, **about)
    return Ended(why, run.recorded, standing)


class _Run:
    """The processes of one launch, seen from the one that started them."""

    def __init__(
        self,
        study: Study,
        job: Job | Tasks,
        limits: Limits,
        on_standing: Callable[[Standing], None] | None,
        restarts: int,
    ) -> None:
        self.study, self.limits, self.on_standing, self.restarts = study, limits, on_standing, restarts
        self.standings = Standings(study, job, limits)
        self.begun = time.monotonic()
        self.workers: list[Started] = []
        self.errors: list[str] = []
        self.recorded, self.told = 0, False

    def through(self, orders: list[Order], asked: Callable[[], bool]) -> Why:
        try:
            self.workers = [started(order) for order in orders]
            whys = self._watched(asked)
        except BaseException:
            self._kill()
            raise
        self.study.glance()
        if self.errors:
            raise TrialsError("; ".join(dict.fromkeys(self.errors)))
        return next((why for why in ("asked", "seconds", "exhausted", "trials") if why in whys), "asked")

    def _watched(self, asked: Callable[[], bool]) -> set[Why | None]:
        whys: set[Why | None] = set()
        while self.workers:
            waited = [thing for worker in self.workers for thing in (worker.pipe, worker.process.sentinel)]
            connection.wait(waited, timeout=_LOOK)
            if asked():
                self._tell_to_stop(STOPPING)
            for worker in list(self.workers):
                self._listen(worker)
                if worker.process.exitcode is not None:
                    self._listen(worker)  # its last words
                    self.workers.remove(worker)
                    whys.add(worker.why)
                    self._bury(worker)
            self._look()
        return whys

    def _listen(self, worker: Started) -> None:
        with suppress(EOFError, OSError):
            while worker.pipe.poll():
                kind, value = worker.pipe.recv()
                if kind == "say":
                    self.study.store.say(value)
                elif kind == "ended":
                    worker.why, recorded = value
                    self.recorded += recorded
                else:
                    setattr(worker, kind, value)

    def _bury(self, worker: Started) -> None:
        """Start a crashed worker again, or stop all of them."""
        worker.pipe.close()
        if worker.why is not None or self.told:
            return
        code = worker.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if not worker.name:
            self._give_up(f"a worker could not start: it {how}; {worker.error or 'what it printed says why'}")
        elif code == 0:
            self._give_up(worker.error)
        elif self.restarts == 0:
            hint = "; is the memory enough for so many workers?" if code == -signal.SIGKILL else ""
            self._give_up(
                f"workers crashed too often: the last one {how}{': ' * bool(worker.error)}{worker.error}{hint}"
            )
        else:
            self.restarts -= 1
            self.study.store.say(f"a worker {how}{': ' * bool(worker.error)}{worker.error}; another takes its place")
            self.workers.append(started(replace(worker.order, limits=self._left())))

    def _left(self) -> Limits:
        seconds = self.limits.seconds
        return replace(self.limits, seconds=seconds and max(1e-3, seconds - (time.monotonic() - self.begun)))

    def _give_up(self, error: str) -> None:
        self.errors.append(error)
        self._tell_to_stop("")

    def _tell_to_stop(self, line: str) -> None:
        if self.told:
            return
        self.told = True
        if line:
            self.study.store.say(line)
        for worker in self.workers:
            with suppress(OSError):
                worker.pipe.send("stop")

    def _look(self) -> None:
        self.study.glance()
        standing = self.standings.now()
        if self.on_standing is not None:
            self.on_standing(standing)

    def _kill(self) -> None:
        """End all at once, and give up their claims, so that the next search need not wait for them."""
        for worker in self.workers:
            self._listen(worker)
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
        with suppress(TrialsError):
            self.study.release({worker.name for worker in self.workers if worker.name})


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let a second SIGTERM end this process as a second Ctrl-C does: after its workers."""

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not in the main thread, which alone hears signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
