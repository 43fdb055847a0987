"""The command that trains: a network, a recipe and a folder of pictures to weights."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from compoundnet.families import MEMBERS
from compoundnet.network import Network
from compoundnet.recipes import Recipe
from compoundnet.schema import shown
from compoundnet.signals import terminated

from . import INTERRUPTED
from .dating import made
from .loading import seen_as, tell
from .output import write, write_json, write_table
from .progress import progress
from .recipes import read as read_recipe
from .room import say, with_room
from .settings import changed
from .sources import read
from .vetting import require_data, vetted

if TYPE_CHECKING:
    from compoundnet.data import Examples, Task
    from compoundnet.data.opening import FitOn, Given
    from compoundnet.training import Host, Trained
    from compoundnet.weights import Pretrained

T = TypeVar("T")


def train(
    net: str,
    data: str,
    out: str,
    recipe: str | None = None,
    val: str | None = None,
    fit_on: Literal["train", "trainval"] = "train",
    test_judges: bool = False,
    task: Literal["multiclass", "multilabel", "regression"] = "multiclass",
    set: str = "",
    batch: Literal["auto"] | None = None,
    pretrained: str | None = None,
    threads: int | None = None,
    workers: int = 0,
    devices: int = 1,
    seed: int | None = None,
    save_minutes: float = 10.0,
    resume: bool = False,
    unchecked: bool = False,
    compile: bool = False,
    tensorboard: bool = False,
    json: bool = False,
) -> int:
    """Train a network by a recipe on labelled pictures; what is stopped goes on with --resume.

    Args:
        data: a folder with one sub-folder a class, ImageNet's, or one of shards; a .csv; or a set (see docs)
        recipe: the name of a recipe (see recipe list) or its JSON file; default with --resume: the run's
        out: the folder of the run: weights, figures, and what it needs to go on
        val: the data that judges, as --data; default: its own validation part, else a tenth of its pictures
        fit_on: trainval: all pictures but those of the test; without --val none judge, and the last epoch is kept
        task: one class a picture, any number of labels, or numbers; default: one class
        set: settings other than the recipe's, such as epochs=10,batch=64,optimizer.rate=0.02
        batch: auto: the recipe's batch, or the largest power of two that fits into memory; see memory
        pretrained: start from these weights, a name with weights or a file, with a fresh classifier
        threads: how many threads compute; default: as many as there are cores
        workers: how many processes decode pictures; default: 0, in turn with the training
        devices: how many processes train, each on its device; torchrun says so itself
        seed: of everything that is drawn; default: the recipe's
        save_minutes: a state to go on from is saved so often, and after each epoch; default: 10
    """
    machine = {"devices": devices, "workers": workers, "threads": threads, "save_minutes": save_minutes}
    more = {"compile": compile, "tensorboard": tensorboard}
    try:
        with terminated():
            begun = Path(out) if resume else None
            wanted = partial(_recipe, recipe, set, seed, begun)
            chosen, network, host = _asked(net, wanted, {**machine, **more}, lambda: _require_place(out, resume))
            pictures = _opened(data, val, task, chosen.seed, fit_on, test_judges)
            looked = partial(_looked_at, pictures, data, Path(out), resume, unchecked)
            network = _fitting(network, pictures.train, net)
            given = None if pretrained is None else _weights(pretrained, net, network, pictures.train.classes)
            done = _trained(network, chosen, host, looked, given, out, resume, batch == "auto", data)
    except KeyboardInterrupt as stop:  # also Interrupted, whose text says what was saved
        sys.stderr.write(f"compoundnet: {str(stop) or _left(out, resume)}\n")
        return INTERRUPTED
    if done.rank == 0:  # of several processes one speaks
        _show(done, json)
    return 0


def _trained(
    network: Network,
    recipe: Recipe,
    host: "Host",
    looked: "Callable[[], tuple[Given, Callable[[], None]]]",
    given: "Pretrained | None",
    out: str,
    resume: bool,
    auto: bool,
    data: str,
) -> "Trained":
    from compoundnet.training import RunFolder
    from compoundnet.training import train as run
    from compoundnet.training.seeing import view_of

    pictures, remember = looked()
    begun = Path(out) if resume else None
    recipe = with_room(network, recipe, len(pictures.train), auto=auto, devices=host.devices, begun=begun)
    view = RunFolder(begun).preprocess() if begun and given is None else view_of(network, recipe, given)
    say(f"judged and used, a picture is seen as {seen_as(view)}")
    with progress("steps") as on_done:
        options: dict[str, Any] = {"weights": given, "host": host, "resume": resume}
        options |= {"on_progress": _first(remember, on_done, out), "made": made(data), "on_stop": stopping}
        return run(network, recipe, pictures.train, pictures.validation, out, **options)


def stopping() -> None:
    """Said at once: a step may take long. The handler of a signal writes past what the stream may be writing."""
    os.write(2, b"compoundnet: stopping after this step; once more stops at once\n")


def _asked(
    net: str, recipe: Callable[[], Recipe | None], machine: Mapping[str, Any], place: Callable[[], None]
) -> "tuple[Recipe, Network, Host]":
    """What the options alone say. Raises ValueError, one line with all mistakes that show before the data are read."""
    from compoundnet.training import Host
    from compoundnet.training.host import require_writer

    mistakes: list[str] = []
    _noted(mistakes, place)
    chosen = _noted(mistakes, recipe)
    source = _noted(mistakes, lambda: read(net))
    host = _noted(mistakes, lambda: Host(**machine))
    if host is not None:
        _noted(mistakes, lambda: require_writer(host))
    if mistakes or chosen is None or source is None or host is None:
        raise ValueError("; and ".join(mistakes))
    return chosen, source.network, host


def _noted(mistakes: list[str], make: Callable[[], T]) -> T | None:
    try:
        return make()
    except ValueError as error:
        mistakes.append(str(error))
        return None


def _recipe(name: str | None, settings: str, seed: int | None, begun: Path | None) -> Recipe | None:
    """The recipe with other settings: by its name, else that of the run that goes on, if it is one."""
    if name is None and begun is None:
        raise ValueError("--recipe is missing; name one (see recipe list) or its JSON file")
    chosen = read_recipe(name).recipe if name is not None else _begun(begun)
    if chosen is None:
        return None
    chosen = changed(chosen, settings)
    return chosen if seed is None else replace(chosen, seed=seed)


def _begun(folder: Path | None) -> Recipe | None:
    from compoundnet.training import RunFolder
    from compoundnet.training.folder import RECIPE

    return RunFolder(folder).recipe() if folder is not None and (folder / RECIPE).exists() else None


def _require_place(out: str, resume: bool) -> None:
    """Raise ValueError, one line, unless the folder is a new one, or has a run to go on with."""
    from compoundnet.training import RunFolder
    from compoundnet.training.folder import NETWORK, RECIPE

    if resume:
        for name in (NETWORK, RECIPE):
            RunFolder(Path(out)).read(name)
    elif all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK")):
        RunFolder(Path(out)).require_new()  # the first of several processes may have begun it before the others ask


def _left(out: str, resume: bool) -> str:
    """What an interrupted start left in the folder, and the command that goes on."""
    if resume:
        return f"{out}: interrupted; what was saved is there; go on with the same command"
    if "compoundnet.training" in sys.modules:  # before it is loaded nothing can be written
        from compoundnet.training import RunFolder

        if RunFolder(Path(out)).is_run():
            return f"{out}: interrupted; the run is begun; go on with the same command and --resume"
    return f"{out}: interrupted before anything was written; the same command begins again"


def _opened(data: str, val: str | None, task: "Task", seed: int, fit_on: "FitOn", test_judges: bool) -> "Given":
    """The pictures that train and those that judge; what is odd about them is said, and when none judge."""
    from compoundnet.data import for_training

    given = for_training(data, val, task, seed, fit_on=fit_on, test_judges=test_judges)
    for line in given.warnings:
        sys.stderr.write(f"compoundnet: warning: {line}\n")
    if not len(given.validation):
        text = f"all {len(given.train):,} pictures train and none judge; the weights of the last epoch are kept"
        sys.stderr.write(f"compoundnet: {data}: {text}\n")
    return given


def _looked_at(
    given: "Given", data: str, out: Path, resume: bool, unchecked: bool
) -> "tuple[Given, Callable[[], None]]":
    """The pictures that can be read, and what remembers that in the folder of the run, once it is one."""
    from compoundnet.training import RunFolder

    if resume:
        require_data(given, out, data)
    refused = not resume and RunFolder(out).is_run()  # as train itself is about to say
    return (given, lambda: None) if unchecked or refused else vetted(given, out, resume)


def _first(once: Callable[[], None], then: Callable[[int, int], None], out: str) -> Callable[[int, int], None]:
    """What is called with the progress; the first time, where the run begins, it does something else and says so."""
    left = [once]

    def called(done: int, total: int) -> None:
        if not left:
            then(done, total)
            return
        left.pop()()
        if done:
            sys.stderr.write(f"compoundnet: {out}: goes on after step {done:,} of {total:,}\n")

    return called


def _fitting(network: Network, examples: "Examples", net: str) -> Network:
    """The network with as many classes as the data; what is changed is said."""
    count = len(examples.classes)
    if network.classes == count:
        return network
    sys.stderr.write(f"compoundnet: {net}: {count} classes, as the data has, instead of {network.classes:,}\n")
    return replace(network, classes=count)


def _weights(name: str, net: str, network: Network, classes: Sequence[str]) -> "Pretrained":
    """The weights to begin with; their classifier only where its classes are the data's, which is said."""
    from compoundnet.building import reset_classifier
    from compoundnet.weights import load
    from compoundnet.weights.matching import describe
    from compoundnet.weights.places import are_same

    found = load(name, classes=network.classes)
    if found.weights.network != network:
        used = replace(found.weights.network, resolution=network.resolution)
        if used != network:
            member = describe(found.weights.network)
            remedy = f"give {member}" if member in MEMBERS else "name the JSON file of its own network"
            raise ValueError(f"--pretrained: {name} is of another network than {net}; {remedy} in its place")
    tell(name, found.report)
    if found.report.initialised:
        return found
    if are_same(classes, found.weights):
        sys.stderr.write(f"compoundnet: {name}: its classifier goes on: its classes are the data's\n")
        return found
    reset_classifier(found.model, len(classes))
    theirs = shown(list(found.weights.classes)) if found.weights.classes else "without names"
    line = f"a fresh classifier, at zero: its classes ({theirs}) are not the data's ({shown(list(classes))})"
    sys.stderr.write(f"compoundnet: {name}: {line}\n")
    return found


def _show(done: "Trained", json: bool) -> None:
    figures = {"out": str(done.folder), "model": str(done.model), "epochs": len(done.history)}
    if json:
        write_json({**figures, "best": done.best, "last": done.history[-1]})
        return
    names = [name for name in ("epoch", "train_loss", "loss", "top1", "raw_top1", "images_per_s") if name in done.best]
    head = [name.replace("_", " ").capitalize() for name in names]
    judged = "loss" in done.best
    rows = [("best", done.best), ("last", done.history[-1])]
    shown = [(what, *(_figure(row[name]) for name in names)) for what, row in (rows if judged else rows[1:])]
    write_table(("", *head), shown)
    kept = "best" if judged else "last"
    write(f"The {kept} weights are in {done.model}; use them with: compoundnet predict PATH --model {done.model}")


def _figure(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"
