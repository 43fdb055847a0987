"""Working: tasks to trials, in this process or by single-threaded workers, each kept as soon as it is finished."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from compoundnet.schema import require_count

from .keeping import Keeping
from .material import Material
from .trial import Task, Trial

OnTrial = Callable[[Trial], None]
_LIVES = 2  # how often a task may lose its worker before it counts as failed


@dataclass(frozen=True)
class Bench:
    """Where trials are trained: the pictures by digest, where trials are kept, and by how many workers.

    ``weights`` is a folder for the final weights of tasks that ask for them.
    """

    data: Mapping[str, Material]
    keeping: Keeping
    weights: Path
    workers: int = 1

    def __post_init__(self) -> None:
        require_count(self.workers, "workers")

    def file(self, task: Task) -> Path:
        """Where a task's final weights lie."""
        return self.weights / f"{task.key}.safetensors"

    def kept(self, task: Task, weights: bool) -> Trial | None:
        """The finished trial, where it is kept, with its weights if they are wanted."""
        found = self.keeping.get(task.key)
        lost = weights and found is not None and found.state == "finished" and not self.file(task).is_file()
        return None if lost else found

    def trials(self, tasks: Sequence[Task], *, weights: bool = False, on_trial: OnTrial | None = None) -> list[Trial]:
        """The trials of tasks, in their order. What is kept is not trained again, and equal tasks are trained once.

        ``on_trial`` hears of each, kept or new. A worker that dies is replaced and its task begun again; a task that
        loses two is "failed", which is not kept. Stopped at any moment, at most the trials in flight are lost.
        """
        found = dict[str, Trial]()
        left = list[Task]()
        for task in dict.fromkeys(tasks):
            kept = self.kept(task, weights)
            if kept is None:
                left.append(task)
            else:
                found[task.key] = kept
        for trial in chain(list(found.values()), self._trained(left, weights)):  # each is told as it ends
            found[trial.key] = trial
            if on_trial is not None:
                on_trial(trial)
        return [found[task.key] for task in tasks]

    def _trained(self, tasks: Sequence[Task], weights: bool) -> Iterator[Trial]:
        files = [self.file(task) if weights else None for task in tasks]
        given = list(zip(tasks, files, strict=True))
        source = (
            self._here(given) if min(self.workers, len(tasks)) <= 1 else _by_workers(given, self.data, self.workers)
        )
        for trial in source:
            if trial.state != "failed":
                self.keeping.put(trial)
            yield trial

    def _here(self, given: "Sequence[_Given]") -> Iterator[Trial]:
        from .fitting import fit

        for task, file in given:
            yield fit(task, self.data[task.data], keep=file)


_Given = tuple[Task, Path | None]


@dataclass
class _Worker:
    """A process, our end of its pipe, and what it is at."""

    process: BaseProcess
    pipe: Connection
    at: _Given | None = None


def _by_workers(given: Sequence[_Given], data: Mapping[str, Material], count: int) -> Iterator[Trial]:
    waiting = list(reversed(given))
    lives = {task.key: _LIVES for task, _ in given}
    with _staff(data) as hire:
        workers = [hire() for _ in range(min(count, len(given)))]
        while waiting or any(worker.at for worker in workers):
            for worker in workers:
                if worker.at is None and waiting:
                    worker.at = waiting.pop()
                    with suppress(OSError):  # it died while it had nothing to do: its end is told below
                        worker.pipe.send(worker.at)
            ready = wait([worker.pipe for worker in workers if worker.at])
            for worker in [worker for worker in workers if worker.pipe in ready and worker.at]:
                trial = _received(worker)
                if trial is not None:
                    yield trial
                    continue
                task, file = worker.at or given[0]
                workers[workers.index(worker)] = hire()
                lives[task.key] -= 1
                if lives[task.key]:
                    waiting.append((task, file))
                else:
                    yield Trial(task=task, state="failed", accuracy=None, seconds=0.0, why="lost its worker twice")


def _received(worker: _Worker) -> Trial | None:
    """The trial that a worker answers, None where it died. Raises the error that it sent instead."""
    try:
        answer = worker.pipe.recv()
    except (EOFError, OSError):
        return None
    worker.at = None
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, Trial)
    return replace(answer, worker=str(worker.process.pid))


@contextmanager
def _staff(data: Mapping[str, Material]) -> "Iterator[Callable[[], _Worker]]":
    """What starts a worker; all of them end with the context."""
    context = multiprocessing.get_context("spawn")
    hired = list[_Worker]()

    def hire() -> _Worker:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, dict(data)), daemon=True)
        process.start()
        theirs.close()
        hired.append(_Worker(process, ours))
        return hired[-1]

    try:
        yield hire
    finally:
        for worker in hired:
            worker.process.terminate()
        for worker in hired:
            worker.process.join()
            worker.pipe.close()


def _work(pipe: Connection, data: Mapping[str, Material]) -> None:
    """One worker: trains what it is sent, on one thread, until the pipe ends. Ctrl-C is for the one who sent it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from .fitting import fit

    while True:
        try:
            task, file = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(fit(task, data[task.data], keep=file))
        except ValueError as error:
            pipe.send(ValueError(str(error)))
        except Exception as error:  # it is raised where the task came from
            pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
