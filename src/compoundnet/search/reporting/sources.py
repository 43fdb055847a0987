"""Where a report's trials come from: a journal, a database, or a coefficient search's folder. Read, not changed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compoundnet.schema import FieldError, counted, shown
from compoundnet.search.trials.about import ABOUT, About
from compoundnet.search.trials.failing import TrialsError
from compoundnet.search.trials.ledger import Ledger
from compoundnet.search.trials.loading import uncollected
from compoundnet.search.trials.opening import JOURNAL, open_store, say_on_stderr
from compoundnet.search.trials.reading import Read, chosen, read_journal
from compoundnet.search.trials.store import IDENTITY
from compoundnet.search.whereabouts import kept_at

_COEFFICIENTS = (
    "A coefficient search fixes its choice before fresh seeds are compared: what it chose, and by which name, is in "
    "the report.json and net.json of its own folder, and may be another network than the best of all trials."
)
_TRIALS = "trials"  # in the folder of an older search: its trials, one a file


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The recorded trials of one study as JSON values, in the order in which they were begun.

    ``about`` is None where nobody wrote down space and objective. Those of a folder are ``ordered`` by key only, and
    have no reward. ``notes`` say what is missing, a sentence each.
    """

    where: str
    study: str
    records: tuple["Record", ...]
    about: About | None = None
    ordered: bool = True
    running: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One trial: its number in the study, its key, its JSON values and its reward (None: it has none)."""

    number: int
    key: str
    trial: Mapping[str, Any]
    reward: float | None


def read_kept(where: str | Path, study: str | None = None) -> Kept:
    """The trials of a study at ``where``; of the only one when none is named.

    Raises TrialsError, one line, for a store that is not there, a damaged one, an unknown study, several studies of
    which none was named, and a study without a recorded trial.
    """
    text = str(where)
    found = _of_database(text, study) if "://" in text else _of_path(Path(text), study)
    if not found.records:
        running = f"{counted(found.running, 'trial runs', 'trials run')}; " if found.running else ""
        raise TrialsError(
            f"study {shown(found.study)} in {found.where} has no recorded trial; {running}report when one has ended"
        )
    return found


def _of_path(path: Path, study: str | None) -> Kept:
    if (kept := kept_at(path)) is not None:
        store, its = kept
        return _of_database(store, study or its) if "://" in store else _of_path(Path(store), study or its)
    if (path / JOURNAL).is_file():
        path = path / JOURNAL
    if path.is_dir():
        return _of_folder(path, study)
    if not path.is_file():
        raise TrialsError(f"{path}: there is no such journal or folder; name the journal file of the search")
    try:
        journal = read_journal(path)
    except OSError as error:
        raise TrialsError(f"{path}: cannot be read ({error.strerror})") from None
    ours = {name: read for name, read in journal.studies.items() if _identity(read.attributes) is not None}
    torn = f"{path.name} ends in a half-written record: {counted(journal.torn, 'byte')} left out."
    return _kept(str(path), ours[chosen(str(path), study, list(ours))], (torn,) if journal.torn else ())


def _of_database(where: str, study: str | None) -> Kept:
    from optuna import load_study
    from optuna.samplers import RandomSampler

    with open_store(where, say=say_on_stderr) as store:
        name = chosen(store.name, study, store.keep_trying(store.study_names))

        def read() -> Read:
            frozen = load_study(study_name=name, storage=store.storage, sampler=RandomSampler(seed=0))
            ledger = Ledger(frozen)
            with uncollected():
                ledger.refresh(store.reopened().get(name, ()))
            keys = {number: key for key, number in ledger.numbers.items()}
            return Read(name, dict(frozen.user_attrs), dict(ledger.records), keys, len(ledger.claims))

        return _kept(store.name, store.keep_trying(read), ())


def _kept(where: str, read: Read, notes: tuple[str, ...]) -> Kept:
    about, why = _about(read.attributes)
    records = tuple(
        Record(number, read.keys[number], record.get("trial", {}), record.get("reward"))
        for number, record in read.records.items()
    )
    return Kept(
        where=where,
        study=read.name,
        records=records,
        about=about,
        running=read.running,
        notes=(*notes, why) if why else notes,
    )


def _about(attributes: Mapping[str, Any]) -> tuple[About | None, str]:
    """What the study says of itself, or why not."""
    if ABOUT not in attributes and "search" in (_identity(attributes) or {}):
        return None, _COEFFICIENTS
    if ABOUT not in attributes:
        return None, "The study was begun without its space and objective: its choices have numbers, no names."
    try:
        found = About.from_dict(attributes[ABOUT])
    except FieldError as error:
        return None, f"What the study says of itself cannot be read ({error}): its choices have numbers, no names."
    digest = (_identity(attributes) or {}).get("space")
    if digest not in (None, found.space.digest):
        return None, "The space that is written down is not the study's: its choices have numbers, no names."
    return found, ""


def _identity(attributes: Mapping[str, Any]) -> Mapping[str, str] | None:
    return next((value for key, value in attributes.items() if key.startswith(IDENTITY)), None)


def _of_folder(path: Path, study: str | None) -> Kept:
    folder = path / _TRIALS if (path / _TRIALS).is_dir() else path
    if study is not None:
        raise TrialsError(f"{path} is a folder of trials, without studies; leave --study out")
    files = sorted(file for file in folder.glob("*.json") if len(file.stem) == 64)
    if not files:
        raise TrialsError(f"{path} holds neither trials nor {JOURNAL}; name the journal or the folder of a search")
    return Kept(
        where=str(path),
        study=path.resolve().name,
        records=tuple(_read_files(files)),
        ordered=False,
        notes=(
            "A folder of trials keeps no order, no space and no objective: the reward is the accuracy.",
            "Networks of several budgets may lie in it: what the search itself decided is in its report.json.",
        ),
    )


def _read_files(files: list[Path]) -> Iterator[Record]:
    for number, file in enumerate(files):
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrialsError(f"{file}: damaged ({error}); move it away, and it is trained again") from None
        if not isinstance(data, dict):
            raise TrialsError(f"{file}: holds no trial; move it away")
        accuracy = data.get("accuracy")
        yield Record(number, file.stem, data, accuracy if isinstance(accuracy, float | int) else None)
