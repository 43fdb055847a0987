"""The command that runs a model: predict."""

import csv as csv_
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from compoundnet.schema import require_count

from .output import whole, write, write_json
from .progress import progress
from .sources import read, text

if TYPE_CHECKING:
    from compoundnet.prediction import Prediction
    from compoundnet.weights import Pretrained

COLUMNS = ("path", "rank", "label", "index", "probability", "error")


def predict(
    paths: list[str],
    model: str = "efficientnet_lite0",
    top: int = 5,
    csv: str | None = None,
    batch: int = 8,
    network: str | None = None,
    labels: str | None = None,
    exact: bool = False,
    json: bool = False,
) -> int:
    """Name the most probable classes of pictures.

    Args:
        model: a name with weights (see models) or a weights file; default: efficientnet_lite0
        top: how many classes to name; default: 5
        csv: write the answers to this CSV file too, one row per class
        batch: how many pictures go through the model at once; default: 8
        network: the network of a bare weights file, by name or JSON file; default: recognised
        labels: a text file with one class name a line, in the order of the outputs
    """
    with whole(csv) if csv is not None else nullcontext() as file:
        pretrained = _loaded(model, network, labels, top, batch)
        with progress("pictures") as on_done, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # of odd metadata in pictures that are fine
            predictions = _predict(paths, pretrained, top=top, batch=batch, exact=exact, on_done=on_done)
        if file is not None:
            _write_csv(file, predictions)
    if json:
        write_json([prediction.to_dict() for prediction in predictions])
    else:
        for prediction in predictions:
            _print(prediction)
    failed = sum(prediction.error is not None for prediction in predictions)
    if failed:
        sys.stdout.flush()
        done = len(predictions) - failed
        sys.stderr.write(f"compoundnet: error: {failed} of {len(predictions)} pictures failed, {done} done\n")
    return 1 if failed else 0


def _loaded(model: str, network: str | None, labels: str | None, top: int, batch: int) -> "Pretrained":
    """The weights, with the class names of a file where one is given."""
    from compoundnet.weights import load

    require_count(top, "top")
    require_count(batch, "batch")
    pretrained = load(model, network=None if network is None else read(network).network)
    for note in pretrained.report.assumed:
        sys.stderr.write(f"compoundnet: {model}: assumed: {note}\n")
    if labels is None:
        return pretrained
    names = tuple(text(Path(labels), "class names").split("\n"))
    names = names[:-1] if names[-1] == "" else names
    return replace(pretrained, weights=replace(pretrained.weights, classes=names))


def _predict(paths: list[str], pretrained: "Pretrained", **options: Any) -> "list[Prediction]":
    from compoundnet.prediction import predict

    return predict(paths, pretrained, **options)


def _print(prediction: "Prediction") -> None:
    if prediction.error is not None:
        sys.stdout.flush()
        sys.stderr.write(f"compoundnet: error: {prediction.error}\n")
        return
    lines = [f"  {100 * t.probability:5.1f} %  {_safe(t.label)} ({t.index})" for t in prediction.top]
    write("\n".join([_safe(prediction.path), *lines]))


def _safe(text: str) -> str:
    """Names come from files: what would steer the terminal is written out."""
    return text if text.isprintable() else ascii(text)


def _write_csv(file: TextIO, predictions: "Sequence[Prediction]") -> None:
    """One row per class; one row with the error for a picture that failed."""
    writer = csv_.writer(file)
    writer.writerow(COLUMNS)
    for prediction in predictions:
        if prediction.error is not None:
            writer.writerow((prediction.path, "", "", "", "", prediction.error))
        for rank, label in enumerate(prediction.top, 1):
            writer.writerow((prediction.path, rank, label.label, label.index, label.probability, ""))
