"""What the trials of one study are now: claims that run, and results that are recorded. Reads only what is new."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compoundnet.search.space import Point

from .leases import Beat

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.trial import FrozenTrial

CLAIM, RECORD, BEAT = "claim", "record", "beat"  # attributes of a trial in Optuna's storage


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A trial that was begun and not recorded. ``token`` says whose it is, whatever answer was lost on the way."""

    study: str
    number: int
    key: str
    point: Point | None
    worker: str
    token: str
    beat: Beat
    record: Mapping[str, Any] | None = field(default=None, compare=False)  # written, but its state is not yet

    @property
    def name(self) -> str:
        """One for each in a store."""
        return f"{self.study}#{self.number}"


class Ledger:
    """A study's trials by number, as they were read last.

    In Optuna's terms a claim is RUNNING, a recorded trial COMPLETE, one whose worker died FAIL, and one that was
    withdrawn (somebody else was first) PRUNED.
    """

    def __init__(self, study: "OptunaStudy") -> None:
        self._study = study
        self._next = 0  # numbers below are settled, or open
        self._open: list[int] = []
        self._found: dict[str, dict[int, Mapping[str, Any]]] = {}  # all results by key, also of work done twice
        self._keys: dict[int, str] = {}  # of those results
        self._reopened: set[int] = set()  # failed results that are to be done again
        self._ordered = True
        self.claims: dict[int, Claim] = {}
        self.records: dict[int, Mapping[str, Any]] = {}  # of each key the first, in the order of their numbers
        self.numbers: dict[str, int] = {}  # of the records, by key
        self.deaths: dict[str, int] = {}  # how many workers died in a task, by its key

    def refresh(self, reopened: Collection[int] = ()) -> None:
        """Read what changed: the trials that were open, and those after them. ``reopened`` results count no more."""
        self._reopen({*reopened} - self._reopened)
        found = self._study.get_trials(deepcopy=False)
        changed = [*self._open, *range(self._next, len(found))]
        self._next = len(found)
        self._open.clear()
        self.claims.clear()
        for number in changed:
            self._take(found[number])
        if not self._ordered:
            self.records, self._ordered = dict(sorted(self.records.items())), True

    @property
    def results(self) -> int:
        """How many results were ever recorded, also those that count no more: never fewer than before."""
        return len(self._keys)

    def failures(self, key: str) -> int:
        """How many results of a task failed and were reopened."""
        return sum(number in self._reopened for number in self._found.get(key, ()))

    @property
    def again(self) -> list[Mapping[str, Any]]:
        """The reopened results whose tasks have no other yet, and do not run."""
        running = {claim.key for claim in self.claims.values()}
        keys = dict.fromkeys(self._keys[number] for number in sorted(self._reopened) if number in self._keys)
        left = [key for key in keys if key not in self.numbers and key not in running]
        return [self._found[key][max(self._found[key])] for key in left]

    def living(self, below: float) -> Iterator[str]:
        """The keys of what runs or is recorded under a number below one; a key may come twice."""
        for number, claim in self.claims.items():
            if number < below:
                yield claim.key
        for key, number in self.numbers.items():
            if number < below:
                yield key

    def _take(self, frozen: "FrozenTrial") -> None:
        from optuna.trial import TrialState

        attributes, number = frozen.user_attrs, frozen.number
        if not frozen.state.is_finished():
            self._open.append(number)
        if CLAIM not in attributes:  # another program's
            return
        key = attributes[CLAIM]["key"]
        if not frozen.state.is_finished():
            self.claims[number] = _claim(self._study.study_name, number, attributes)
        elif frozen.state == TrialState.FAIL:
            self.deaths[key] = self.deaths.get(key, 0) + 1
        elif frozen.state == TrialState.COMPLETE and RECORD in attributes:
            self._found.setdefault(key, {})[number] = attributes[RECORD]
            self._keys[number] = key
            self._settle(key)

    def _reopen(self, numbers: Collection[int]) -> None:
        self._reopened |= {*numbers}
        for key in {self._keys[number] for number in numbers if number in self._keys}:
            self._settle(key)

    def _settle(self, key: str) -> None:
        first = counting(self._found[key], self._reopened)
        before = self.numbers.pop(key, None)
        if before is not None and before != first:
            del self.records[before]
        if first is None:
            return
        self.numbers[key] = first
        if before != first:
            self._ordered &= next(reversed(self.records), -1) < first
            self.records[first] = self._found[key][first]


def counting(results: Mapping[int, Mapping[str, Any]], reopened: Collection[int] = ()) -> int | None:
    """Of a task's results by number, the one that counts: the first, but the first that did not fail where one did not.

    None where all were ``reopened``.

    >>> failed, finished = {"trial": {"state": "failed"}}, {"trial": {"state": "finished"}}
    >>> counting({3: finished, 5: finished}), counting({3: failed, 5: finished}), counting({3: failed, 5: failed})
    (3, 5, 3)
    >>> counting({3: failed, 5: failed}, {3}), counting({3: failed}, {3})
    (5, None)
    """
    left = [number for number in results if number not in reopened]
    good = [number for number in left if not _failed(results[number])]
    return min(good or left, default=None)


def _failed(result: Mapping[str, Any]) -> bool:
    trial = result.get("trial")
    return isinstance(trial, Mapping) and trial.get("state") == "failed"


def _claim(study: str, number: int, attributes: Mapping[str, Any]) -> Claim:
    told = attributes[CLAIM]
    count, promise = attributes.get(BEAT, (0, told["promise"]))
    point = None if told["point"] is None else tuple(told["point"])
    beat, record = Beat(count, promise), attributes.get(RECORD)
    ids = {"key": told["key"], "worker": told["worker"], "token": told["token"]}
    return Claim(study=study, number=number, point=point, beat=beat, record=record, **ids)
