"""Reading a journal without Optuna, and without a lock: for reports. Nothing is written, a torn tail is left out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compoundnet.schema import near, shown

from .damage import first_damaged_line, is_journal
from .failing import TrialsError
from .ledger import CLAIM, RECORD, counting
from .loading import uncollected
from .store import AGAIN

_RUNNING, _COMPLETE, _WAITING = 0, 1, 4  # Optuna's states of a trial; the rest are ends without a result


@dataclass
class Read:
    """A study as a store holds it: its attributes, and the record of each key that counts, by number.

    It is what ``ledger.counting`` says.
    """

    name: str
    attributes: dict[str, Any] = field(default_factory=dict)
    records: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)  # of the records, as they were claimed
    running: int = 0


@dataclass(frozen=True)
class Journal:
    """All studies of a journal by name, and how many bytes of a half-written last line were left out."""

    studies: Mapping[str, Read]
    torn: int


def read_journal(path: Path) -> Journal:
    """Replay a journal as Optuna does. Raises OSError, and TrialsError with the line where its middle is damaged."""
    if not is_journal(path):
        problem = "is no journal of trials: line 1 is no record"
        raise TrialsError(f"{path} {problem}; name the journal, or the folder, of a search")
    with uncollected():
        lines = path.read_bytes().split(b"\n")
        torn = len(lines.pop())  # what follows the last newline
        replay = _Replay()
        for number, line in enumerate(lines, 1):
            try:
                replay.apply(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                if number < len(lines) or not isinstance(error, ValueError):
                    raise _damaged(path, f"line {first_damaged_line(path) or number:,} is no record") from None
                torn += len(line) + 1
        try:
            return Journal(replay.studies(), torn)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(path, f"a record is none of ours ({error!r})") from None


def chosen(where: str, study: str | None, names: Sequence[str]) -> str:
    """The study that was named, or the only one of a store. Raises TrialsError, one line, for none, or several."""
    if not names:
        raise TrialsError(f"{where} holds no study; name the store of a search")
    if study is None and len(names) > 1:
        listed = ", ".join(map(shown, names[:12])) + (", ..." if len(names) > 12 else "")
        raise TrialsError(f"{where} holds {len(names)} studies; choose one with --study: {listed}")
    if study is not None and study not in names:
        raise TrialsError(f"{where} holds no study {shown(study)}; {near(study, names)}")
    return names[0] if study is None else study


def _damaged(path: Path, what: str) -> TrialsError:
    return TrialsError(f"{path}: {what}; take out that line, or put back a copy of the file; nothing was changed")


@dataclass
class _Trial:
    number: int
    state: int
    attributes: dict[str, Any]


class _Replay:
    """Optuna's own rules: what names a study or trial that is not there, or one that has ended, counts for nothing."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}  # of the studies that are not deleted
        self._begun = 0
        self._attributes: dict[int, dict[str, Any]] = {}
        self._of: dict[int, list[_Trial]] = {}
        self._trials: list[_Trial] = []

    def apply(self, log: Mapping[str, Any]) -> None:
        match log["op_code"]:
            case 0:
                if log["study_name"] not in self._names.values():
                    self._names[self._begun] = log["study_name"]
                    self._attributes[self._begun], self._of[self._begun] = dict[str, Any](), list[_Trial]()
                    self._begun += 1
            case 1:
                self._names.pop(log["study_id"], None)
            case 2 if log["study_id"] in self._names:
                self._attributes[log["study_id"]].update(log["user_attr"])
            case 4 if log["study_id"] in self._names:
                of = self._of[log["study_id"]]
                of.append(_Trial(len(of), log.get("state", _RUNNING), dict(log.get("user_attrs", {}))))
                self._trials.append(of[-1])
            case 6 | 8 if (trial := self._open(log["trial_id"])) is not None:
                if log["op_code"] == 6:
                    trial.state = log["state"]
                else:
                    trial.attributes.update(log["user_attr"])
            case code if code not in range(11):
                raise ValueError(code)

    def _open(self, number: int) -> _Trial | None:
        found = self._trials[number] if 0 <= number < len(self._trials) else None
        return found if found is not None and found.state in (_RUNNING, _WAITING) else None

    def studies(self) -> dict[str, Read]:
        """What was read so far."""
        return {name: _read(name, self._attributes[number], self._of[number]) for number, name in self._names.items()}


def _read(name: str, attributes: dict[str, Any], trials: list[_Trial]) -> Read:
    found, results = Read(name, attributes), dict[str, dict[int, Mapping[str, Any]]]()
    reopened = {number for key, numbers in attributes.items() if key.startswith(AGAIN) for number in numbers}
    for number, key, record in _recorded(trials):
        results.setdefault(key, {})[number] = record
    firsts = {counting(of_key, reopened): key for key, of_key in results.items()}
    for number, key in sorted((number, key) for number, key in firsts.items() if number is not None):
        found.records[number], found.keys[number] = results[key][number], key
    found.running = sum(trial.state in (_RUNNING, _WAITING) and CLAIM in trial.attributes for trial in trials)
    return found


def _recorded(trials: list[_Trial]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for trial in trials:
        attributes = trial.attributes
        if trial.state == _COMPLETE and CLAIM in attributes and RECORD in attributes:
            yield trial.number, str(attributes[CLAIM]["key"]), dict(attributes[RECORD])
