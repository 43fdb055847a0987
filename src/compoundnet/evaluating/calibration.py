"""Calibration: are things that a model is 80 % sure of true 80 times of 100?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compoundnet.schema import require, require_count

Numbers = NDArray[np.float64]
BINS = 15  # Guo et al. 2017
_COLDEST, _HOTTEST, _TURNS = 1e-2, 1e2, 200


@dataclass(frozen=True)
class Bin:
    """Answers of about one confidence: how many, how confident on average, which share of them is right."""

    count: int
    confidence: float
    accuracy: float


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> tuple[Bin, ...]:
    """The answers in ``bins`` bins of equal width by confidence, those without answers left out.

    ``confidence`` is the probability of each answer in [0, 1], ``right`` whether it is true.

    >>> reliability([0.95, 0.97, 0.55], [1, 0, 1], bins=10)
    (Bin(count=1, confidence=0.55, accuracy=1.0), Bin(count=2, confidence=0.96, accuracy=0.5))
    """
    require_count(bins, "bins")
    sure, is_right = np.asarray(confidence, np.float64), np.asarray(right).astype(np.float64)
    problem = f"shapes {sure.shape} and {is_right.shape}; one of each for each example"
    require(sure.ndim == 1 and sure.shape == is_right.shape, "confidence", problem)
    require(bool(((sure >= 0) & (sure <= 1)).all()), "confidence", "some are no probabilities in [0, 1]")
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    members = [place == index for index in range(bins)]
    return tuple(Bin(int(m.sum()), float(sure[m].mean()), float(is_right[m].mean())) for m in members if m.any())


def calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """The expected calibration error: the mean distance of confidence and accuracy over all answers, by bins.

    Guo et al. 2017, Eq. 3; ``bins`` of equal width.

    >>> round(calibration_error([0.9, 0.9], [1, 0]), 6)
    0.4
    """
    found = reliability(confidence, right, bins)
    count = sum(each.count for each in found)
    return sum(each.count * abs(each.confidence - each.accuracy) for each in found) / max(count, 1)


def log_softmax(logits_NK: Numbers) -> Numbers:
    """The logarithms of the probabilities of each row."""
    shifted = logits_NK - logits_NK.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def negative_log_likelihood(logits_NK: ArrayLike, labels: ArrayLike) -> float:
    """The mean negative log probability, in nats, of the true classes.

    >>> round(negative_log_likelihood([[0.0, 0.0]], [1]), 4)
    0.6931
    """
    logits, label = np.asarray(logits_NK, np.float64), np.asarray(labels, np.int64)
    return float(-log_softmax(logits)[np.arange(len(label)), label].mean())


def temperature(logits_NK: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float:
    """What logits are to be divided by so that these labels are likeliest (Guo et al. 2017, section 4.2).

    The likelihood is concave in 1 / temperature, so bisection of its slope finds the one best value, to the last
    digit; it is held in [0.01, 100], which only answers that are all right, or worse than guessing, run into. What is
    most probable stays so. ``weights``, one for each example, multiply their log likelihoods. Raises FieldError for
    logits that are no finite numbers, and for other shapes.

    >>> round(temperature([[2.0, 0.0]] * 10, [0] * 8 + [1] * 2), 4)  # 2 / ln(8 / 2)
    1.4427
    """
    logits, label = np.asarray(logits_NK, np.float64), np.asarray(labels, np.int64)
    fits = logits.ndim == 2 and label.shape == logits.shape[:1] and len(label) > 0
    require(fits, "logits", f"shapes {logits.shape} and {label.shape}; rows of logits and one label for each")
    require(bool(np.isfinite(logits).all()), "logits", "some are no finite numbers; check the weights")
    weight = np.ones(len(label)) if weights is None else np.asarray(weights, np.float64)
    require(weight.shape == label.shape, "weights", f"shape {weight.shape}; {label.shape} is needed")
    true = logits[np.arange(len(label)), label]
    low, high = 1 / _HOTTEST, 1 / _COLDEST
    for _ in range(_TURNS):
        middle = (low * high) ** 0.5
        if middle in (low, high):
            break
        expected = (np.exp(log_softmax(middle * logits)) * logits).sum(axis=1)
        low, high = (middle, high) if weight @ (true - expected) >= 0 else (low, middle)
    return 1 / low
