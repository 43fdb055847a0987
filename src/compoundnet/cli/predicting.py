"""The command that runs a model: predict."""

import csv as csv_
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, TextIO

from .output import whole, write, write_json
from .progress import progress

if TYPE_CHECKING:
    from compoundnet.prediction import Prediction

COLUMNS = ("path", "rank", "label", "index", "probability", "error")


def predict(
    paths: list[str],
    model: str = "efficientnet_lite0",
    top: int = 5,
    csv: str | None = None,
    batch: int = 8,
    exact: bool = False,
    json: bool = False,
) -> int:
    """Name the most probable classes of pictures.

    Args:
        model: a name with weights (see models) or a weights file; default: efficientnet_lite0
        top: how many classes to name; default: 5
        csv: write the answers to this CSV file too, one row per class
        batch: how many pictures go through the model at once; default: 8
    """
    with whole(csv) if csv is not None else nullcontext() as file:
        predictions = _predicted(paths, model, top, batch, exact)
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


def _predicted(paths: list[str], model: str, top: int, batch: int, exact: bool) -> "list[Prediction]":
    from compoundnet.prediction import predict
    from compoundnet.schema import require_count
    from compoundnet.weights import load

    require_count(top, "top")
    require_count(batch, "batch")
    pretrained = load(model)
    for note in pretrained.report.assumed:
        sys.stderr.write(f"compoundnet: {model}: assumed: {note}\n")
    with progress("pictures") as on_done, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # of odd metadata in pictures that are fine
        return predict(paths, pretrained, top=top, batch=batch, exact=exact, on_done=on_done)


def _print(prediction: "Prediction") -> None:
    if prediction.error is not None:
        sys.stdout.flush()
        sys.stderr.write(f"compoundnet: error: {prediction.error}\n")
        return
    path = prediction.path if prediction.path.isprintable() else ascii(prediction.path)
    write("\n".join([path, *(f"  {100 * t.probability:5.1f} %  {t.label} ({t.index})" for t in prediction.top)]))


def _write_csv(file: TextIO, predictions: "Sequence[Prediction]") -> None:
    """One row per class; one row with the error for a picture that failed."""
    writer = csv_.writer(file)
    writer.writerow(COLUMNS)
    for prediction in predictions:
        if prediction.error is not None:
            writer.writerow((prediction.path, "", "", "", "", prediction.error))
        for rank, label in enumerate(prediction.top, 1):
            writer.writerow((prediction.path, rank, label.label, label.index, label.probability, ""))
