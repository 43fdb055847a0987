"""Working: tasks to trials that a study keeps, in this process or by single-threaded workers."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from compoundnet.schema import counted, require_count

from .keeping import TrialFolder
from .material import Material
from .trial import Task, Trial
from .trials import Claim, Study, Tasks, launch, work
from .trials.job import Recorded

OnTrial = Callable[[Trial], None]


@dataclass(frozen=True, eq=False)
class Bench:
    """Where tasks are trained: the pictures by digest, the study that keeps their trials, and by how many workers.

    ``weights`` is a folder for the final weights of tasks that ask for them; workers of one store shall share it.
    ``before`` is a folder in which an older version kept trials: they are taken over.
    """

    data: Mapping[str, Material]
    study: Study
    weights: Path
    workers: int = 1
    before: Path | None = None

    def __post_init__(self) -> None:
        require_count(self.workers, "workers")

    def file(self, task: Task) -> Path:
        """Where a task's final weights lie."""
        return file_of(self.weights, task)

    def trials(self, tasks: Sequence[Task], *, weights: bool = False, on_trial: OnTrial | None = None) -> list[Trial]:
        """The trials of tasks, in their order. What the store has is not trained again, and equal tasks are once.

        ``on_trial`` hears of each, known or new, as it ends; not of those that fail. Stopped at any moment, at most the
        trials in flight are lost. Raises KeyboardInterrupt where a first Ctrl-C ended it, FieldError for what no trial
        can do, and ValueError when trials failed: the next call does them again, three times in all.
        """
        wanted = tuple(dict.fromkeys(tasks))
        told = _Telling(self.study, wanted, on_trial)
        self._take_over(wanted)
        told()
        if left := tuple(task for task in wanted if task.key in told.left):
            self._require_plain(left)
            self._do(
                self.study, Tasks(tasks=left, evaluate=Training(self.data, self.weights if weights else None)), told
            )
        found = {task.key: self.study.trial(task.key) for task in wanted}
        failed = [trial for trial in found.values() if trial is None or trial.state == "failed"]
        if failed:
            why = next((trial.why for trial in failed if trial is not None), "nobody did them")
            said = "the same search does them again, three times in all"
            raise ValueError(f"{counted(len(failed), 'trial')} failed ({why}); free some memory, and {said}")
        if weights:
            self._again([trial for trial in found.values() if trial is not None])
        return [trial for task in tasks if (trial := found[task.key]) is not None]

    def _take_over(self, tasks: Sequence[Task]) -> None:
        if self.before is None or not self.before.is_dir():
            return
        self.study.refresh()
        for task in tasks:
            kept = None if self.study.has(task.key) else TrialFolder(self.before).get(task.key)
            claim = None if kept is None else self.study.claim(task, None, None)
            if kept is not None and isinstance(claim, Claim):
                self.study.record(claim, kept, kept.accuracy or 0.0, None)

    def _again(self, trials: Sequence[Trial]) -> None:
        """Train those again whose weights do not lie here: who trained them wanted none, or was another machine."""
        lost = [each for each in trials if each.state == "finished" and not self.file(each.task).is_file()]
        if not lost:
            return
        self.study.store.say(f"{counted(len(lost), 'trial')} without weights in {self.weights}: trained again for them")
        training = Training(self.data, self.weights, {each.key: each for each in lost})
        study = self.study.store.study(f"{self.study.name} weights {uuid.uuid4().hex[:8]}", self.study.identity)
        self._do(study, Tasks(tasks=tuple(each.task for each in lost), evaluate=training, shared=False), lambda: None)

    def _do(self, study: Study, tasks: Tasks, told: Callable[[], None]) -> None:
        count = min(self.workers, len(tasks.tasks))
        if count == 1:
            ended = work(study, tasks, on_trial=lambda _: told())
        else:
            ended = launch(study, tasks, workers=count, on_standing=lambda _: told())
        told()
        if ended.why == "asked":
            raise KeyboardInterrupt

    def _require_plain(self, tasks: Sequence[Task]) -> None:
        from .fitting import require_plain

        for task in tasks:
            require_plain(task, self.data[task.data])


def file_of(weights: Path, task: Task) -> Path:
    """Where a task's final weights lie in a folder of them."""
    return weights / f"{task.key}.safetensors"


@dataclass(frozen=True, eq=False)
class Training:
    """What a worker does with a task: ``fit``; ``known`` are trials that are trained again for their weights only."""

    data: Mapping[str, Material]
    weights: Path | None
    known: Mapping[str, Trial] = field(default_factory=dict)

    def __call__(self, task: Task, recorded: Recorded) -> Trial:
        from .fitting import fit

        file = None if self.weights is None else file_of(self.weights, task)
        if file is not None and file.is_file() and task.key in self.known:
            return replace(self.known[task.key])
        return fit(task, self.data[task.data], keep=file)


class _Telling:
    """Tells of each task's trial once, when it is recorded."""

    def __init__(self, study: Study, tasks: Sequence[Task], on_trial: OnTrial | None) -> None:
        self._study, self._on_trial = study, on_trial
        self.left = {task.key: task for task in tasks}

    def __call__(self) -> None:
        for key in list(self.left):
            trial = self._study.trial(key)
            if trial is not None and trial.state != "failed":
                del self.left[key]
                if self._on_trial is not None:
                    self._on_trial(trial)
