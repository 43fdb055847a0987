"""The command that measures a model on labelled pictures: evaluate."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compoundnet.schema import counted, require_count

from .loading import loaded, seen_as
from .output import safe, whole, write, write_table
from .progress import progress
from .sources import json_of, text
from .splits import Claim, Split, Withdraw, claim_of, task_of, unseen

if TYPE_CHECKING:
    from compoundnet.data import Examples, Task
    from compoundnet.evaluating import Artefact, Evaluation, Metrics
    from compoundnet.weights import Pretrained

_EXPORTED = (".onnx", ".xml", ".pt2")
# Shares that are shown in percent; which ones a record of weights has in percent is ``weights.records.IN_PERCENT``.
_PERCENT = {"top1", "top5", "mean_per_class", "auroc", "calibration_error", "mean_average_precision", "exact"}
_NAMES = {
    "top1": "Top-1",
    "top5": "Top-5",
    "mean_per_class": "Mean of classes",
    "auroc": "Area under ROC",
    "nll": "Neg. log likelihood",
    "calibration_error": "Calibration error",
    "mean_average_precision": "Mean average precision",
    "exact": "All labels right",
    "r2": "R squared",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
}


def evaluate(
    weights: str,
    data: str,
    split: Split | None = None,
    task: Literal["multiclass", "multilabel", "regression"] | None = None,
    again: bool = False,
    engine: str | None = None,
    network: str | None = None,
    workers: int | None = None,
    batch: int | None = None,
    worst: int = 5,
    map: str | None = None,
    out: str | None = None,
    json: bool = False,
) -> int:
    """Measure a model on labelled pictures: accuracy with its interval, every class, calibration.

    Args:
        data: a folder with one sub-folder a class, ImageNet's, or one of shards; a .csv; or a set (see docs)
        split: train, validation or test: take that part of --data; the test pictures of a run are looked at once
        task: one class a picture, any number of labels, or numbers; default: the task of the run, else one class
        engine: torch, onnxruntime, openvino, compile, aot, auto (the fastest), or model (PyTorch as it is)
        network: the network of a bare weights file, by name or JSON file; default: recognised
        workers: how many threads decode and compute; default: one for each core
        batch: how many pictures each of them runs at once; default: what is fastest
        worst: how many classes to list, the worst first; default: 5
        map: a JSON file of an object, from names of the data's classes to the model's names or indexes
        out: write the figures to this .json file, and go on with them when they were begun before
    """
    require_count(worst, "worst")
    mapping = {} if map is None else _mapping(map)
    claim = claim_of(weights, data, split, again)
    model = _model(weights, network)
    examples = _examples(data, split, task or task_of(weights))
    about = {"data": data, "warnings": list(unseen(weights, data, examples, split))}
    options = {"engine": None if engine == "model" else engine, "workers": workers, "batch": batch, "mapping": mapping}
    measured = partial(_measured, model, examples, options)
    found = measured() if out is None else _written(out, about, measured, claim)
    text = dumps({**about, **found.to_dict()}, indent=2, allow_nan=False) + "\n" if json else ""
    withdraw = claim(found) if out is None else None  # what ended before this was no look
    for line in found.unreadable:
        sys.stderr.write(f"compoundnet: left out: {line}\n")
    _begin(text[:1] or f"{found.model} on {counted(found.metrics.n, 'picture')}; {found.run}\n", withdraw)
    if json:
        sys.stdout.write(text[1:])
    else:
        for line in about["warnings"]:
            write(f"Warning: {safe(line)}")
        _print(found, worst)
    return 1 if found.unreadable else 0


def _begin(opening: str, withdraw: Withdraw | None) -> None:
    """Write what comes before the figures; where that fails (the reader left, the disk is full) nobody saw one."""
    try:
        sys.stdout.write(opening)
        sys.stdout.flush()
    except OSError:
        if withdraw is not None:
            withdraw()
        raise


def _examples(data: str, split: Split | None, task: "Task") -> "Examples":
    from compoundnet.data import for_evaluation
    from compoundnet.data.joining import warnings_of

    examples = for_evaluation(data, split, task)
    for line in warnings_of(examples):
        sys.stderr.write(f"compoundnet: warning: {line}\n")
    return examples


def _measured(
    model: "Pretrained | Artefact", examples: "Examples", options: Mapping[str, Any], keep: str | None = None
) -> "Evaluation":
    from compoundnet.evaluating import evaluate as run

    with progress("pictures") as on_done:
        return run(model, examples, **options, keep=keep, on_done=on_done)


def _written(out: str, about: Mapping[str, Any], measured: Callable[[str], "Evaluation"], claim: Claim) -> "Evaluation":
    """The figures, in a file too; until they are there, scores lie beside it, for an interrupted command to go on."""
    if Path(out).suffix != ".json":
        raise ValueError(f"--out: {safe(out)}; the figures are a .json file")
    scores = f"{out}.scores"
    with whole(out) as file:
        try:
            found = measured(scores)
        except KeyboardInterrupt:
            sys.stderr.write(f"compoundnet: {safe(out)}: the same command goes on with it\n")
            raise
        file.write(dumps({**about, **found.to_dict()}, indent=1, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())  # a full disk is told here, before the look; the file has its name only after it
        claim(found)  # from here on the figures are seen
    Path(scores).unlink()
    return found


def _model(name: str, network: str | None) -> "Pretrained | Artefact":
    """The weights, or an exported file that is no weights file too."""
    if Path(name).suffix not in _EXPORTED:
        return loaded(name, network)
    from compoundnet.evaluating import artefact

    if network is not None:
        raise ValueError(f"{safe(name)}: an exported file brings its own network; leave --network out")
    return artefact(name)


def _mapping(name: str) -> dict[str, str]:
    """What classes of the data are called in the model."""
    read_text = text(Path(name), "a mapping is JSON")
    found = json_of(name, read_text) if read_text.strip() else None
    fits = isinstance(found, dict) and all(type(value) in (str, int) for value in found.values())
    if not fits:
        raise ValueError(
            f'{safe(name)}: not an object of names to names or indexes, such as {{"cats": "tabby", "x": 3}}'
        )
    return {key: str(value) for key, value in found.items()}


def _print(found: "Evaluation", worst: int) -> None:
    """How pictures went in, and the figures."""
    metrics = found.metrics
    write(seen_as(found.preprocess))
    low, high = (_shown(metrics.main, end) for end in metrics.interval)
    rows = [[_NAMES[name], _shown(name, value)] for name, value in metrics.values.items()]
    write_table(["Figure", "Value"], rows)
    write(f"95 % interval of {_NAMES[metrics.main]}: {low} to {high}")
    for name, value in found.published.items():
        write(f"Published with these weights: {_recorded(name, value)}, on the data set that they were measured on")
    for name, value in found.validation_during_training.items():
        write(f"Validation during training: {_recorded(name, value)}")
    _print_classes(metrics, worst)


def _print_classes(metrics: "Metrics", worst: int) -> None:
    """The classes that the model is worst at."""
    there = [each for each in metrics.per_class if each.n]
    regression = metrics.task == "regression"
    ordered = sorted(there, key=lambda each: -each.value if regression else each.value)[:worst]
    figure = {"multiclass": "top1", "multilabel": "mean_average_precision", "regression": "mae"}[metrics.task]
    head = {"multiclass": "Right", "multilabel": "Average precision", "regression": "Mean absolute error"}[metrics.task]
    rows = [[safe(each.name), f"{each.n:,}", _shown(figure, each.value)] for each in ordered]
    write(
        f"The worst {len(rows)} of {len(there)} classes:" if len(rows) < len(there) else "Each class, the worst first:"
    )
    write_table(["Class", "Pictures", head], rows)


def _recorded(name: str, value: float) -> str:
    """A figure of the weights' record, as it is there."""
    from compoundnet.weights.records import in_percent

    return f"{name} {value:g} %" if in_percent(name) else f"{name} {value:g}"


def _shown(name: str, value: float) -> str:
    if value != value:
        return "-"
    return f"{100 * value:.2f} %" if name in _PERCENT else f"{value:.4f}"
