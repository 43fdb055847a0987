"""The figures of evaluation, each against scikit-learn or a count by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from compoundnet.evaluating import auroc, average_precision, bootstrap, calibration_error, metrics, temperature, wilson
from compoundnet.evaluating.calibration import negative_log_likelihood
from compoundnet.evaluating.ranking import ordered
from compoundnet.schema import FieldError

Numbers = NDArray[np.float64]
NAMES = tuple("abcdefgh")


def drawn(seed: int, n: int = 200, k: int = 8, ties: bool = False) -> tuple[Numbers, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[labels]
    return (np.round(logits) if ties else logits), labels


def softmax(logits: Numbers) -> Numbers:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_figures_of_classes_are_scikit_learns(seed: int) -> None:
    logits, labels = drawn(seed)
    found, answers, chances = metrics(logits, labels, "multiclass", NAMES), logits.argmax(axis=1), softmax(logits)
    assert found.top1 == pytest.approx((answers == labels).mean())
    assert found.top5 == pytest.approx(top_k_accuracy_score(labels, logits, k=5, labels=range(8)))
    assert found.mean_per_class == pytest.approx(balanced_accuracy_score(labels, answers))
    assert found.auroc == pytest.approx(roc_auc_score(labels, chances, multi_class="ovr"))
    assert found.nll == pytest.approx(log_loss(labels, chances))
    assert found.confusion == tuple(tuple(row) for row in confusion_matrix(labels, answers).tolist())
    assert [(each.name, each.n) for each in found.per_class] == list(zip(NAMES, np.bincount(labels), strict=True))


def test_the_likelihood_of_certain_and_right_answers_is_nothing_and_not_minus_nothing() -> None:
    assert str(metrics([[1e4, 0.0], [0.0, 1e4]], [0, 1], "multiclass", ("cat", "dog")).nll) == "0.0"


def test_the_json_has_the_pairs_of_true_class_and_answer_that_occur() -> None:
    logits, labels = drawn(1, n=20)
    found = metrics(logits, labels, "multiclass", NAMES)
    pairs = found.to_dict()["confusion"]
    assert sum(count for _, _, count in pairs) == 20
    assert {(true, answer): count for true, answer, count in pairs} == {
        (true, answer): found.confusion[true][answer]
        for true, answer in zip(labels.tolist(), logits.argmax(axis=1).tolist(), strict=True)
    }


@pytest.mark.parametrize("ties", [False, True])
def test_figures_of_orders_are_scikit_learns_with_ties_too(ties: bool) -> None:
    logits, labels = drawn(7, ties=ties)
    for index in range(8):
        positive = labels == index
        assert auroc(logits[:, index], positive) == pytest.approx(roc_auc_score(positive, logits[:, index]))
        expected = average_precision_score(positive, logits[:, index])
        assert average_precision(logits[:, index], positive) == pytest.approx(expected)


@given(st.integers(0, 10**6), st.booleans())
def test_examples_taken_several_times_count_as_often(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.normal(size=30), rng.random(30) < 0.3
    scores = np.round(scores) if ties else scores
    chosen = rng.integers(30, size=30)
    found = ordered(scores, positive).average_precision(np.bincount(chosen, minlength=30))
    if positive[chosen].any():
        assert found == pytest.approx(average_precision_score(positive[chosen], scores[chosen]))
    else:
        assert np.isnan(found)


def test_two_classes_have_the_area_of_the_second() -> None:
    logits, labels = drawn(3, k=2)
    expected = roc_auc_score(labels, softmax(logits)[:, 1])
    assert metrics(logits, labels, "multiclass", ("a", "b")).auroc == pytest.approx(expected)


def test_several_labels_have_the_mean_of_average_precisions() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((150, 4)) < 0.3).astype(np.float32)
    logits = rng.normal(size=(150, 4)) + labels
    found = metrics(logits, labels, "multilabel", NAMES[:4])
    assert found.mean_average_precision == pytest.approx(average_precision_score(labels, logits, average="macro"))
    assert found.exact == pytest.approx(((logits > 0) == labels.astype(bool)).all(axis=1).mean())
    low, high = found.interval
    assert low < found.score < high


def test_numbers_have_explained_variance_and_errors() -> None:
    rng = np.random.default_rng(0)
    labels = rng.normal(size=(80, 2))
    answers = labels + rng.normal(size=(80, 2)) / 3
    found = metrics(answers, labels, "regression", ("x", "y"))
    assert found.r2 == pytest.approx(r2_score(labels, answers))
    assert found.mae == pytest.approx(mean_absolute_error(labels, answers))
    assert found.rmse == pytest.approx(((answers - labels) ** 2).mean() ** 0.5)


def test_a_class_without_examples_counts_in_no_mean() -> None:
    found = metrics([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0, 0], "multiclass", NAMES[:3])
    assert found.mean_per_class == 0.5
    assert found.to_dict()["per_class"][2] == {"name": "c", "n": 0, "value": None}
    assert found.to_dict()["auroc"] is None


def test_the_calibration_error_is_the_sum_over_bins_by_hand() -> None:
    confidence = [0.95, 0.92, 0.85, 0.35, 0.31]
    right = [1, 0, 1, 0, 1]
    # Ten bins: (0.9, 1]: 2 with mean 0.935 and half right; (0.8, 0.9]: 0.85, right; (0.3, 0.4]: 0.33, half right.
    expected = 2 / 5 * abs(0.935 - 0.5) + 1 / 5 * (1 - 0.85) + 2 / 5 * abs(0.33 - 0.5)
    assert calibration_error(confidence, right, bins=10) == pytest.approx(expected)


@given(st.integers(0, 10**6), st.floats(0.2, 5.0))
def test_temperature_finds_the_least_loss_and_scales_with_the_logits(seed: int, factor: float) -> None:
    logits, labels = drawn(seed, n=60, k=3)
    best = temperature(logits, labels)
    loss = negative_log_likelihood(logits / best, labels)
    assert loss <= min(negative_log_likelihood(logits / (best * step), labels) for step in (0.99, 1.01)) + 1e-12
    assert temperature(factor * logits, labels) == pytest.approx(factor * best, rel=1e-6)


def test_an_example_that_weighs_twice_is_one_that_is_there_twice() -> None:
    logits, labels = drawn(0, n=40, k=3)
    weights = np.repeat([1, 2], 20)
    twice = np.repeat(np.arange(40), weights)
    assert temperature(logits, labels, weights) == pytest.approx(temperature(logits[twice], labels[twice]), rel=1e-9)
    with pytest.raises(FieldError, match=r"weights: shape \(3,\); \(40,\) is needed"):
        temperature(logits, labels, [1, 2, 3])


def test_temperature_of_answers_that_are_all_right_is_the_least_allowed() -> None:
    assert temperature([[1.0, 0.0]] * 3, [0] * 3) == pytest.approx(0.01)


def test_the_wilson_interval_is_the_published_one() -> None:
    # Newcombe 1998, Table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (right, n), ends in published.items():
        assert wilson(right, n) == pytest.approx(ends, abs=5e-5)


def test_the_bootstrap_agrees_with_the_normal_interval_of_a_mean_and_with_its_seed() -> None:
    values = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap(lambda chosen: float(values[chosen].mean()), 400, draws=2000)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)
    assert (low, high) == bootstrap(lambda chosen: float(values[chosen].mean()), 400, draws=2000)


@pytest.mark.parametrize(
    ("scores", "labels", "problem"),
    [
        ([[1.0, 2.0]], [2], r"labels: not one index from 0 to 1 for each example"),
        ([[1.0, float("nan")]], [0], r"scores: some are no finite numbers; check the weights"),
        ([[1.0, 2.0, 3.0]], [0], r"scores: shape \(1, 3\); \(1, 2\) is needed"),
        (np.zeros((0, 2)), [], r"labels: no examples; nothing can be measured"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(scores: object, labels: object, problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        metrics(np.asarray(scores, np.float64), np.asarray(labels), "multiclass", ("a", "b"))
