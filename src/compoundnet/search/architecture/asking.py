"""ArchitectureSearch: what is searched, on which pictures, for what; as one value that runs."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from compoundnet.recipes import Recipe
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import require, require_choice
from compoundnet.search.admitting import problem_of
from compoundnet.search.designs import Design
from compoundnet.search.material import Material
from compoundnet.search.objective import Objective
from compoundnet.search.problem import Problem
from compoundnet.search.strategies import DEFAULT, STRATEGIES, Strategy
from compoundnet.search.strategies.samplers import Nsga2
from compoundnet.search.trial import digest
from compoundnet.search.trials import Job, Limits, Standing, identity
from compoundnet.search.trials.failing import Patience
from compoundnet.search.trials.opening import say_on_stderr

from .early import Stop
from .found import Architectures
from .training import Training, TrainingJob

if TYPE_CHECKING:
    from compoundnet.devices import Device

STUDY = "architecture"
TRIALS = Limits(trials=100)


@dataclass(frozen=True, kw_only=True, eq=False)
class ArchitectureSearch:
    """A search for the best network of a design (section 4), trained and judged on ``material``.

    Each trial trains one network by the whole ``recipe``, with the recipe's seed; ``seed`` is the strategy's, one of
    ``STRATEGIES`` or a value of one's own. ``objective`` has the reward and the hard limits: what exceeds them is never
    trained. Costs are exact; with a ``device`` there is "latency" too, in seconds, as its calibration predicts it.
    ``stop`` says which trials end early: those that could not enter the "front" of accuracy and the objective's costs
    any more, those that could not be the "best" any more (faster; the front then lacks cheap networks), or "never".
    ``limits.trials`` are the study's in all. ``rounding`` is what ``net.json`` is scaled with later.

    Raises FieldError for a strategy that there is not, a cost that is not counted, networks of other classes or
    channels than the pictures', and networks that are larger than the pictures.
    """

    design: Design
    material: Material
    recipe: Recipe
    objective: Objective
    strategy: str | Strategy[Any] = DEFAULT
    limits: Limits = TRIALS
    seed: int = 0
    stop: Stop = "front"
    device: "Device | None" = None
    rounding: Rounding = field(default=RELEASED)

    def __post_init__(self) -> None:
        require_choice(self.stop, get_args(Stop), "stop")
        whole = type(self.seed) is int and self.seed >= 0
        require(whole, "seed", f"{self.seed!r} is not a whole number of at least 0")
        base, data = self.design.base, self.material
        classes = len(data.train.classes)
        remedy = f"give a design whose base has {classes}"
        require(base.classes == classes, "base.classes", f"{base.classes:,} for data of {classes}; {remedy}")
        fits = base.in_channels in (1, 3) and data.channels in (1, base.in_channels)
        require(fits, "base.in_channels", f"{base.in_channels} for pictures of {data.channels} channels")
        side, chosen = sides(self.design)[-1], [name for each in self.design.choices for name in _set_by(each)]
        smaller = f"{side} pixels; the pictures have {data.side}, and more adds no detail; search smaller networks"
        require(side <= data.side, "resolution", smaller)
        for name in ("classes", "in_channels"):
            require(name not in chosen, "choices", f"{name} is given by the pictures; leave it out of the space")
        _ = self._strategy, self.problem

    @property
    def _strategy(self) -> Strategy[Any]:
        if not isinstance(self.strategy, str):
            return self.strategy
        named = STRATEGIES[self.strategy]
        weighs = self.objective.cost or self.objective.axes[0]
        return replace(named, cost=weighs) if isinstance(named, Nsga2) else named

    @cached_property
    def problem(self) -> Problem:
        """What strategies see of it."""
        return problem_of(self.design, self.objective, self.device)

    @cached_property
    def job(self) -> Job:
        """What every worker does."""
        training = Training(
            design=self.design,
            material=self.material,
            recipe=self.recipe,
            objective=self.objective,
            stop=self.stop,
            device=self.device,
        )
        return TrainingJob(
            problem=self.problem,
            strategy=self._strategy,
            objective=self.objective,
            task=training.task,
            evaluate=training.evaluate,
            seed=self.seed,
            rounding=self.rounding,
        )

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """What its trials depend on, each as a digest: other strategies, seeds and limits go on with the same study."""
        known = identity(
            space=self.design.space, objective=self.objective, data=self.material.digest, recipe=self.recipe
        )
        found = {**known, "design": self.design.digest}  # equal options may stand for other networks
        if self.device is None:
            return found
        from compoundnet.devices import to_dict

        return {**found, "device": digest(to_dict(self.device))}

    def require_possible(self) -> None:
        """Raise ValueError, one line, where nothing could be trained.

        That is NothingAdmittedError where no network is within the limits, and FieldError for a recipe that trials
        cannot follow.
        """
        from compoundnet.search.fitting import require_plain

        point = self.problem.draw(random.Random(self.seed))  # noqa: S311 - a draw, not a secret
        require_plain(self.job.task(point), self.material)

    def run(
        self,
        out: Path,
        *,
        store: str | Path | None = None,
        study: str = STUDY,
        workers: int | None = None,
        on_standing: Callable[[Standing], None] | None = None,
        patience: Patience | None = None,
        say: Callable[[str], None] = say_on_stderr,
    ) -> Architectures:
        """Search, or go on where the study is, until a limit or a first Ctrl-C; files in ``out`` are always whole.

        Trials are kept in ``store``, by default a journal in ``out``. ``workers`` processes of one thread train, by
        default one for each core; 1 trains in this process. Any number of machines may run the same search on one
        store. ``out`` gets search.json (what was asked), after every trial front.json, and net.json with the best
        network, at the end front/01.json, ... too.

        Raises ValueError, one line, as ``require_possible`` does, for a folder or a study of another search, and when
        the store does not answer for as long as ``patience`` has. A second Ctrl-C is a KeyboardInterrupt.
        """
        from .running import run

        self.require_possible()
        return run(
            self, out, store=store, study=study, workers=workers, on_standing=on_standing, patience=patience, say=say
        )


def acceptance(problem: Problem, draws: int = 200) -> float:
    """The share of so many points drawn that is within the limits."""
    rng = random.Random(0)  # noqa: S311 - a sample, not a secret
    return sum(problem.admits(problem.space.sample(rng)) for _ in range(draws)) / draws


def sides(design: Design) -> tuple[int, ...]:
    """The resolutions that networks of a design may have, ascending."""
    chosen = [value for each in design.choices for changes in each.assignments for value in [changes.get("resolution")]]
    return tuple(sorted({design.base.resolution, *(value for value in chosen if value is not None)}))


def _set_by(choice: Any) -> set[str]:
    return {path for changes in choice.assignments for path in changes}
