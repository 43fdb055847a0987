"""Study: the trials of one search in a store, and the claims by which no work is done twice."""

import math
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from compoundnet.schema import FieldError, shown
from compoundnet.search.space import Point
from compoundnet.search.trial import Task, Trial

from .failing import TrialsError, passing_errors
from .leases import BEAT as EVERY
from .leases import Beat, Watch, Written
from .ledger import BEAT, CLAIM, RECORD, Claim, Ledger
from .loading import uncollected
from .process import myself
from .records import record_of

if TYPE_CHECKING:
    from optuna.trial import TrialState

    from .store import Store

Refusal: TypeAlias = Literal["recorded", "running", "full"]
TRIES = 3  # of a trial that fails, each in another search
SHARED = ("finished", "diverged")  # states that the task alone determines


class Study:
    """Made by ``Store.study``. Methods raise StoreLostError when the store does not answer for long.

    What it knows is from its last ``refresh``, which every claim and every end of a trial makes.
    """

    def __init__(self, store: "Store", name: str, identity: Mapping[str, str]) -> None:
        self.store, self.name, self.identity = store, name, dict(identity)
        self._ledgers: dict[str, Ledger] = {}
        self._trials: dict[int, Trial] = {}
        self._mine: set[str] = set()  # tokens
        self.refresh()

    # --- reading

    def refresh(self) -> None:
        """Read what changed in all studies of the store."""
        self.store.keep_trying(self._read)

    def glance(self) -> None:
        """``refresh`` for who can do without: a store that does not answer leaves what is known."""
        with suppress(*passing_errors()):
            self._read()

    def _read(self) -> None:
        from optuna import load_study
        from optuna.samplers import RandomSampler

        reopened = self.store.reopened()
        for name in {self.name: None, **reopened}:
            if name not in self._ledgers:
                study = load_study(study_name=name, storage=self.store.storage, sampler=RandomSampler(seed=0))
                self._ledgers[name] = Ledger(study)
            with uncollected():
                self._ledgers[name].refresh(reopened.get(name, ()))

    @property
    def trials(self) -> Sequence[Trial]:
        """The recorded ones, in the order of their numbers."""
        return list(self.numbered.values())

    @property
    def numbered(self) -> Mapping[int, Trial]:
        """The recorded trials by number, in order."""
        known = self._trials
        records = self._own.records
        with uncollected():
            self._trials = {n: known[n] if n in known else self._decoded(n, record) for n, record in records.items()}
        return self._trials

    @property
    def results(self) -> int:
        """How many results were ever recorded, with those of work that was done again."""
        return self._own.results

    def has(self, key: str) -> bool:
        """Whether a task's result is recorded."""
        return key in self._own.numbers

    def trial(self, key: str) -> Trial | None:
        """The recorded trial of a task."""
        number = self._own.numbers.get(key)
        return None if number is None else self._trials.get(number) or self.numbered[number]

    @property
    def again(self) -> Sequence[Trial]:
        """Trials that failed in an earlier search, and are to be done again."""
        return [self.store.reading.trial(record["trial"]) for record in self._own.again]

    @property
    def claims(self) -> Sequence[Claim]:
        """What runs, or was running when its worker died."""
        return list(self._own.claims.values())

    def deaths(self, key: str) -> int:
        """How many workers died in a task."""
        return self._own.deaths.get(key, 0)

    def failures(self, key: str) -> int:
        """How often a task failed in earlier searches."""
        return self._own.failures(key)

    def elsewhere(self, key: str) -> tuple[str, Trial] | None:
        """The study that has this task's result already, and the result."""
        for name, ledger in self._ledgers.items():
            if name != self.name and key in ledger.numbers:
                record = ledger.records[ledger.numbers[key]]["trial"]
                if record["state"] in SHARED:
                    return name, self.store.reading.trial(record)
        return None

    # --- claiming

    def claim(self, task: Task, point: Point | None, limit: int | None, every: float = EVERY) -> Claim | Refusal:
        """The right to do a task, or why not: it is "recorded", "running", or the study is "full".

        ``limit`` is the study's number of trials in all. The claim is written first and looked at afterwards: numbers
        are given by the storage one after the other, so every claim of a lower number is seen by then, and the lowest
        wins. Claims of other studies have no common order: there both may withdraw, and ask again.
        """
        self._require_readable(task)
        self.refresh()
        if refusal := self._refusal(task.key, math.inf, limit):
            return refusal
        claim = self._created(task.key, point, uuid.uuid4().hex, every)
        if refusal := self._refusal(task.key, claim.number, limit):
            self.withdraw(claim)
            return refusal
        return claim

    def withdraw(self, claim: Claim) -> None:
        """Give a claim up."""
        from optuna.trial import TrialState

        self._end(claim, TrialState.PRUNED)

    def beat(self, claim: Claim, beat: Beat) -> Written:
        """Write a sign of life; "ended" when the claim is no longer held, "lost" when the store does not answer."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            self.store.storage.set_trial_user_attr(self._id(claim), BEAT, [beat.count, beat.promise])
        except UpdateFinishedTrialError:
            return "ended"
        except passing_errors():
            return "lost"
        return "written"

    def reap(self, watch: Watch) -> int:
        """End the claims of dead workers, in all studies, so that their trials are done again. Says how many."""
        from optuna.trial import TrialState

        found = [claim for ledger in self._ledgers.values() for claim in ledger.claims.values()]
        dead = [c for c in found if c.token not in self._mine and watch.is_dead(c.name, c.worker, c.beat)]
        for claim in dead:
            whole = claim.record is not None  # it died between its two last words
            self._end(claim, TrialState.COMPLETE if whole else TrialState.FAIL, claim.record)
        if dead:
            self.refresh()
        return len(dead)

    def reopen(self) -> int:
        """Let the trials that failed be done again, each up to ``TRIES`` times in all. Says how many."""
        self.refresh()
        own = self._own
        failed = [key for key, number in own.numbers.items() if own.records[number]["trial"]["state"] == "failed"]
        numbers = [own.numbers[key] for key in failed if own.failures(key) + 1 < TRIES]
        if numbers:
            self.store.reopen(self.name, numbers)
            self.refresh()
        return len(numbers)

    def release(self, workers: Collection[str]) -> None:
        """Give up the claims of workers that were stopped on purpose."""
        self.refresh()
        for claim in self.claims:
            if claim.worker in workers:
                self.withdraw(claim)

    # --- recording

    def record(self, claim: Claim, trial: Trial, reward: float, limit: int | None) -> bool:
        """Write the result of a claimed task; False when another result of it was recorded first, and this dropped.

        A worker that was slow, so that its claim was ended by others, records as well if it is the first after all.
        """
        whole = {"trial": record_of(trial), "reward": reward if math.isfinite(reward) else None}
        return self.store.keep_trying(lambda: self._recorded(claim, whole, limit))

    def _recorded(self, claim: Claim, record: Mapping[str, Any], limit: int | None) -> bool:
        self.refresh()
        if claim.key in self._own.numbers:
            self.withdraw(claim)
            return self._own.numbers[claim.key] == claim.number  # an earlier try whose answer was lost
        if claim.number in self._own.claims and self._complete(claim, record):
            return True
        late = self._created(claim.key, claim.point, f"{claim.token} late", EVERY)
        taken = self._own.numbers.get(claim.key)
        if taken is not None or self._is_full(claim.key, late.number, limit):
            self.withdraw(late)
            return taken == claim.number
        return self._complete(late, record)

    def _complete(self, claim: Claim, record: Mapping[str, Any]) -> bool:
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        try:
            self.store.storage.set_trial_user_attr(self._id(claim), RECORD, dict(record))
        except UpdateFinishedTrialError:
            return False
        done = self._end(claim, TrialState.COMPLETE, record)
        self.refresh()
        return done

    # --- writing

    @property
    def _own(self) -> Ledger:
        return self._ledgers[self.name]

    def _decoded(self, number: int, record: Mapping[str, Any]) -> Trial:
        try:
            return self.store.reading.trial(record["trial"])
        except FieldError as error:
            raise TrialsError(f"{self.store.name}: trial {number} of study {shown(self.name)}: {error}") from None

    def _require_readable(self, task: Task) -> None:
        try:
            self.store.reading.require_known(task.network)
        except FieldError as error:
            raise TrialsError(str(error)) from None

    def _id(self, claim: Claim) -> int:
        storage = self.store.storage
        return storage.get_trial_id_from_study_id_trial_number(
            storage.get_study_id_from_name(claim.study), claim.number
        )

    def _refusal(self, key: str, number: float, limit: int | None) -> Refusal | None:
        if key in self._own.numbers:
            return "recorded"
        for name, ledger in self._ledgers.items():
            before = number if name == self.name else math.inf
            if any(claim.key == key and claim.number < before for claim in ledger.claims.values()):
                return "running"
        return "full" if self._is_full(key, number, limit) else None

    def _is_full(self, key: str, number: float, limit: int | None) -> bool:
        """Whether ``limit`` other tasks have lower numbers: then this one, recorded, would be one too many."""
        return limit is not None and len({*self._own.living(number)} - {key}) >= limit

    def _created(self, key: str, point: Point | None, token: str, every: float) -> Claim:
        from optuna.trial import TrialState, create_trial

        told = {"key": key, "point": point, "worker": myself(), "token": token, "promise": every}

        def create() -> Claim:
            self.refresh()
            if not (mine := self._of(token)):
                storage = self.store.storage
                made = create_trial(state=TrialState.RUNNING, user_attrs={CLAIM: told})
                storage.create_new_trial(storage.get_study_id_from_name(self.name), made)
                self.refresh()
                mine = self._of(token)
            for twice in mine[1:]:  # Optuna tried again where only the answer was lost
                self.withdraw(twice)
            return mine[0]

        self._mine.add(token)
        return self.store.keep_trying(create)

    def _of(self, token: str) -> list[Claim]:
        return [claim for claim in self._own.claims.values() if claim.token == token]

    def _end(self, claim: Claim, state: "TrialState", record: Mapping[str, Any] | None = None) -> bool:
        """Set a claim's state; False when it has one already."""
        from optuna.exceptions import UpdateFinishedTrialError

        reward = None if record is None else record["reward"]
        values = None if record is None else [-math.inf if reward is None else reward]

        def end() -> bool:
            try:
                return self.store.storage.set_trial_state_values(self._id(claim), state, values)
            except UpdateFinishedTrialError:
                return False

        return self.store.keep_trying(end)
