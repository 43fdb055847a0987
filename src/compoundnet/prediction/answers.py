"""Answers: what a model's logits say about one picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compoundnet.schema import encode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Label:
    """A class the model considered: its name (its index as text where the weights name none)."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one picture, best first; or none, and an ``error`` of one line."""

    path: str
    top: tuple[Label, ...] = ()
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of ``compoundnet predict --json``: path, top (label, index, probability), error."""
        return {"path": self.path, "top": encode(self.top), "error": self.error}


def probabilities(logits_NK: "ArrayLike") -> "NDArray[np.float64]":
    """The softmax of each row, in double precision.

    >>> probabilities([[0.0, 0.0]])
    array([[0.5, 0.5]])
    """
    import numpy as np

    logits = np.asarray(logits_NK, np.float64)
    with np.errstate(invalid="ignore"):  # of infinite logits; `best` says that they are no numbers
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def best(path: str, probabilities_K: "ArrayLike", classes: tuple[str, ...], top: int) -> Prediction:
    """The ``top`` classes of one picture's probabilities, of equals the first; an error where they are not numbers."""
    import numpy as np

    values = np.asarray(probabilities_K)
    if not np.isfinite(values).all():
        return Prediction(path, error=f"{path}: the model's answer is not a number; check the weights")
    # To sort all of a thousand takes several times as long as to find those that may be among the best.
    near = (values >= np.partition(values, -top)[-top]).nonzero()[0] if top < len(values) else np.arange(len(values))
    order = near[np.argsort(-values[near], kind="stable")[:top]].tolist()
    return Prediction(path, tuple(Label(classes[i] if classes else str(i), i, float(values[i])) for i in order))
