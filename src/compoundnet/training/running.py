"""train(): a network, a recipe and labelled pictures to a folder of weights and figures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from compoundnet.data import Examples
from compoundnet.modules import ConvNet
from compoundnet.network import Network
from compoundnet.preprocess import Preprocess
from compoundnet.recipes import Recipe
from compoundnet.schema import decode, encode, require
from compoundnet.signals import stop_on_signal
from compoundnet.weights import Pretrained, Weights, load
from compoundnet.weights.cards import Made, Parent, followed, parent_of

from .feeding import Feed
from .feeds import feed_of
from .folder import MODEL, RESUME, RUN, RunFolder
from .history import Progress
from .host import Host, on_threads, quiet, require_lightning, require_writer
from .identity import facts_of
from .origin import step
from .planning import Plan
from .seeing import require_sized, view_of
from .state import State, TrainingError, latest_state
from .stepping import fresh


@dataclass(frozen=True)
class Trained:
    """A run that is over: its folder, a row for each epoch, and the row of the best one, whose weights are kept.

    ``rank`` is the number of this process, of the several that a run may have; one of them, 0, should speak.
    """

    folder: Path
    history: tuple[Mapping[str, Any], ...]
    best: Mapping[str, Any]
    rank: int = 0

    @property
    def model(self) -> Path:
        """The file of the best weights, for ``compoundnet.load``."""
        return self.folder / MODEL


class Interrupted(KeyboardInterrupt):
    """A run stopped by Ctrl-C or SIGTERM after its state was saved; the text says how to go on."""


def train(
    network: Network,
    recipe: Recipe,
    train: Examples,
    validation: Examples | None,
    folder: str | Path,
    *,
    weights: Pretrained | None = None,
    preprocess: Preprocess | None = None,
    host: Host | None = None,
    made: Made = Made(),  # noqa: B008 - a frozen value
    resume: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    on_stop: Callable[[], None] | None = None,
) -> Trained:
    """Train a network by a recipe, and keep everything about it in ``folder``.

    Weights start as ``build`` draws them from the recipe's seed, or as ``weights`` has them, which may be of another
    resolution. After each epoch the moving average and the raw weights are validated, at the network's resolution and
    as ``preprocess`` says, whatever side the recipe trains at; the best average is model.safetensors. ``made`` is
    for its card; of a run that goes on, what was said when it began counts, and ``weights`` need not be given again
    once a state is saved. ``resume`` goes on from the newest state, and ends with the same bits as a run that was
    never stopped (on the CPU, with as many threads). ``on_progress`` is called with (steps done, steps in all) of
    the run, first where it begins; ``on_stop`` when Ctrl-C or SIGTERM asks it to stop, in the signal's handler.
    torch's global random states are
    left as they were.

    Raises TrainingError or FieldError, one line, for a folder, data or recipe that does not fit, and when the loss is
    no longer finite; Interrupted after Ctrl-C or SIGTERM.
    """
    require_lightning()
    run = RunFolder(Path(folder))
    view = preprocess or (run.preprocess() if resume and weights is None else view_of(network, recipe, weights))
    task = Job(network, recipe, train, validation, run, weights, view, host or Host(), made)
    require_writer(task.host)
    _check(task)
    with quiet(), on_threads(task.host.threads), torch.random.fork_rng(), stop_on_signal(on_stop) as stop:
        return _run(task, resume, stop, on_progress)


@dataclass(frozen=True)
class Job:
    """Everything that ``train`` was given."""

    network: Network
    recipe: Recipe
    train: Examples
    validation: Examples | None
    folder: RunFolder
    weights: Pretrained | None
    preprocess: Preprocess
    host: Host
    made: Made

    @property
    def parent(self) -> Parent:
        """What the card of the weights goes on from."""
        return parent_of(None if self.weights is None else self.weights.weights)

    def told(self) -> dict[str, Any]:
        """What a run that goes on need not be told again."""
        return {"made": encode(self.made), "parent": encode(self.parent)}

    def facts(self, processes: int) -> dict[str, Any]:
        """What must be the same for a run to go on, beside network and recipe."""
        return facts_of(self.train, self.validation, self.preprocess, torch.get_num_threads(), processes)


def _run(job: Job, resume: bool, stop: Callable[[], bool], on_progress: Callable[[int, int], None] | None) -> Trained:
    from .keeping import Keeper, Stopped
    from .module import Learner
    from .snapshot import place
    from .trainer import trainer_of

    trainer = trainer_of(job.recipe, job.host, job.folder.path)
    rank = trainer.global_rank
    if resume and rank == 0:  # before anything else is wrong with another recipe
        job.folder.require_same(job.network, job.recipe, job.facts(trainer.world_size))
    plan = Plan(recipe=job.recipe, images=len(job.train), world=trainer.world_size)
    learner = Learner(_model(job), plan, job.train.task, job.preprocess)
    learner.rank = rank
    learner.feeds = _feeds(job, plan, rank)
    state = _opened(job, resume, plan.world, rank)  # when all is made that can be refused
    progress = Progress(**state.values["progress"]) if state else Progress()
    if progress.finished:
        return _trained(job.folder, progress, rank)
    if state:
        place(learner, state)
    every = {"save_seconds": 60 * job.host.save_minutes, "save_steps": job.host.save_steps}
    keeper = Keeper(job.folder, _record(job, rank), progress, state, **every, stop=stop, on_progress=on_progress)
    trainer.callbacks.append(keeper)  # type: ignore[attr-defined]
    trainer.fit_loop.max_epochs = plan.epochs - learner.epoch
    if job.host.compile:
        learner.compile_models()
    try:
        trainer.fit(learner)
    except Stopped:
        again = f"step {learner.done} of {plan.steps} is saved; go on with the same command and --resume"
        raise Interrupted(f"{job.folder.path}: stopped; {again}") from None
    except SystemExit:  # Lightning's answer to a second Ctrl-C
        raise KeyboardInterrupt from None
    return _trained(job.folder, progress, rank)


def _model(job: Job) -> ConvNet:
    model = fresh(job.network, job.recipe)
    if job.weights is not None:
        model.load_state_dict(job.weights.model.state_dict())
    return model


def _feeds(job: Job, plan: Plan, rank: int) -> dict[str, Feed]:
    given = {"train": (job.train, job.recipe.augment), "validation": (job.validation, None)}
    return {
        name: feed_of(examples, job.preprocess, augment, plan, job.network, rank, job.host.workers)
        for name, (examples, augment) in given.items()
        if examples is not None and len(examples)
    }


def _opened(job: Job, resume: bool, world: int, rank: int) -> State | None:
    """The state to go on from; a new folder is begun, and another run refused, by one process alone."""
    if not resume:
        if rank == 0:
            job.folder.begin(job.network, job.recipe, {**job.facts(world), **job.told()})
            job.folder.log("start", images=len(job.train), versions={"torch": torch.__version__})
        return None
    state = latest_state(job.folder.path / RESUME)
    if rank == 0:
        _require_parent(job, state)
        job.folder.forget_after(state.values["events"] if state else 0)
        job.folder.log("resume", steps=state.steps if state else 0)
    return state


def _require_parent(job: Job, state: State | None) -> None:
    """Raise TrainingError, one line, for other weights than the run began with, or none where it needs them."""
    told = job.folder.read(RUN).get("parent")
    if told is None or (job.weights is None and state is not None):
        return
    began = decode(Parent, told)
    if job.parent != began:
        name, given = (each.steps[-1].name if each.steps else "drawn weights" for each in (began, job.parent))
        problem = f"it began from {name} and was given {given}; give the weights (--pretrained) as before"
        raise TrainingError(f"{job.folder.path}: cannot go on, {problem}, or name another folder")


def _check(job: Job) -> None:
    """Raise FieldError, one line, for data that do not fit the network or the recipe."""
    require_sized(job.preprocess, job.network)
    outputs, given = job.network.classes, job.train.classes
    fits = f"the data has {len(given)}, the network {outputs}; give dataclasses.replace(network, classes={len(given)})"
    require(len(given) == outputs, "classes", fits)
    require(job.train.task != "multiclass" or outputs > 1, "classes", "one class only; there is nothing to tell apart")
    adversarial = job.recipe.advprop is None or job.train.task == "multiclass"
    require(adversarial, "advprop", f"needs classes to attack; the task is {job.train.task!r}")
    if job.validation is not None:
        same = job.validation.task == job.train.task and job.validation.classes == given
        require(same, "validation", "its task or classes are not those of the training data")
    if job.weights is not None:
        same = replace(job.weights.weights.network, resolution=job.network.resolution) == job.network
        require(
            same, "weights", "they are of another network; load them with classes= of the data, train their network"
        )


def _record(job: Job, rank: int) -> Weights:
    """What travels with the weights, but for their figures; only the process that saves needs it whole."""
    name = job.folder.path.resolve().name
    named = len(job.train.classes) == job.network.classes
    told = job.told() | (job.folder.read(RUN) if rank == 0 else {})
    made, parent = decode(Made, told["made"]), decode(Parent, told["parent"])
    return Weights(
        name=name,
        network=job.network,
        preprocess=job.preprocess,
        classes=job.train.classes if named else (),
        source="trained by compoundnet",
        licence=parent.licence,
        card=followed(parent, step(name, made, job.train, job.recipe)),
    )


def _trained(folder: RunFolder, progress: Progress, rank: int) -> Trained:
    assert progress.best is not None
    return Trained(folder.path, tuple(progress.history), progress.history[progress.best], rank)


def load_run(folder: str | Path) -> tuple[Network, Recipe, Pretrained]:
    """What was trained, how, and its best weights. Raises TrainingError for a folder that holds no run."""
    run = RunFolder(Path(folder))
    network, recipe = run.network(), run.recipe()
    if not (run.path / MODEL).is_file():
        raise TrainingError(f"{folder}: no epoch is over yet, so there are no weights; go on with --resume")
    return network, recipe, load(run.path / MODEL)
