"""What a report says in words: the same on the page and on the terminal."""

from compoundnet.budget import figure
from compoundnet.schema import counted

from .noise import LEVEL, Noise
from .report import NO_NOISE, Report
from .rows import counts


def facts(report: Report) -> list[tuple[str, str]]:
    """The figures that come first, as pairs of words."""
    ends = ", ".join(f"{number:,} {state}" for state, number in counts(report.rows).items())
    found = [("store", report.kept.where), ("study", report.kept.study), ("trials", f"{len(report.rows):,}: {ends}")]
    if report.kept.running:
        found.append(("running", f"{report.kept.running:,}, or their workers are gone"))
    if report.objective is not None:
        found.append(("reward", _reward(report)))
    best = report.chosen
    if best is not None:
        compared = sum(len(entry.rows) for entry in report.entries)
        found.append(("compared", f"{counted(len(report.entries), 'network')}, {counted(compared, 'trial')}"))
        seeds = f", mean of {len(best.rows)} seeds" if len(best.rows) > 1 else ""
        costs = "".join(f", {name} {figure(best.first.costs[name])}" for name in report.costs[:3])
        said = (
            f"trial {best.first.number}: accuracy {100 * best.accuracy:.2f} %, reward {best.reward:.4f}{seeds}{costs}"
        )
        found.append(("best", said))
    seconds = sum(row.seconds for row in report.rows)
    return [*found, ("training", f"{seconds / 3600:,.2f} h of all trials together")]


def noise_said(report: Report) -> str:
    """The standard deviation of a training, or why it is not known."""
    accuracy, reward = report.accuracy_noise, report.reward_noise
    if accuracy is None or reward is None:
        return NO_NOISE if report.entries else "No trial finished."
    which = "the better half of the networks that were" if accuracy.better else "the networks that were"
    return (
        f"One training more or less scatters by {_spread(accuracy, 100, ' points')} of accuracy, {_spread(reward, 1)} "
        f"of reward (standard deviation and its {100 * LEVEL:.0f} % interval), from {which} trained with several "
        f"seeds: {accuracy.families}, {counted(accuracy.freedom, 'degree')} of freedom."
    )


def ties_said(report: Report) -> str:
    """How many cannot be told from the best, and which of them costs least."""
    if not report.ties:
        return ""
    count = len(report.ties)
    if len(report.entries) == 1:
        return "One network is compared with none: it is the best so far, and no more."
    if count == 1:
        return "The best is told from all others: with 95 % no other network is better."
    said = (
        f"{count:,} of {len(report.entries):,} networks cannot be told from the best; with 95 % the truly best is here"
    )
    if not report.costs:
        return f"{said}."
    cost = report.costs[0]
    least = min((tie.entry for tie in report.ties), key=lambda entry: entry.first.costs[cost])
    return f"{said}. The least {cost} among them has trial {least.first.number}: {figure(least.first.costs[cost])}."


def importance_said(report: Report) -> str:
    """How good the model is whose effects are shown."""
    found = report.importance
    if found is None:
        return ""
    share = found.explained
    good = "well" if share.value >= 0.7 else "in part" if share.value >= 0.3 else "badly: trust the shares little"
    return (
        f"Main effects explain {100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f}) of the "
        f"reward's variance among {found.count:,} networks, judged on those the model was not fitted to: it fits "
        f"{good}. The rest is noise, and decisions that act together."
    )


def _reward(report: Report) -> str:
    objective = report.objective
    assert objective is not None
    limits = "".join(f", {name} at most {figure(limit)}" for name, limit in sorted(objective.limits.items()))
    if objective.cost is None or objective.target is None:
        return f"accuracy{limits}"
    powers = (
        f"{objective.below:g}" if objective.below == objective.above else f"{objective.below:g} or {objective.above:g}"
    )
    return f"accuracy x ({objective.cost} / {figure(objective.target)}) ^ {powers}{limits}"


def _spread(found: Noise, times: float, unit: str = "") -> str:
    return f"{times * found.deviation:.3g}{unit} ({times * found.low:.3g} to {times * found.high:.3g})"
