"""The certificate of a per-stage solution: everything it says as JSON, and its proof by another path.

Whoever doubts it costs every part again by walking real networks, adds the claim up by ``cost``, and searches from the
other end for a network that is better. A random sample of networks is held against ``cost`` as a whole.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compoundnet.budget import Budget
from compoundnet.cost import Cost
from compoundnet.devices import Device, counted
from compoundnet.network import Network
from compoundnet.scaling import Rounding
from compoundnet.schema import decode, encode, require, require_version
from compoundnet.solving.certificate import Certificate, by
from compoundnet.solving.forecast import Forecast
from compoundnet.solving.reading import VERSION, read_device, read_forecast, said, there, under, unlike
from compoundnet.solving.solver import active
from compoundnet.solving.surface import Numbers

from .backward import Claim, best_of_no_less
from .bounds import Path, around, sums
from .chain import Chain, chain
from .choices import Choices
from .gains import GRAIN, Gains, tabulated
from .objectives import named_objective
from .solver import StageSolution, foreseen, network_of
from .walked import walked, walks

KIND = "per_stage"
SAMPLE = 125  # of all networks, and as many near the claim
_MOST_PAID = 2.0**22
_MEASURED = 1e-9  # milliseconds are added up in other orders; counts are exact far below this


def to_dict(solution: StageSolution) -> dict[str, Any]:
    """The JSON contract of ``compoundnet solve --per-stage --json``."""
    rounded = solution.choices.rounded(solution.base, solution.rounding)
    given = _Given(
        solution.base,
        solution.choices,
        solution.gains,
        solution.budget,
        solution.rounding if rounded else None,
        solution.network,
        solution.device,
        solution.forecast,
    )
    return {**_said(given), "certificate": _certificate(given, solution.prices)}


@dataclass(frozen=True)
class _Given:
    """A claim: this network is the best of these choices, by these gains, within this budget.

    ``rounding`` is the one that the choices were rounded by; None for own choices, which follow no rounding.
    """

    base: Network
    choices: Choices
    gains: Gains
    budget: Budget
    rounding: Rounding | None
    network: Network
    device: Device | None
    forecast: Forecast | None

    def cost(self, network: Network) -> Cost:
        """By the scalar path."""
        return counted(network, self.device)


def _said(given: _Given) -> dict[str, Any]:
    """All that follows from a claim, counted plainly on the whole network."""
    needed, network, base = given.cost(given.network), given.network, given.base
    score = given.gains.score(given.choices, network)
    stages = list(zip(network.stages, base.stages, strict=True))
    return {
        "version": VERSION,
        "network": network.to_dict(),
        "scaling": {
            "depth": [stage.layers / was.layers for stage, was in stages],
            "width": [stage.channels / was.channels for stage, was in stages],
            "resolution": network.resolution / base.resolution,
        },
        "cost": said(needed, given.budget),
        "use": float(given.budget.use(needed)),
        "score": score,
        "budget": encode(given.budget),
        "active_limits": list(active(given.budget, needed)) if score < given.gains.most else [],
        "enumerated": given.choices.networks,
        "predicted_top1": encode(foreseen(given.forecast, network, needed)),
        **({} if given.rounding is None else {"rounding": encode(given.rounding)}),
    }


def _certificate(given: _Given, prices: tuple[tuple[float, ...], ...]) -> dict[str, Any]:
    return {
        "kind": KIND,
        "base": given.base.to_dict(),
        "choices": encode(given.choices),
        "rounding": encode(given.rounding),
        "objective": given.gains.name,
        "gains": {"stages": encode(given.gains.stages), "sides": list(given.gains.sides)},
        "prices": encode(prices),
        **by(given.device, given.forecast),
    }


def verify_stages(
    data: Mapping[str, Any], seed: int = 0, on_done: Callable[[int, int], None] | None = None
) -> Certificate:
    """Prove a solution that ``to_dict`` wrote. Raises FieldError for JSON that is none."""
    given, prices = _read(data)
    networks = given.choices.networks
    if problem := _plain(data, given, prices):
        return Certificate(0, networks, None, problem)
    sides = given.choices.sides
    count, done = 2 * SAMPLE + walks(given.choices) * len(sides), 0

    def walk() -> None:
        nonlocal done
        done += 1
        if on_done is not None:
            on_done(done, count)

    chains = []
    for place in range(len(sides)):
        parts = walked(given.base, given.choices, place, walk, given.device)
        chains.append(chain(parts, given.choices, given.gains, given.budget, place))
    rng = np.random.default_rng(seed)
    for place, path in _sample(given, rng):
        if problem := _misjudged(given, chains[place], place, path):
            return Certificate(done, networks, None, problem)
        walk()
    return Certificate(done, networks, None, _beaten(given, chains, prices))


def _read(data: Mapping[str, Any]) -> tuple[_Given, Numbers]:
    """The claim that a file makes, and its prices (sides, K)."""
    require_version(data.get("version"), VERSION)
    held = data.get("certificate")
    assert isinstance(held, Mapping)  # or nobody would have looked for its kind
    choices = under("certificate.choices", lambda: decode(Choices, there(held.get("choices"))))
    name = under("certificate.objective", lambda: decode(str, there(held.get("objective"))))
    table = {"name": name, **_mapping(under("certificate.gains", lambda: there(held.get("gains"))))}
    given = _Given(
        under("certificate.base", lambda: Network.from_dict(there(held.get("base")))),
        choices,
        under("certificate", lambda: decode(Gains, table)),
        under("budget", lambda: decode(Budget, there(data.get("budget")))),
        None
        if held.get("rounding") is None
        else under("certificate.rounding", lambda: decode(Rounding, held["rounding"])),
        under("network", lambda: Network.from_dict(there(data.get("network")))),
        read_device(held),
        read_forecast(held),
    )
    under("certificate.choices", lambda: given.choices.require_fit(given.base))
    under("certificate", lambda: given.gains.require_fit(given.choices))
    rows = under("certificate.prices", lambda: decode(tuple[tuple[float, ...], ...], there(held.get("prices"))))
    most = list(given.budget.limits.values())
    require(len(most) > 0, "budget", "nothing is limited")
    fit = len(rows) == len(choices.sides) and all(len(row) == len(most) for row in rows)
    require(fit, "certificate.prices", "not one for every side and limit")
    fine = all(0 <= price * limit <= _MOST_PAID for row in rows for price, limit in zip(row, most, strict=True))
    require(fine, "certificate.prices", "not all are from 0 up to what the score is worth")
    return given, np.array(rows, np.float64)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _plain(data: Mapping[str, Any], given: _Given, prices: Numbers) -> str:
    """The first thing in a file that does not follow from its claim, counted on whole networks; "" for nothing."""
    path = given.choices.path(given.base, given.network)
    if path is None:
        return "network: it is not one of those to choose from"
    if not given.budget.admits(given.cost(given.network)):
        return "network: it does not keep the budget"
    if given.rounding is not None and not given.choices.rounded(given.base, given.rounding):
        return "certificate.rounding: it does not give the widths and repeats to choose from"
    if given.forecast is not None and (problem := given.forecast.unfounded(given.base)):
        return problem
    if problem := _untrue_gains(given):
        return problem
    found = {**_said(given), "certificate": _certificate(given, tuple(map(tuple, prices.tolist())))}
    return next(unlike("", data, json.loads(json.dumps(found))), "")


def _untrue_gains(given: _Given) -> str:
    """A gain that is not the named objective's; a function's cannot be told."""
    objective = under("certificate.objective", lambda: named_objective(given.gains.name))
    if objective is None:
        return ""
    true = tabulated(objective, given.base, given.choices)
    pairs = [(given.gains.sides, true.sides)]
    for rows, others in zip(given.gains.stages, true.stages, strict=True):
        pairs += zip(rows, others, strict=True)
    # Logarithms differ in their last digit between machines, and so what they round to may by one grain.
    same = all(abs(a - b) <= GRAIN for row, other in pairs for a, b in zip(row, other, strict=True))
    return "" if same else f"certificate.gains: they are not those of {given.gains.name}"


def _sample(given: _Given, rng: np.random.Generator) -> Iterator[tuple[int, Path]]:
    """Random networks, and as many that differ from the claim in a few places: (side, path)."""
    chosen = given.choices
    sizes = [(len(chosen.stem), 1), *((len(w), len(n)) for w, n in zip(chosen.widths, chosen.repeats, strict=True))]
    sizes.append((len(chosen.head), 1))
    claim = chosen.path(given.base, given.network)
    assert claim is not None
    for turn in range(2 * SAMPLE):
        path = [(int(rng.integers(widths)), int(rng.integers(repeats))) for widths, repeats in sizes]
        if turn % 2:
            yield int(rng.integers(len(chosen.sides))), tuple(path)
        else:
            changed = rng.random(len(path)) < 2 / len(path)
            near = (new if change else old for new, old, change in zip(path, claim, changed, strict=True))
            yield chosen.sides.index(given.network.resolution), tuple(near)


def _misjudged(given: _Given, each: Chain, place: int, path: Path) -> str:
    """What is wrong with a network of the sample: sums that are not its cost, or a better score than the claim's."""
    network = network_of(given.base, given.choices, place, path)
    found = given.cost(network)
    _, needs_K, _, macs = sums(each, path)
    needed = [*given.budget.needs(found).values()]
    if macs != found.macs or not np.allclose(needs_K + each.limits.fixed, needed, rtol=_MEASURED, atol=0):
        return f"cost() counts otherwise than the sum of the parts: {found}"
    better = given.gains.score(given.choices, network) > given.gains.score(given.choices, given.network)
    return f"network: a random one is better: {found}" if better and given.budget.admits(found) else ""


def _beaten(given: _Given, chains: list[Chain], prices: Numbers) -> str:
    """A better network than the claim; "" when the search over all of them finds none."""
    score, macs = given.gains.score(given.choices, given.network), float(given.cost(given.network).macs)
    own = given.choices.sides.index(given.network.resolution)
    claim = (-score, macs, own, given.choices.path(given.base, given.network))
    for place, (each, price_K) in enumerate(zip(chains, prices, strict=True)):
        found = best_of_no_less(each, around(price_K), Claim(score - each.gain, macs))
        if found is not None:
            gain, _, _, other = sums(each, found)
            if (-gain - each.gain, other, place, found) < claim:
                what = f"score {gain + each.gain:.9g}, {other:,.0f} multiply-adds, {each.side} pixels"
                return f"network: a better one is within the budget ({what}); this one has {score:.9g} and {macs:,.0f}"
    return ""
