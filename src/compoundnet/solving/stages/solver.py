"""solve_stages(): the best depth and width of every stage within a budget, by exact dynamic programming."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from compoundnet.budget import Budget
from compoundnet.cost import Cost
from compoundnet.devices import Device, counted
from compoundnet.network import Network, require_network
from compoundnet.rules import Rule
from compoundnet.rules import rule as rule_named
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import FieldError, require, require_kind
from compoundnet.solving.forecast import Forecast, Predicted
from compoundnet.solving.objectives import USE
from compoundnet.solving.ray import MOST_PHI, largest_phi
from compoundnet.solving.solver import active

from .bounds import SLACK, Bounds, Path, around, bounds, prices, sums
from .chain import Chain, Part, chain, parts
from .choices import Choices, stage_choices
from .forward import MOST_LABELS, search
from .gains import Gains, tabulated
from .infeasible import none_fits
from .objectives import Nearest, Objective, StageGain, stage_objective

_BEAM = 64
_PHI_STEP = 0.125
_PHI_STEPS = 16
_FAR, _LEAST_PHI = 0.5, -4.0


@dataclass(frozen=True)
class StageSolution:
    """The best network, and what was asked.

    ``enumerated`` counts the networks there were to choose from, ``labels`` the partial networks that were kept to
    find the best of them. ``active`` names the limits that it takes the largest share of; none when no network gains
    more even without limits. ``prices`` has for every side a price of each limit, by which others can prove the rest.
    """

    network: Network
    cost: Cost
    score: float
    use: float
    active: tuple[str, ...]
    enumerated: int
    labels: int
    base: Network
    rounding: Rounding
    choices: Choices
    budget: Budget
    gains: Gains
    prices: tuple[tuple[float, ...], ...]
    device: Device | None = None
    forecast: Forecast | None = None

    @property
    def predicted(self) -> Predicted | None:
        """The top-1 that the forecast predicts from the whole network; see ``foreseen``."""
        return foreseen(self.forecast, self.network, self.cost)


def foreseen(forecast: Forecast | None, network: Network, cost: Cost) -> Predicted | None:
    """Predicted top-1 by the network's mean depth and width, None without a forecast.

    Always outside the data: no published network has stages that were scaled by themselves.
    """
    return None if forecast is None else replace(forecast.one(network, cost), outside=True)


def solve_stages(
    network: Network,
    budget: Budget,
    objective: Rule | Objective | StageGain | str | None = None,
    chosen: Choices | None = None,
    rounding: Rounding = RELEASED,
    most_labels: int = MOST_LABELS,
    device: Device | None = None,
    forecast: Forecast | None = None,
) -> StageSolution:
    """The network with the highest score among all that ``chosen`` hold and ``budget`` admits.

    ``objective`` is ``Nearest``, ``Elastic``, a function of (stage, width, repeats), a rule, or what the command line
    takes: "rule:NAME", "rule:NAME:PHI", "elastic:D:W:R"; default: the paper's rule. A rule stands for the
    ``Nearest`` whose phi is the least, by steps of 1/8 from the largest within the budget on, at which the best
    network takes 98 % of the tightest limit, or, where none does, for the one that takes most. Equal scores go to
    fewer multiply-adds, then to smaller numbers: side, stem, then width and repeats stage by stage. ``chosen`` are
    ``stage_choices`` with ``rounding`` unless given. ``device`` predicts the latency, if that is limited, and
    ``forecast`` the accuracy of what was found. Raises FieldError when nothing fits, with the least that any
    network needs; for gains that are no numbers; for a limit or an operator whose costs do not add up over stages;
    and when more than ``most_labels`` partial networks may become the best.

    >>> from compoundnet.families import named
    >>> found = solve_stages(named("efficientnet_b0"), Budget(macs=400_000_000), Nearest(rule="efficientnet", phi=0.5))
    >>> found.cost.macs <= 400_000_000, found.enumerated
    (True, 460631808000)
    """
    require_network(network)
    require_kind(budget, Budget, "budget")
    objective = stage_objective(objective)
    chosen = stage_choices(network, rounding) if chosen is None else chosen
    chosen.require_fit(network)
    problem = _Problem(network, budget, chosen, rounding, parts(network, chosen, device), most_labels, device)
    if isinstance(objective, Rule):
        return replace(_along(problem, objective), forecast=forecast)
    return replace(problem.solved(tabulated(objective, network, chosen)), forecast=forecast)


def _along(problem: "_Problem", rule: Rule) -> StageSolution:
    """Aim further along the rule's ray until the nearest network within the budget uses it."""
    try:
        known = rule_named(rule.name).pieces == rule.pieces
    except ValueError:
        known = False
    require(known, "objective", f"rule {rule.name!r} is another one; give its factors as a function of the stage")
    best: StageSolution | None = None
    for phi in _phis(problem, rule):
        found = problem.solved(tabulated(Nearest(rule=rule.name, phi=phi), problem.base, problem.choices))
        best = found if best is None or found.use > best.use else best
        if found.use >= USE:
            break
    assert best is not None
    return best


def _phis(problem: "_Problem", rule: Rule) -> Iterator[float]:
    """From the largest that the rule's own ray keeps within the budget to the largest there is."""
    most = min(float(MOST_PHI), rule.pieces[-1].high)
    try:
        first = round(largest_phi(problem.base, rule, problem.budget, problem.rounding, problem.device).phi, 3)
    except FieldError:  # the ray leaves the budget everywhere, what lies beside it may not
        first = _LEAST_PHI
    # Phis of three decimals, so that names of objectives have no more.
    fine = [round(first + step * _PHI_STEP, 3) for step in range(_PHI_STEPS)]
    far = int((most - fine[-1]) / _FAR) if fine[-1] < most else 0
    coarse = [round(fine[-1] + step * _FAR, 3) for step in range(1, far + 1)]
    yield from dict.fromkeys(min(phi, most) for phi in [*fine, *coarse, most])


@dataclass(frozen=True)
class _Side:
    """A chain with its bounds, the most that it can gain, and a network met on the way to them."""

    place: int
    chain: Chain
    price: tuple[float, ...]
    known: Bounds
    most: float
    met: Path | None


@dataclass(frozen=True)
class _Problem:
    """All but the objective."""

    base: Network
    budget: Budget
    choices: Choices
    rounding: Rounding
    parts: list[list[Part]]
    most_labels: int
    device: Device | None

    def solved(self, gains: Gains) -> StageSolution:
        """The best network by these gains."""
        chains = [chain(rows, self.choices, gains, self.budget, place) for place, rows in enumerate(self.parts)]
        sides = [side for place, each in enumerate(chains) if (side := _side(place, each)) is not None]
        sides.sort(key=lambda side: (-side.most, side.place))
        # Of a network that was only met on the way, the score counts and not the order among equals.
        floor = max((_score(side.chain, side.met)[0] for side in sides if side.met is not None), default=-math.inf)
        best: tuple[tuple[float, float, int], _Side, Path] | None = None
        labels = 0
        for side in sides:
            if side.most < floor - SLACK:
                continue
            quick = search(side.chain, side.known, floor - side.chain.gain, self.most_labels, _BEAM)
            floor = floor if quick.path is None else max(floor, _score(side.chain, quick.path)[0])
            found = search(side.chain, side.known, floor - side.chain.gain, self.most_labels)
            labels += found.labels
            if found.path is None:
                continue
            score, macs = _score(side.chain, found.path)
            floor, key = max(floor, score), (-score, macs, side.place)
            best = (key, side, found.path) if best is None or key < best[0] else best
        if best is None:
            raise FieldError("budget", none_fits(chains, self.choices.networks))
        by_place = {side.place: side.price for side in sides}
        free = (0.0,) * len(self.budget.limits)
        prices = tuple(by_place.get(place, free) for place in range(len(chains)))
        return self._solution(gains, network_of(self.base, self.choices, best[1].place, best[2]), labels, prices)

    def _solution(
        self, gains: Gains, network: Network, labels: int, prices: tuple[tuple[float, ...], ...]
    ) -> StageSolution:
        found = counted(network, self.device)
        require(self.budget.admits(found), "budget", "a limit does not add up over stages; leave it out")
        score = gains.score(self.choices, network)
        return StageSolution(
            network=network,
            cost=found,
            score=score,
            use=float(self.budget.use(found)),
            active=active(self.budget, found) if score < gains.most else (),
            enumerated=self.choices.networks,
            labels=labels,
            base=self.base,
            rounding=self.rounding,
            choices=self.choices,
            budget=self.budget,
            gains=gains,
            prices=prices,
            device=self.device,
        )


def _side(place: int, each: Chain) -> _Side | None:
    """What is known of one side before the search; None when a limit can be kept by no network there."""
    least = bounds(each, np.zeros((1, len(each.limits.most))))
    least_K = least.needs[0][:, 0] + each.limits.weight * least.peak[0][0]
    if (least_K > each.limits.most).any():
        return None
    price_K, met = prices(each)
    known = bounds(each, around(price_K))
    return _Side(place, each, tuple(price_K.tolist()), known, known.most(each.limits) + each.gain, met)


def _score(each: Chain, path: Path) -> tuple[float, float]:
    gain, _, _, macs = sums(each, path)
    return gain + each.gain, macs


def network_of(base: Network, chosen: Choices, place: int, path: Path) -> Network:
    """The network of a path, at a side."""
    stages = zip(path[1:-1], chosen.widths, chosen.repeats, strict=True)
    pairs = tuple((widths[w], repeats[n]) for (w, n), widths, repeats in stages)
    return chosen.network(base, chosen.stem[path[0][0]], pairs, chosen.head[path[-1][0]], chosen.sides[place])
