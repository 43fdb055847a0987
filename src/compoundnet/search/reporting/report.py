"""Report: everything that is said of a study, as one value; and the same as JSON values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.scaling import Rounding
from compoundnet.schema import FieldError, counted
from compoundnet.search.objective import Objective
from compoundnet.search.predictors.ranking import Interval

from .decisions import Decisions, decisions_of
from .entries import Entry, best, best_so_far, costs_of, entries_of, front
from .importance import Importance, importance
from .noise import Noise, Tie, noise, ties
from .populations import Population, populations
from .rows import Row, counts, highest, rows_of
from .sources import Kept

VERSION = 1
NO_NOISE = (
    "No two trials differ in the seed only, so the noise of a training is unknown, and no tie set can be given: "
    "train the best again with other seeds."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What a study found.

    ``entries`` are compared: trials finished at the highest fidelity, seeds of one network as one. ``chosen`` has the
    highest mean reward; it and ``network`` are None where no trial finished. ``fronts`` and ``populations`` are by
    cost; ``best_so_far`` is empty where the order of the trials is not known.
    """

    kept: Kept
    rows: tuple[Row, ...]
    entries: tuple[Entry, ...]
    costs: tuple[str, ...]
    fronts: Mapping[str, tuple[Entry, ...]]
    populations: Mapping[str, tuple[Population, ...]]
    accuracy_noise: Noise | None
    reward_noise: Noise | None
    ties: tuple[Tie, ...]
    decisions: Decisions | None
    importance: Importance | None
    best_so_far: tuple[tuple[int, Row], ...]
    chosen: Entry | None
    network: Network | None
    notes: tuple[str, ...]

    @property
    def objective(self) -> Objective | None:
        """What the trials were rewarded for, where it was written down."""
        return None if self.kept.about is None else self.kept.about.objective

    @property
    def rounding(self) -> Rounding | None:
        """How the networks are scaled later, where it was written down."""
        return None if self.kept.about is None else self.kept.about.rounding

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values. Trials are named by their numbers; all of them are in trials.csv."""
        return {
            "version": VERSION,
            "store": self.kept.where,
            "study": self.kept.study,
            "trials": {"recorded": len(self.rows), **counts(self.rows), "running": self.kept.running},
            "compared": {"trials": sum(len(e.rows) for e in self.entries), "networks": len(self.entries)},
            "best": None if self.chosen is None else _entry(self.chosen),
            "fronts": {cost: [_entry(entry) for entry in found] for cost, found in self.fronts.items()},
            "median_error": {
                cost: [{"limit": each.limit, "trials": len(each.errors), "error": each.quantile(0.5)} for each in found]
                for cost, found in self.populations.items()
            },
            "noise": {"accuracy": _noise(self.accuracy_noise), "reward": _noise(self.reward_noise)},
            "ties": [{**_entry(tie.entry), "behind": tie.behind, "within": tie.within} for tie in self.ties],
            "importance": _importance(self.importance),
            "best_so_far": [{"trials": n, "trial": row.number, "reward": row.reward} for n, row in self.best_so_far],
            "network": None if self.network is None else self.network.to_dict(),
            "notes": list(self.notes),
        }


def report_of(kept: Kept, operators: Mapping[str, type] = OPERATORS) -> Report:
    """The report of a study's trials. ``operators`` are all classes that its networks may have.

    Raises TrialsError, one line, for a damaged trial.
    """
    rows = rows_of(kept)
    entries = entries_of(rows)
    objective = None if kept.about is None else kept.about.objective
    costs = costs_of(entries, sorted(objective.names) if objective is not None else ())
    of_reward = noise(entries, lambda row: row.reward)
    decisions = decisions_of(entries, None if kept.about is None else kept.about.space)
    found = None if decisions is None else importance(decisions, [entry.reward for entry in entries])
    axes = ("macs",) if objective is None else objective.axes
    chosen = best(entries, axes)
    network, unread = _network(chosen, operators)
    return Report(
        kept=kept,
        rows=rows,
        entries=entries,
        costs=costs,
        fronts={cost: front(entries, cost) for cost in costs},
        populations=populations(entries, costs),
        accuracy_noise=noise(entries, lambda row: row.accuracy),
        reward_noise=of_reward,
        ties=ties(entries, of_reward, axes) if of_reward is not None else (),
        decisions=decisions,
        importance=found,
        best_so_far=best_so_far(rows) if kept.ordered else (),
        chosen=chosen,
        network=network,
        notes=(*_notes(kept, rows, entries, of_reward, decisions, found), *unread),
    )


def _network(chosen: Entry | None, operators: Mapping[str, type]) -> tuple[Network | None, tuple[str, ...]]:
    """The chosen network, or why it cannot be read."""
    if chosen is None:
        return None, ()
    try:
        return chosen.first.network(operators), ()
    except FieldError as error:
        return None, (f"The network of trial {chosen.first.number}, the best, cannot be read: {error}.",)


def _notes(
    kept: Kept,
    rows: tuple[Row, ...],
    entries: tuple[Entry, ...],
    scatter: Noise | None,
    decisions: Decisions | None,
    found: Importance | None,
) -> list[str]:
    notes = list(kept.notes)
    if not entries:
        ends = ", ".join(f"{n:,} {state}" for state, n in counts(rows).items())
        return [*notes, f"No trial finished with a reward ({ends}): there is no front, and no network was chosen."]
    level = highest(rows)
    lower = sum(row.state == "finished" and row.fidelity != level for row in rows)
    if lower:
        said = f"{counted(lower, 'finished trial')} of fewer epochs or other pictures"
        notes.append(f"{said} {'is' if lower == 1 else 'are'} listed, and not compared.")
    if not kept.ordered:
        notes.append("The order of the trials is not known: there is no curve of the best over trials.")
    if scatter is None:
        notes.append(NO_NOISE)
    if decisions is None:
        notes.append("All networks compared are the same: no decision can be rated.")
    elif found is None:
        notes.append(f"{counted(len(entries), 'network')} compared: too few, or all of one reward, to rate decisions.")
    elif decisions.source == "networks":
        notes.append("No space's points are recorded: the fields in which the networks differ are rated instead.")
    return notes


def _entry(entry: Entry) -> dict[str, Any]:
    numbers = [row.number for row in entry.rows]
    first = entry.first
    return {
        "trials": numbers,
        "key": first.key,
        "accuracy": entry.accuracy,
        "reward": entry.reward,
        "costs": dict(sorted(first.costs.items())),
    }


def _noise(found: Noise | None) -> dict[str, Any] | None:
    if found is None:
        return None
    ends = {"low": found.low, "high": found.high, "freedom": found.freedom, "networks": found.families}
    return {"deviation": found.deviation, **ends, "better_half": found.better}


def _importance(found: Importance | None) -> dict[str, Any] | None:
    if found is None:
        return None
    decisions = [
        {"name": found.names[k], **_interval(found.shares[k]), "effects": dict(found.effects[k])}
        for k in found.ranked()
    ]
    return {"explained": _interval(found.explained), "networks": found.count, "decisions": decisions}


def _interval(found: Interval) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}
