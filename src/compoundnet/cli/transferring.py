"""The command that fits a network to a folder of pictures: transfer."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import INTERRUPTED
from .dating import made
from .output import write, write_json
from .progress import progress
from .units import span

if TYPE_CHECKING:
    from compoundnet.data.examples import Examples, Task
    from compoundnet.transferring.place import Place


def transfer(
    data: str,
    val: str | None = None,
    model: str = "efficientnet_lite0",
    budget: str = "20m",
    task: Literal["multiclass", "multilabel", "regression"] = "multiclass",
    out: str = "transferred",
    symmetry: Literal["none", "mirror", "all"] = "mirror",
    threads: int | None = None,
    seed: int = 0,
    resolution: int | None = None,
    test_judges: bool = False,
    json: bool = False,
) -> int:
    """Fit a pretrained network to a folder of labelled pictures within a budget of time, and report on it.

    Args:
        data: a folder with one sub-folder a class, ImageNet's, or one of shards; a .csv; or a set (see docs)
        val: the data that judges, as --data; default: its own validation part, else a share of its pictures
        model: a name with weights (see models) or a weights file; default: efficientnet_lite0
        budget: how long it may take in all, such as 90s, 20m or 2h; default: 20m
        task: one class a picture, any number of labels, or numbers; default: multiclass
        out: the new folder for model and report; an unfinished one goes on; default: transferred
        symmetry: what leaves the label as it is: nothing, a mirror, or also turns by 90 degrees; default: mirror
        threads: how many threads compute; default: one for each core
        seed: which pictures judge, and the order of training; default: 0
        resolution: the side in pixels that the network sees; default: that of the weights, or a larger one if better
    """
    from compoundnet.prediction.pipeline import usable_cores
    from compoundnet.schema import FieldError, require_count
    from compoundnet.transferring import finish
    from compoundnet.transferring import transfer as transfer_to
    from compoundnet.transferring.place import Place

    seconds = span(budget, "--budget")
    require_count(threads := usable_cores() if threads is None else threads, "threads")
    options: dict[str, Any] = {"budget": seconds, "symmetry": symmetry, "threads": threads, "seed": seed}
    options |= {"resolution": resolution, "made": made(data)}
    say = partial(print, file=sys.stderr) if json else write
    try:
        train, validation = _examples(data, val, task, test_judges)
        done = transfer_to(train, model, out, **options, validation=validation, watch=progress, say=say)
        for line in done.pixels.corrupt:
            sys.stderr.write(f"compoundnet: warning: left out: {line}\n")
        finished = finish(done)
    except FieldError as error:
        raise error if error.path != "resolution" else ValueError(f"--{error}") from None
    except KeyboardInterrupt:
        sys.stderr.write(f"compoundnet: {out}: interrupted; {_left(Place(Path(out)))}\n")
        return INTERRUPTED
    if json:
        write_json({**finished.figures, "files": [str(path) for path in finished.files]})
        return 0
    write(f"kept: {done.best.how}; {done.clock.elapsed:.0f} s of {seconds:.0f} s")
    for note in finished.notes:
        write(f"Note: {note}.")
    write("Written: " + ", ".join(str(path) for path in finished.files))
    write(f"Use it: compoundnet predict PICTURE ... --model {done.place.folder}")
    write(f"        compoundnet serve {done.place.folder}")
    return 0


def _left(place: "Place") -> str:
    """What an interrupted transfer left, and what can be done."""
    if place.is_finished():
        remains = f"; {place.over} can be removed" if place.over.exists() else ""
        return f"the transfer is over, model and report are there{remains}"
    there = "the best so far is there; " if place.model.exists() else ""
    return f"{there}the same command goes on with it"


def _examples(data: str, val: str | None, task: "Task", test_judges: bool) -> "tuple[Examples, Examples | None]":
    """The pictures that train, and those that judge where somebody says which; what is odd about them is said."""
    from compoundnet.data import for_transfer
    from compoundnet.data.joining import warnings_of

    train, validation = for_transfer(data, val, task, test_judges=test_judges)
    for line in (*warnings_of(train), *(() if validation is None else warnings_of(validation))):
        sys.stderr.write(f"compoundnet: warning: {line}\n")
    return train, validation
