"""What a worker does with a point: its task, and the training of it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compoundnet.recipes import Recipe
from compoundnet.search.coefficients.asking import task_of
from compoundnet.search.coefficients.halving import Fidelity
from compoundnet.search.designs import Design
from compoundnet.search.material import Material
from compoundnet.search.objective import Objective
from compoundnet.search.problem import Outcome
from compoundnet.search.space import Point
from compoundnet.search.tallying import Tally
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import Job
from compoundnet.search.trials.job import Recorded

from .early import Stop, Stopped, stopped

if TYPE_CHECKING:
    from compoundnet.devices import Device

EXPECTED = "expected_end"  # in the facts of a trial that was stopped


@dataclass(frozen=True, kw_only=True)
class Training:
    """The task of a point, and its training; sent to worker processes with the pictures."""

    design: Design
    material: Material
    recipe: Recipe
    objective: Objective
    stop: Stop
    device: "Device | None" = None

    def task(self, point: Point) -> Task:
        """All of the recipe, on all of the pictures; the shift in pixels is scaled with the network's side."""
        network = self.design.network(point)
        assert network is not None  # no strategy asks for a point that makes none
        fidelity = Fidelity(self.recipe.epochs, len(self.material.train))
        return task_of(network, self.design.base, self.recipe, fidelity, self.recipe.seed, self.material)

    def evaluate(self, task: Task, recorded: Recorded) -> Trial:
        """Train it, as far as it is worth it."""
        from compoundnet.search.fitting import fit

        costs = Tally(device=self.device)(task.network)
        curve: list[float] = []
        found: list[Stopped] = []

        def on_epoch(done: int, accuracy: float) -> bool:
            curve.append(accuracy)
            if (verdict := stopped(curve, costs, recorded(), self.objective, self.stop)) is not None:
                found.append(verdict)
            return verdict is not None

        trial = fit(task, self.material, on_epoch=None if self.stop == "never" else on_epoch)
        if trial.state != "stopped":
            return trial
        facts = {**trial.facts, EXPECTED: found[-1].expected}
        return replace(trial, why=f"{trial.why}: {found[-1].why}", facts=facts)


@dataclass(frozen=True, kw_only=True)
class TrainingJob(Job):
    """A job whose strategies are told of a stopped trial what it would probably have reached.

    Its own accuracy is one of fewer epochs: a surrogate that took it for an end would think too little of its kin.
    """

    def outcome(self, trial: Trial) -> Outcome | None:
        """See ``Job``."""
        expected = trial.facts.get(EXPECTED)
        if trial.state != "stopped" or not isinstance(expected, float | int):
            return super().outcome(trial)
        return super().outcome(replace(trial, accuracy=float(expected)))
