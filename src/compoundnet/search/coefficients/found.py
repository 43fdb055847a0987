"""What a coefficient search found: every arm with its interval, the verdict, alpha, beta and gamma, and step 2."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from compoundnet.cost import cost
from compoundnet.network import Network
from compoundnet.scaling import Scaling
from compoundnet.schema import encode

from .asking import Asked
from .choosing import per_doubling, share, step2
from .halving import Fidelity
from .iso import Arm
from .verdict import Verdict


@dataclass(frozen=True)
class Rank:
    """An arm at a rung, by its seeds' validation accuracies as shares; None where one diverged."""

    rung: int
    fidelity: Fidelity
    arm: Arm
    accuracies: tuple[float | None, ...]


@dataclass(frozen=True)
class Comparison:
    """Arms of one budget on the test pictures; the first is the champion, fixed before."""

    arms: tuple[Arm, ...]
    verdict: Verdict

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    @property
    def seeds(self) -> int:
        """How many fresh seeds each arm had."""
        return len(self.verdict.standings[0].seeds)

    @property
    def best(self) -> Arm:
        """The champion; where it was beaten, the most accurate of those that beat it."""
        said = self.verdict
        above = [each for each in said.contrasts if each.below(said.level)] if said.kind == "beaten" else []
        if not above:
            return self.arms[0]
        return self.arm(min(above, key=lambda each: each.difference.mean).rival)

    @property
    def bias(self) -> str:
        """What to say of the best's accuracy: the champion was fixed before, but who beats it is chosen here."""
        if self.best is self.arms[0]:
            return ""
        return f" {self.best.name} was chosen on the pictures that judge it: its accuracy is somewhat high."

    def to_dict(self) -> dict[str, Any]:
        """JSON values; accuracies are shares."""
        arms = [
            {
                "name": arm.name,
                "scaling": encode(arm.scaling),
                "use": arm.use,
                "cost": cost(arm.network).to_dict(),
                **{name: value for name, value in encode(standing).items() if name != "name"},
                "network": arm.network.to_dict(),
            }
            for arm, standing in zip(self.arms, self.verdict.standings, strict=True)
        ]
        said = {name: value for name, value in encode(self.verdict).items() if name != "standings"}
        return {"arms": arms, "verdict": said}


@dataclass(frozen=True, eq=False)
class Found:
    """The end of a search. ``seconds`` are those of all its trials, kept ones too."""

    asked: Asked
    comparison: Comparison
    transfer: Comparison | None
    ranks: tuple[Rank, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def best(self) -> Arm | None:
        """The network that the search ends with; a sweep ends with none."""
        return None if self.asked.sweeps else self.comparison.best

    @cached_property
    def coefficients(self) -> Scaling | None:
        """alpha, beta and gamma: the factors of twice the multiply-adds."""
        return None if self.best is None else per_doubling(self.asked.network, self.best)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.asked.sweeps:
            return "A sweep compares networks of different costs; none of them wins."
        return f"{self.comparison.verdict.sentence}{self.comparison.bias}"

    def scaled(self, times: Mapping[str, float], native: int) -> Network:
        """Step 2: the network of another budget along the coefficients. Raises ValueError after a sweep."""
        if self.coefficients is None:
            raise ValueError("a sweep finds no coefficients to scale by")
        return step2(self.asked, self.coefficients, times, native).network

    def net(self) -> dict[str, Any] | None:
        """What ``net.json`` holds: the network, its rounding, and how it was found; other commands read it."""
        if self.best is None or self.coefficients is None:
            return None
        return {
            "network": self.best.network.to_dict(),
            "rounding": encode(self.asked.rounding),
            "scaling": encode(self.best.scaling),
            "coefficients": encode(self.coefficients),
            "verdict": self.comparison.verdict.kind,
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        best = self.best
        ranks = [
            {"rung": each.rung, **encode(each.fidelity), "arm": each.arm.name, "accuracies": list(each.accuracies)}
            for each in self.ranks
        ]
        return {
            "version": 1,
            "asked": self.asked.to_dict(),
            "sentence": self.sentence,
            "best": None if best is None else best.name,
            "coefficients": None if self.coefficients is None else encode(self.coefficients),
            "share": None if best is None else share(self.asked.network, best.network),
            "comparison": self.comparison.to_dict(),
            "transfer": None if self.transfer is None else self.transfer.to_dict(),
            "rungs": ranks,
            "notes": list(self.notes),
            "trial_seconds": round(self.seconds, 1),
        }
