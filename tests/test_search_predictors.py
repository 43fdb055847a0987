"""Predictors and rankings: closed forms against plain ones, laws, and that only what ranks is trusted."""

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from compoundnet.schema import FieldError
from compoundnet.search.fidelities import Pair, rate_fidelity, trusted_fidelity
from compoundnet.search.predictors import (
    PREDICTORS,
    Kernel,
    Standardised,
    best_predictor,
    out_of_sample,
    ranking,
    tau_gain,
)
from compoundnet.search.predictors.models import Numbers
from compoundnet.search.predictors.ranking import _taus


def drawn(count: int = 60, columns: int = 6, seed: int = 0) -> Numbers:
    return np.random.default_rng(seed).integers(0, 2, (count, columns)).astype(float)


RIDGE = PREDICTORS["ridge"]


def test_a_standardised_model_is_the_model_of_standardised_features() -> None:
    x, rng = drawn() * np.array([1.0, 1e3, 1e-3, 1.0, 50.0, 7.0]), np.random.default_rng(1)
    y, new = rng.normal(size=len(x)), drawn(seed=2)
    centre, scale = x.mean(0), x.std(0)
    theirs = Kernel("ridge").fit((x - centre) / scale, y)((new - centre) / scale)
    ours = Standardised(Kernel("ridge")).fit(x, y)(new)
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("name", PREDICTORS)
def test_neither_units_nor_a_constant_feature_change_a_prediction(name: str) -> None:
    x, y = np.random.default_rng(0).normal(size=(40, 4)), np.random.default_rng(1).normal(size=40)
    new = np.random.default_rng(2).normal(size=(20, 4))
    units = np.array([1e4, 1e-4, 3.0, 1.0])
    mean, _ = PREDICTORS[name].fit(x, y)(new)
    other, _ = PREDICTORS[name].fit(x * units + 5.0, y)(new * units + 5.0)
    assert other == pytest.approx(mean, abs=1e-6)
    if name != "boosting":  # whose trees draw the order in which they look at features
        more, beside = (np.hstack([each, np.full((len(each), 1), 9.0)]) for each in (x, new))
        assert PREDICTORS[name].fit(more, y)(beside)[0] == pytest.approx(mean, abs=1e-6)


def test_products_are_seen_only_by_the_pairwise_ridge() -> None:
    x = drawn(120)
    y = np.logical_xor(x[:, 0] > 0, x[:, 1] > 0).astype(float)
    rated = best_predictor(x, y, {"plain": RIDGE, "pairs": PREDICTORS["pairwise"]})
    assert rated.best == "pairs"
    assert rated.rankings["pairs"].tau.value > 0.7 > 0.3 > rated.rankings["plain"].tau.value


@pytest.mark.parametrize("name", PREDICTORS)
def test_every_predictor_ranks_an_additive_function_and_says_how_sure_it_is(name: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    y = x @ np.array([3.0, 2.0, 1.0, 0.5]) + rng.normal(scale=0.1, size=80)
    posterior = PREDICTORS[name].fit(x, y)
    new = rng.normal(size=(50, 4))
    mean, spread = posterior(new)
    assert kendalltau(mean, new @ np.array([3.0, 2.0, 1.0, 0.5])).statistic > 0.7
    assert spread.shape == (50,)
    assert np.isfinite(spread).all()
    assert (spread >= 0).all()
    assert spread.max() > 0
    again, _ = PREDICTORS[name].fit(x, y)(new)
    assert (again == mean).all(), "the same trials give the same predictor"


@pytest.mark.parametrize("ties", [False, True])
def test_tau_and_rho_are_scipys(ties: bool) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=40), rng.normal(size=40)
    if ties:
        x, y = np.round(x), np.round(y)
    found = ranking(x, y)
    assert found.tau.value == pytest.approx(kendalltau(x, y).statistic)
    assert found.rho.value == pytest.approx(spearmanr(x, y).statistic)
    assert found.tau.low < found.tau.value < found.tau.high


def test_a_resampled_tau_is_the_tau_of_the_networks_drawn() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=15), rng.normal(size=15)
    rows = rng.integers(15, size=(20, 15))
    for row, found in zip(rows, _taus(x, y, rows), strict=True):
        assert found == pytest.approx(kendalltau(x[row], y[row]).statistic)


def test_the_top_quarter_is_judged_by_itself() -> None:
    truth = np.arange(40.0)
    found = ranking(truth, truth)
    assert (found.tau.value, found.top_tau.value, found.top_share.value) == (1, 1, 1)
    reversed_top = np.concatenate([truth[:30], truth[:29:-1]])
    found = ranking(reversed_top, truth)
    assert found.top_tau.value == -1
    assert found.top_share.value == 1
    assert found.tau.value > 0.8
    assert ranking(-truth, truth).top_share.value == 0


def test_the_interval_holds_the_true_tau_about_as_often_as_it_says() -> None:
    rho, held = 0.7, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, noise = rng.normal(size=(2, 50))
        found = ranking(x, rho * x + np.sqrt(1 - rho**2) * noise, seed).tau
        held += found.low <= 2 / np.pi * np.arcsin(rho) <= found.high  # Kendall's tau of a bivariate normal
    assert held >= 50


def test_a_guess_that_is_the_same_for_all_has_no_tau() -> None:
    found = ranking([0.5] * 10, np.arange(10.0))
    assert np.isnan([found.tau.value, found.tau.low, found.rho.value]).all()


def test_a_gain_is_the_difference_of_two_taus_on_the_same_networks() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=60)
    good, poor = truth + 0.3 * rng.normal(size=60), truth + 2.0 * rng.normal(size=60)
    found = tau_gain(good, poor, truth)
    assert found.value == pytest.approx(kendalltau(good, truth).statistic - kendalltau(poor, truth).statistic)
    assert 0 < found.low < found.value < found.high
    same = tau_gain(good, good, truth)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    with pytest.raises(FieldError, match="59 of them for 60 networks"):
        tau_gain(good, poor[:59], truth)


def test_folds_are_of_networks_whatever_stands_beside_them() -> None:
    x, y = np.repeat(np.eye(12), 3, axis=0), np.random.default_rng(0).normal(size=36)
    assert (out_of_sample(RIDGE, x, y, networks=x) == out_of_sample(RIDGE, x, y)).all()
    score = np.random.default_rng(1).normal(size=(36, 1))  # differs among repeats of one network
    rng = np.random.default_rng(0)
    fold = (rng.permutation(12) % 5)[np.unique(x, axis=0, return_inverse=True)[1].reshape(-1)]
    wide, held = np.hstack([x, score]), fold == 0
    guess = out_of_sample(RIDGE, wide, y, networks=x)
    assert guess[held] == pytest.approx(RIDGE.fit(wide[~held], y[~held])(wide[held])[0])


def test_repeats_of_a_network_never_tell_their_own_accuracy() -> None:
    """Accuracies of pure chance, one per network: nothing can be predicted, though each is there four times."""
    x = np.repeat(np.eye(30), 4, axis=0)
    y = np.repeat(np.random.default_rng(0).normal(size=30), 4)
    assert np.corrcoef(out_of_sample(RIDGE, x, y), y)[0, 1] < 0.3


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.eye(3), np.arange(3.0), "3 different networks; cross-validation needs at least 8"),
        (np.eye(9), np.arange(8.0), "8 of them for 9 trials"),
        (np.eye(9), np.full(9, np.nan), "not finite; leave diverged trials out"),
        (np.eye(9), np.ones(9), "all accuracies are equal"),
    ],
)
def test_trials_that_teach_nothing_are_refused(x: Numbers, y: Numbers, said: str) -> None:
    with pytest.raises(FieldError, match=said):
        best_predictor(x, y, {"ridge": RIDGE})


def pairs(count: int, noise: float, saving: float = 6.0) -> list[Pair]:
    rng = np.random.default_rng(0)
    high = rng.uniform(0.6, 0.9, count)
    low = np.clip(high - 0.2 + rng.normal(scale=noise, size=count), 0, 1)
    return [Pair(float(a), float(b), 10.0, 10.0 * saving) for a, b in zip(low, high, strict=True)]


def test_only_a_cheap_training_that_ranks_is_trusted_and_the_cheapest_of_them_chosen() -> None:
    good = rate_fidelity("3 epochs", pairs(40, 0.005))
    cheaper = rate_fidelity("2 epochs", pairs(40, 0.005, saving=9.0))
    noisy = rate_fidelity("1 epoch", pairs(40, 0.2, saving=30.0))
    assert good.trusted
    assert cheaper.trusted
    assert good.saving == 6.0
    assert noisy.why.startswith("not trusted: tau 0.")
    assert trusted_fidelity([good, cheaper, noisy]) is cheaper
    assert trusted_fidelity([noisy]) is None


def test_each_missing_condition_is_said() -> None:
    assert rate_fidelity("few", pairs(20, 0.005)).why == "not trusted: 20 networks; at least 30"
    assert rate_fidelity("dear", pairs(40, 0.005, 4.0)).why == "not trusted: 4.00 times cheaper; at least 5"
    same = [Pair(0.5, place / 100, 1.0, 9.0) for place in range(40)]
    assert rate_fidelity("same", same).why == "not trusted: tau nan; at least 0.85"
    with pytest.raises(FieldError, match="a ranking needs at least 8"):
        rate_fidelity("none", pairs(3, 0.0))
    with pytest.raises(FieldError, match="is not a time above 0"):
        Pair(0.5, 0.5, 0.0, 1.0)
