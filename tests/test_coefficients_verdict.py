"""The verdict's statistics on made-up answers whose truth is known."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compoundnet.scaling import Scaling
from compoundnet.schema import FieldError
from compoundnet.search.coefficients import Arm, Comparison, verdict
from compoundnet.search.coefficients.bootstrap import Draws, Hits, Numbers, difference, drawn, holm, widening
from compoundnet.search.coefficients.growing import Look, looks
from compoundnet.search.coefficients.halving import Fidelity, ladder, ranked, survivors

from .searching import SMALL

DRAWS = 2_000


def answers(
    means: dict[str, float], seeds: int = 5, pictures: int = 1000, spread: float = 0.002, seed: int = 0
) -> dict[str, Hits]:
    """Arms of known accuracy: each picture has its difficulty, the same for all; each seed its own level."""
    rng = np.random.default_rng(seed)
    hard = rng.random(pictures)  # what an arm of accuracy a gets right is what is easier than a
    levels = {name: mean + spread * rng.standard_normal((seeds, 1)) for name, mean in means.items()}
    return {name: (hard + 0.02 * rng.standard_normal((seeds, pictures))) < level for name, level in levels.items()}


def test_a_clear_winner_is_one() -> None:
    said = verdict(answers({"a": 0.90, "b": 0.85, "c": 0.80}), "a", draws=DRAWS)
    assert (said.kind, said.ties) == ("winner", ("a",))
    assert said.sentence.startswith("Winner: a, +")
    assert [each.rival for each in said.contrasts] == ["b", "c"]
    assert said.contrasts[0].difference.low < 0.05 < said.contrasts[0].difference.high


def test_a_champion_that_is_beaten_is_told() -> None:
    said = verdict(answers({"a": 0.80, "b": 0.90, "c": 0.70}), "a", draws=DRAWS)
    assert said.kind == "beaten"
    assert said.sentence.startswith("Beaten: a, the search's choice, -")
    assert "against b" in said.sentence
    arms = tuple(Arm(name, Scaling(), SMALL, 1.0) for name in "abc")
    assert Comparison(arms, said).bias == " b was chosen on the pictures that judge it: its accuracy is somewhat high."
    assert not Comparison(arms, verdict(answers({"a": 0.9, "b": 0.8, "c": 0.7}), "a", draws=DRAWS)).bias


def test_equal_networks_tie_and_few_pictures_leave_it_undecided() -> None:
    same = answers({"a": 0.9}, pictures=4000, spread=0.0)["a"]
    said = verdict({"a": same, "b": same.copy()}, "a", draws=DRAWS)
    assert (said.kind, said.ties) == ("tie", ("a", "b"))
    few = verdict(answers({"a": 0.9, "b": 0.895}, pictures=200), "a", draws=DRAWS)
    assert few.kind == "undecided"
    assert "is not told from b" in few.sentence
    wide = verdict(answers({"a": 0.9, "b": 0.895}, pictures=200), "a", draws=DRAWS, margin=0.5)
    assert wide.kind == "tie"


def test_one_seed_or_no_rival_decides_nothing() -> None:
    one = verdict(answers({"a": 0.99, "b": 0.2}, seeds=1), "a", draws=DRAWS)
    assert (one.kind, one.sentence) == (
        "undecided",
        "Undecided: one seed says nothing about others; a was the search's choice.",
    )
    assert verdict(answers({"a": 0.9}), "a", draws=DRAWS).sentence == "Undecided: a has no rival."


def test_only_the_named_rivals_are_compared_and_all_are_told() -> None:
    said = verdict(answers({"a": 0.8, "b": 0.9, "c": 0.5}), "a", rivals=("c",), draws=DRAWS)
    assert said.kind == "winner"
    assert [each.name for each in said.standings] == ["a", "b", "c"]
    assert all(each.low < each.accuracy < each.high and len(each.seeds) == 5 for each in said.standings)


def test_the_same_answers_give_the_same_verdict() -> None:
    hits = answers({"a": 0.9, "b": 0.89})
    assert verdict(hits, "a", draws=DRAWS) == verdict(hits, "a", draws=DRAWS)
    assert verdict(hits, "a", draws=DRAWS) != verdict(hits, "a", draws=DRAWS, seed=1)


def test_pairing_takes_out_what_pictures_have_in_common() -> None:
    """The interval of a difference is narrower than those of the two."""
    said = verdict(answers({"a": 0.9, "b": 0.89}, pictures=2000, spread=0.0), "a", draws=DRAWS)
    (apart,) = said.contrasts
    alone = said.standings[0].high - said.standings[0].low
    assert apart.difference.high - apart.difference.low < 0.8 * alone


def test_impossible_comparisons_are_refused() -> None:
    hits = answers({"a": 0.9, "b": 0.8})
    with pytest.raises(FieldError, match=r"champion: x was not compared; known: a, b"):
        verdict(hits, "x")
    with pytest.raises(FieldError, match="champion: y was not compared"):
        verdict(hits, "a", rivals=("y",))
    with pytest.raises(FieldError, match="hits: arms of different seeds or pictures"):
        verdict(hits | {"c": hits["a"][:3]}, "a")
    with pytest.raises(FieldError, match=r"hits: shape \(3,\)"):
        drawn(np.zeros(3, bool))


def test_draws_have_the_known_spread() -> None:
    """Of one seed: that of a share of n pictures. Of seeds that differ only by their level: the widened one."""
    hits = np.arange(1000)[None, None, :] < 800
    [arm] = drawn(hits, DRAWS)
    assert arm.whole.std() == pytest.approx((0.8 * 0.2 / 1000) ** 0.5, rel=0.06)
    levels = np.array([0.7, 0.8, 0.9, 1.0])
    tall = np.repeat(levels[:, None], 1000, axis=1) > 0.75  # one seed gets nothing right, three everything
    spread = np.array([0.0, 1.0, 1.0, 1.0]).std() / 4**0.5
    [arm] = drawn(tall[None], DRAWS)
    assert arm.whole.std() == pytest.approx(spread * widening(4), rel=0.06)
    assert arm.mean == pytest.approx(0.75)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holms_adjustment_never_helps_and_keeps_the_order(ps: list[float]) -> None:
    found = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, found, strict=True))
    assert min(found) == min(1.0, len(ps) * min(ps))
    order = sorted(range(len(ps)), key=lambda k: ps[k])
    assert [found[k] for k in order] == sorted(found)


def of_pictures(shares: Numbers, draws: int = DRAWS) -> Draws:
    """Draws of one arm that was seen once, of any shares."""
    rng = np.random.default_rng(0)
    mean = shares.mean()
    pictures = shares[rng.integers(len(shares), size=(draws, len(shares)))].mean(axis=1) - mean
    return Draws(shares, np.array([mean]), pictures, np.zeros(draws), 1.0)


NOTHING = of_pictures(np.zeros(200))


def test_a_difference_of_nothing_is_likely_by_chance() -> None:
    even = of_pictures(np.tile([-1.0, 1.0], 100))
    assert difference(even, NOTHING).p > 0.5
    assert difference(NOTHING, NOTHING) == difference(NOTHING, NOTHING).reversed
    far = difference(of_pictures(0.5 + 0.01 * np.tile([-1.0, 1.0], 100)), NOTHING)
    assert far.p == pytest.approx(2 / (DRAWS + 1))
    assert far.reversed == difference(NOTHING, of_pictures(0.5 + 0.01 * np.tile([-1.0, 1.0], 100)))


@pytest.mark.parametrize(("seeds", "most"), [(3, 0.14), (5, 0.09)])
def test_among_equal_networks_that_differ_by_seed_one_is_seldom_told(seeds: int, most: float) -> None:
    """Five rivals as good as the champion: Holm's first level is 1 %, where Student's t is far from normal."""
    rng, widened, wrong = np.random.default_rng(0), widening(seeds), 0
    for _ in range(300):
        by_seed = 0.5 + 0.01 * rng.standard_normal((6, seeds))
        times = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=1000) - 1.0
        apart = widened * by_seed @ times.T / seeds
        one, *others = (
            Draws(np.full(1, each.mean()), each, np.zeros(1000), dev, widened)
            for each, dev in zip(by_seed, apart, strict=True)
        )
        wrong += min(holm([difference(one, other, among=5).p for other in others])) <= 0.05
    assert wrong / 300 <= most


def test_without_skew_the_interval_is_that_of_the_percentiles() -> None:
    even = of_pictures(np.linspace(0, 1, 200))
    assert even.acceleration == pytest.approx(0, abs=1e-12)
    assert even.interval() == pytest.approx(np.quantile(even.whole, [0.025, 0.975], method="weibull"))


@pytest.mark.parametrize("events", [10, 24, 60])
def test_of_rare_events_both_ends_are_those_of_the_skewed_mean(events: int) -> None:
    """Johnson's interval, mean + sd (z + skew / 6 (2 z^2 + 1)), of which percentiles take (z^2 - 1) only."""
    shares = (np.arange(800) < events).astype(float)
    rare = of_pictures(shares, 8_000)
    sd, skew = shares.std() / 800**0.5, ((shares - shares.mean()) ** 3).mean() / shares.std() ** 3 / 800**0.5
    assert rare.acceleration == pytest.approx(skew / 6)
    wanted = [rare.mean + sd * (z + skew / 6 * (2 * z**2 + 1)) for z in (-1.96, 1.96)]
    assert rare.interval() == pytest.approx(wanted, abs=0.2 * sd)
    percentiles = np.quantile(rare.whole, [0.025, 0.975])
    assert all(end > percentile for end, percentile in zip(rare.interval(), percentiles, strict=True))


@pytest.mark.parametrize("events", [6, 12, 40])
def test_the_probability_is_that_of_the_level_whose_interval_ends_at_nothing(events: int) -> None:
    shares = np.zeros(400)
    shares[:events], shares[events : 2 * events - 5] = 1, -1
    found = of_pictures(shares, 8_000)
    for level in (0.5, 0.8, 0.95, 0.99):
        low, high = found.interval(level)
        assert (low <= 0 <= high) == (found.chance() >= 1 - level) or abs(found.chance() - 1 + level) < 0.03


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "level", "picture", "most"),
    [
        (5, 0.0, 0.0, 0.98),  # which pictures are in the test set is all the chance there is
        (5, 0.01, 0.0, 0.985),  # seeds differ by a point, which is most of it
        (3, 0.01, 0.0, 0.985),
        (10, 0.01, 0.0, 0.985),
        (5, 0.002, 0.05, 1.0),  # what a seed makes of a picture is most of it, and is counted twice
    ],
)
def test_the_interval_covers_the_truth_as_often_as_it_says(
    seeds: int, level: float, picture: float, most: float
) -> None:
    """400 comparisons of arms 3 points apart: 95 %, but for the 2.3 standard errors that so few may miss."""
    covered, pictures, truth = 0, 800, 0.03
    for number in range(400):
        rng = np.random.default_rng([seeds, number])
        hard = rng.random(pictures)
        levels = [mean + level * rng.standard_normal((seeds, 1)) for mean in (0.80, 0.77)]
        hits = np.stack([hard + picture * rng.standard_normal((seeds, pictures)) < each for each in levels])
        one, other = drawn(hits, 600, seed=number)
        found = difference(one, other)
        covered += found.low <= truth <= found.high
    assert 0.95 - 2.33 * (0.95 * 0.05 / 400) ** 0.5 <= covered / 400 <= most


# Halving


def test_each_rung_is_dearer_than_the_one_before_and_cheaper_than_the_end() -> None:
    full = Fidelity(8, 16_000)
    rungs = ladder(full, 3, 2.0, 128)
    assert [each.work for each in rungs] == pytest.approx([full.work / 8, full.work / 4, full.work / 2], rel=1e-3)
    assert ladder(Fidelity(1, 500), 2, 4.0, 128) == (Fidelity(1.0, 500), Fidelity(1.0, 500))
    assert ladder(full, 1, 2.0, 128, side=0.5)[0].side == 0.5
    with pytest.raises(FieldError, match="eta: 1 is not a factor above 1"):
        ladder(full, 1, 1, 128)


@given(count=st.integers(1, 100), eta=st.floats(1.01, 10), finalists=st.integers(1, 10))
def test_no_rung_leaves_more_than_it_had_or_too_few(count: int, eta: float, finalists: int) -> None:
    left = survivors(count, eta, finalists)
    assert min(count, finalists) <= left <= count


def test_ranks_go_by_the_mean_and_a_diverged_seed_is_nothing() -> None:
    assert ranked({"a": [0.5], "b": [0.6], "c": [None]}) == ["b", "a", "c"]
    with pytest.raises(FieldError, match="nothing to rank"):
        ranked({})


# Seeds that are added


@given(st.integers(1, 40), st.integers(0, 200))
def test_all_looks_together_err_in_five_percent(confirm: int, more: int) -> None:
    found = looks(confirm, confirm + more)
    assert sum(1 - look.level for look in found) == pytest.approx(0.05)
    counts = [look.seeds for look in found]
    assert (counts[0], counts[-1]) == (confirm, confirm + more)
    assert all(before < after <= 2 * before for before, after in pairwise(counts))
    assert looks(confirm, confirm) == looks(confirm) == (Look(confirm, 0.95),)


def test_fewer_seeds_at_the_end_are_refused() -> None:
    with pytest.raises(FieldError, match="up_to: 4 seeds at most, and 5 to begin with"):
        looks(5, 4)


def test_equal_networks_are_told_apart_by_no_look_but_rarely() -> None:
    """The rule as it is used: stop at the first look that tells. Plain 95 % intervals at each look tell more often."""
    found, plain = 0, 0
    for repeat in range(60):
        all_hits = answers({"a": 0.8, "b": 0.8}, seeds=20, pictures=150, spread=0.02, seed=repeat)
        for look in looks(5, 20):
            hits = {name: each[: look.seeds] for name, each in all_hits.items()}
            one, other = (verdict(hits, "a", draws=500, level=level) for level in (look.level, 0.95))
            found += one.kind in ("winner", "beaten")
            plain += other.kind in ("winner", "beaten")
            assert one.contrasts[0].difference.low <= other.contrasts[0].difference.low
    assert found <= 3
    assert found <= plain


def test_a_real_difference_is_told_when_there_are_seeds_enough() -> None:
    all_hits = answers({"a": 0.9, "b": 0.88}, seeds=20, pictures=800, spread=0.01)
    kinds = [
        verdict({n: each[: look.seeds] for n, each in all_hits.items()}, "a", draws=DRAWS, level=look.level).kind
        for look in looks(2, 20)
    ]
    assert (kinds[0], kinds[-1]) == ("undecided", "winner")
