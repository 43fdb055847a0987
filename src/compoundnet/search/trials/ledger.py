"""What the trials of one study are now: claims that run, and results that are recorded. Reads only what is new."""

from collections.abc import Iterator, Mapping
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
        self.claims: dict[int, Claim] = {}
        self.records: dict[int, Mapping[str, Any]] = {}  # of each key the first, in the order of their numbers
        self.numbers: dict[str, int] = {}  # of the records, by key
        self.deaths: dict[str, int] = {}  # how many workers died in a task, by its key

    def refresh(self) -> None:
        """Read what changed: the trials that were open, and those after them."""
        found = self._study.get_trials(deepcopy=False)
        changed = [*self._open, *range(self._next, len(found))]
        self._next = len(found)
        self._open.clear()
        self.claims.clear()
        ordered = True
        for number in changed:
            ordered &= self._take(found[number])
        if not ordered:
            self.records = dict(sorted(self.records.items()))

    def living(self, below: float) -> Iterator[str]:
        """The keys of what runs or is recorded under a number below one; a key may come twice."""
        for number, claim in self.claims.items():
            if number < below:
                yield claim.key
        for key, number in self.numbers.items():
            if number < below:
                yield key

    def _take(self, frozen: "FrozenTrial") -> bool:
        """Note a trial; False when the records are out of order by it."""
        from optuna.trial import TrialState

        attributes, number = frozen.user_attrs, frozen.number
        if not frozen.state.is_finished():
            self._open.append(number)
        if CLAIM not in attributes:  # another program's
            return True
        key = attributes[CLAIM]["key"]
        if not frozen.state.is_finished():
            self.claims[number] = _claim(self._study.study_name, number, attributes)
        elif frozen.state == TrialState.FAIL:
            self.deaths[key] = self.deaths.get(key, 0) + 1
        elif frozen.state == TrialState.COMPLETE and RECORD in attributes:
            return self._record(number, key, attributes[RECORD])
        return True

    def _record(self, number: int, key: str, record: Mapping[str, Any]) -> bool:
        before = self.numbers.get(key)
        if before is not None and before < number:  # the same work twice: the first is kept
            return True
        if before is not None:
            del self.records[before]
        ordered = next(reversed(self.records), -1) < number
        self.numbers[key], self.records[number] = number, record
        return ordered


def _claim(study: str, number: int, attributes: Mapping[str, Any]) -> Claim:
    told = attributes[CLAIM]
    count, promise = attributes.get(BEAT, (0, told["promise"]))
    point = None if told["point"] is None else tuple(told["point"])
    beat, record = Beat(count, promise), attributes.get(RECORD)
    ids = {"key": told["key"], "worker": told["worker"], "token": told["token"]}
    return Claim(study=study, number=number, point=point, beat=beat, record=record, **ids)
