"""Proxies rated: beside the plain counts, at equal cost, and as features; made-up scores whose worth is known."""

import numpy as np
import pytest
from benchmarks.macro_networks import network_of
from scipy.stats import kendalltau

from compoundnet.schema import FieldError
from compoundnet.search.predictors.models import Numbers
from compoundnet.search.proxies import counts, feature_gains, rate_proxies, with_proxies


@pytest.mark.parametrize(
    ("arch", "params", "macs"),
    [
        ("00000000", 387_882, 7_713_280),
        ("10000000", 396_298, 12_128_768),
        ("01000000", 415_082, 14_447_104),
        ("00000002", 1_219_370, 20_910_592),
        ("11111111", 1_588_874, 53_246_464),
        ("22222222", 2_932_586, 105_660_928),
    ],
)
def test_the_benchmarks_networks_have_the_published_costs(arch: str, params: int, macs: int) -> None:
    """NAS-Bench-Macro's table."""
    found = counts(network_of(tuple(map(int, arch))))
    assert (found["params"], found["macs"]) == (params, macs)


def made(count: int = 120, seed: int = 0) -> tuple[dict[str, Numbers], Numbers]:
    """Accuracy grows with cost, and with a part that "skilled" knows and the counts do not."""
    rng = np.random.default_rng(seed)
    size, skill = rng.uniform(0, 1, count), rng.normal(size=count)
    scores = {
        "params": np.exp(2 * size) * 1e6,
        "macs": np.exp(3 * size) * 1e6,
        "depth": np.round(4 + 8 * size),
        "parroting": 7 * size + 1e-9 * rng.normal(size=count),  # the parameters under another name
        "skilled": size + 0.3 * skill,
    }
    return scores, 0.7 + 0.1 * size + 0.03 * skill


def test_each_proxy_stands_beside_the_counts_and_taus_are_scipys() -> None:
    scores, truth = made()
    found = rate_proxies(scores, truth)
    assert [each.name for each in found.ratings] == ["params", "macs", "depth", "parroting", "skilled"]
    assert [each.plain for each in found.ratings] == [True, True, True, False, False]
    for each in found.ratings:
        assert each.whole.tau.value == pytest.approx(kendalltau(scores[each.name], truth).statistic)
        assert (each.gain is None) == each.plain


def test_what_parrots_the_parameters_gains_nothing_and_means_nothing_at_equal_cost() -> None:
    scores, truth = made()
    found = rate_proxies(scores, truth, width=0.2)
    by_name = {each.name: each for each in found.ratings}
    parrot, skilled = by_name["parroting"], by_name["skilled"]
    assert parrot.gain is not None
    assert parrot.band is not None
    assert skilled.gain is not None
    assert skilled.band is not None
    assert parrot.gain.low <= 0 <= parrot.gain.high
    assert parrot.band.tau.low < 0.15, "over all it ranks; at equal cost it does not"
    assert parrot.whole.tau.low > 0.3
    assert skilled.gain.low > 0
    assert skilled.band.tau.low > 0.3


def test_the_band_holds_the_networks_of_about_the_median_cost() -> None:
    scores, truth = made()
    found = rate_proxies(scores, truth, width=0.15)
    middle = np.median(scores["macs"])
    inside = (scores["macs"] >= middle / 1.15) & (scores["macs"] <= middle * 1.15)
    assert found.band.count == inside.sum()
    skilled = found.ratings[-1]
    assert skilled.band is not None
    assert skilled.band.tau.value == pytest.approx(kendalltau(scores["skilled"][inside], truth[inside]).statistic)
    few = rate_proxies(scores, truth, width=0.001)
    assert few.band.count < 8
    assert all(each.band is None and each.band_gain is None for each in few.ratings)


def test_minus_infinity_ranks_last_and_a_count_that_is_the_same_for_all_is_not_the_best() -> None:
    scores, truth = made()
    worst = int(np.argmin(truth))
    scores["skilled"][worst] = -np.inf
    scores["depth"] = np.ones(len(truth))
    found = rate_proxies(scores, truth)
    assert found.best in ("params", "macs")
    assert found.ratings[-1].whole.tau.value == pytest.approx(kendalltau(scores["skilled"], truth).statistic)
    same = {name: np.ones(len(truth)) for name in ("params", "macs", "depth")}
    assert rate_proxies({**same, "skilled": scores["skilled"]}, truth).best is None


def test_a_feature_counts_by_what_it_adds() -> None:
    scores, truth = made()
    features = np.log(np.column_stack([scores["params"], scores["macs"]]))
    gains = feature_gains(features, {name: scores[name] for name in ("parroting", "skilled")}, truth)
    assert abs(gains["parroting"].value) < 0.02
    assert gains["skilled"].low > 0.1
    assert with_proxies(features, {"skilled": scores["skilled"]}).shape == (120, 3)


@pytest.mark.parametrize(
    ("changes", "more", "said"),
    [
        ({"depth": None}, {}, "scores: without depth; proxies are rated beside the plain counts"),
        ({}, {"cost": "memory"}, "cost: memory is not among the scores"),
        ({"skilled": np.full(120, np.nan)}, {}, "skilled: a score is no number"),
        ({"skilled": np.ones(3)}, {}, "skilled: 3 scores for 120 networks"),
        ({}, {"width": 0}, "width"),
    ],
)
def test_what_cannot_be_rated_is_refused(
    changes: dict[str, Numbers | None], more: dict[str, object], said: str
) -> None:
    scores, truth = made()
    given = {name: each for name, each in {**scores, **changes}.items() if each is not None}
    with pytest.raises(FieldError, match=said):
        rate_proxies(given, truth, **more)  # type: ignore[arg-type]


def test_an_infinite_score_is_no_feature() -> None:
    with pytest.raises(FieldError, match="naswot: a score is not finite"):
        with_proxies(np.ones((2, 1)), {"naswot": [1.0, -np.inf]})
