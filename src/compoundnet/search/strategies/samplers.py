"""Optuna's samplers behind the same interface: an in-memory study is rebuilt from the outcomes for each ask."""

import math
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compoundnet.schema import near, require, require_count
from compoundnet.search.problem import Outcome, Problem
from compoundnet.search.space import Point

from .told import Told, first_new

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import CategoricalDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

TRIES = 50  # proposals of a sampler before a random draw


@dataclass(frozen=True)
class Replayed:
    """The outcomes told, and each as a trial of a study."""

    told: Told
    distributions: "dict[str, CategoricalDistribution]"
    trials: "tuple[FrozenTrial, ...]" = ()

    def study(self, sampler: "BaseSampler", objectives: int, pending: Sequence[Point]) -> "Study":
        """A study with those trials, and with pending points as running ones."""
        import optuna

        up, down = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE
        with _quiet():
            study = optuna.create_study(directions=[up, down][:objectives], sampler=sampler)
        running = optuna.trial.TrialState.RUNNING
        waiting = [
            optuna.trial.create_trial(state=running, params=_params(point), distributions=self._every)
            for point in pending
        ]
        study.add_trials([*self.trials, *waiting])
        return study

    @property
    def _every(self) -> Any:  # a dict's values are invariant: optuna asks for BaseDistribution
        return self.distributions

    def after(self, outcome: Outcome, values: Sequence[float], facts: dict[str, Any]) -> "Replayed":
        """One more outcome. A diverged one, and one that the limits reject, is infeasible."""
        from optuna.trial import TrialState, create_trial

        told = self.told.after(outcome)
        bad = not math.isfinite(outcome.reward) or not told.problem.admits(outcome.point)
        trial = create_trial(
            state=TrialState.COMPLETE,
            params=_params(outcome.point),
            distributions=self._every,
            values=[value if math.isfinite(value) else 0.0 for value in values],
            system_attrs=facts,
            constraints={"limits": 1.0 if bad else 0.0},
        )
        return Replayed(told, self.distributions, (*self.trials, trial))

    def ask(self, sampler: "BaseSampler", objectives: int, pending: Sequence[Point], rng: random.Random) -> Point:
        """The sampler's first admissible untried proposal. Those passed over stay in the study as running trials."""
        study = self.study(sampler, objectives, pending)
        names = list(self.distributions)

        def propose() -> Point:
            params = study.ask(self._every).params
            return tuple(params[name] for name in names)

        return first_new(self.told.problem, self.told.taken(pending), propose, TRIES, rng)


@dataclass(frozen=True, kw_only=True)
class Tpe:
    """Optuna's tree-structured Parzen estimator on the reward, with its own defaults; ``warm`` random trials first."""

    name: str = "tpe"
    warm: int = 10

    def __post_init__(self) -> None:
        require_count(self.warm, "warm")

    def start(self, problem: Problem, seed: int) -> Replayed:
        return _started(problem, seed)

    def ask(self, state: Replayed, pending: Sequence[Point], rng: random.Random) -> Point:
        from optuna.samplers import TPESampler

        sampler = TPESampler(seed=rng.getrandbits(32), n_startup_trials=self.warm)
        return state.ask(sampler, 1, pending, rng)

    def tell(self, state: Replayed, outcome: Outcome) -> Replayed:
        return state.after(outcome, [outcome.reward], {})


@dataclass(frozen=True, kw_only=True)
class Nsga2:
    """Optuna's NSGA-II with two objectives: highest accuracy, and least ``cost``.

    A generation is ``population`` outcomes in the order told; 20 fits hundreds of trials, Optuna's own 50 thousands.
    Raises FieldError when an outcome was not counted by that cost.
    """

    name: str = "nsga2"
    cost: str = "macs"
    population: int = 20

    def __post_init__(self) -> None:
        require(type(self.population) is int and self.population > 1, "population", "parents are two: at least 2")

    def start(self, problem: Problem, seed: int) -> Replayed:
        return _started(problem, seed)

    def ask(self, state: Replayed, pending: Sequence[Point], rng: random.Random) -> Point:
        from optuna.samplers import NSGAIISampler

        sampler = NSGAIISampler(seed=rng.getrandbits(32), population_size=self.population)
        return state.ask(sampler, 2, pending, rng)

    def tell(self, state: Replayed, outcome: Outcome) -> Replayed:
        from optuna.samplers import NSGAIISampler

        require(self.cost in outcome.costs, "cost", f"{self.cost} was not counted; {near(self.cost, outcome.costs)}")
        generation = len(state.trials) // self.population
        facts = {NSGAIISampler._get_generation_key(): generation}  # as it marks trials of its own
        return state.after(outcome, [outcome.accuracy, outcome.costs[self.cost]], facts)


def _started(problem: Problem, seed: int) -> Replayed:
    from optuna.distributions import CategoricalDistribution

    choices = zip(problem.space.choices, problem.space.shape, strict=True)
    return Replayed(
        Told(problem, seed),
        {_name(place): CategoricalDistribution(range(count)) for place, (_, count) in enumerate(choices)},
    )


def _params(point: Point) -> dict[str, Any]:
    return {_name(place): option for place, option in enumerate(point)}


def _name(place: int) -> str:
    return f"{place:03}"


@contextmanager
def _quiet() -> Generator[None]:
    """Without Optuna's line for every study."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.set_verbosity(before)
