"""Finished trials of a study in a store, of a folder of trials, or of a table: trials.csv."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from compoundnet.schema import counted, near, shown
from compoundnet.search.trial import Trial
from compoundnet.search.trials.opening import JOURNAL, say_on_stderr
from compoundnet.search.trials.reading import chosen, read_journal
from compoundnet.search.trials.records import trial_of
from compoundnet.search.whereabouts import kept_at

from .trained import Observed

_CHOICE, _COST = "choice ", "cost "
_COSTS = ("macs", "params", "depth", "activations", "latency")  # columns that may stand without the word


def read_observed(where: str, study: str | None = None) -> tuple[Observed, ...]:
    """The finished trials at ``where``; a study's name is needed where a store has several.

    A table has the columns "accuracy" (a share), "cost NAME" and "choice NAME", and may have "state", "seconds",
    "epochs", "images", "data" and "resolution". Raises ValueError, one line, for a place that is not there, a damaged
    one, and an unknown study.
    """
    path = Path(where)
    if "://" not in where and not path.exists():
        raise ValueError(f"{where}: there is no such file; give a trial journal, postgresql://..., or a trials.csv")
    if path.suffix.lower() == ".csv" and path.is_file():
        if study is not None:
            raise ValueError(f"--study {study}: a table has no studies; leave it out")
        return tuple(_of_table(path))
    if (kept := kept_at(path)) is not None:
        where, path, study = kept[0], Path(kept[0]), study or kept[1]
        if "://" not in where and not path.is_file():
            raise ValueError(f"{where}: there is no such journal, and the search's folder names it; put it back")
    elif (path / JOURNAL).is_file():
        path = path / JOURNAL
    if path.is_file():
        trials = _of_journal(path, study)
    else:
        trials = _of_folder(path, study) if path.is_dir() else _of_database(where, study)
    return tuple(_observed(each) for each in trials if each.state == "finished" and each.accuracy is not None)


def _of_journal(path: Path, study: str | None) -> Iterable[Trial]:
    """Read without a lock, and nothing is written: a half-written last record is left out."""
    try:
        journal = read_journal(path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    if journal.torn:
        say_on_stderr(f"{path.name} ends in a half-written record: {counted(journal.torn, 'byte')} left out")
    read = journal.studies[chosen(str(path), study, list(journal.studies))]
    return [trial_of(record["trial"]) for record in read.records.values()]


def _of_database(where: str, study: str | None) -> Iterable[Trial]:
    from compoundnet.search.trials import Study, open_store

    with open_store(where) as store:
        return Study(store, chosen(store.name, study, store.keep_trying(store.study_names)), {}).trials


def _of_folder(path: Path, study: str | None) -> Iterable[Trial]:
    if study is not None:
        raise ValueError(f"--study {study}: a folder of trials has no studies; leave it out")
    inner = path / "trials"
    files = sorted((inner if inner.is_dir() else path).glob("*.json"))
    found = []
    for file in files:
        if len(file.stem) == 64:  # the trial's key
            try:
                found.append(trial_of(json.loads(file.read_text(encoding="utf-8"))))
            except ValueError as error:
                raise ValueError(f"{file}: damaged ({error}); move it away, and it is trained again") from None
    if not found:
        raise ValueError(f"{path}: a folder without trials; give the journal, or the folder, of a search")
    return found


def _observed(trial: Trial) -> Observed:
    network = trial.task.network
    options = () if trial.point is None else tuple(map(str, trial.point))
    costs = {**_finite(trial.costs), "resolution": float(network.resolution), "blocks": float(network.blocks)}
    pictures = trial.facts.get("images", 0)
    return Observed(
        name=json.dumps(network.to_dict(), sort_keys=True),
        choices=options,
        costs=costs,
        accuracy=trial.accuracy or 0.0,
        seconds=trial.seconds,
        fidelity=(trial.task.recipe.epochs, pictures if isinstance(pictures, int) else 0, trial.task.data),
        network=network,
        curve=trial.curve if all(map(math.isfinite, trial.curve)) else (),
    )


def _finite(costs: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in costs.items() if math.isfinite(value)}


def _of_table(path: Path) -> Iterator[Observed]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            head = reader.fieldnames or ()
            if "accuracy" not in head:
                raise ValueError(f"{path}: no column named accuracy; {near('accuracy', head)}")
            for row in reader:
                if row.get("state") in (None, "", "finished") and row["accuracy"]:
                    yield _of_row(row, f"{path}, line {reader.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read as a table ({error})") from None


def _of_row(row: Mapping[str, str], where: str) -> Observed:
    accuracy = _number(row["accuracy"], f"{where}: accuracy")
    if not 0 <= accuracy <= 1:
        raise ValueError(f"{where}: accuracy {accuracy:g} is no share in [0, 1]")
    choices = tuple(value for name, value in row.items() if name and name.startswith(_CHOICE))
    named = {name.removeprefix(_COST): value for name, value in row.items() if name and _is_cost(name) and value}
    costs = {name: _number(value, f"{where}: {name}") for name, value in named.items()}
    optional = {n: _number(row.get(n) or "0", f"{where}: {n}") for n in ("seconds", "epochs", "images", "resolution")}
    return Observed(
        name=json.dumps([choices, optional["resolution"], sorted(costs.items())]),
        choices=choices,
        costs=costs,
        accuracy=accuracy,
        seconds=optional["seconds"],
        fidelity=(optional["epochs"], int(optional["images"]), row.get("data") or ""),
    )


def _is_cost(name: str) -> bool:
    return name.startswith(_COST) or name in _COSTS


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{where}: {shown(text)} is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"{where}: {text} is not finite; leave the row out")
    return value
