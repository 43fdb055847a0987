"""The proof: an artefact's answers to the golden images beside those of the PyTorch model."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from compoundnet.schema import FieldError

from . import golden
from .record import Case, Options, Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compoundnet.modules import ConvNet
    from compoundnet.preprocess import Preprocess

    Array: TypeAlias = NDArray[np.float32]
    # Images as the artefact takes them (float32 N x 3 x H x W, or uint8 N x H x W x 3) to its outputs.
    Run: TypeAlias = Callable[[NDArray[Any]], Sequence[Array]]

# The largest difference of a logit, as a share of the largest logit. Engines order float32 sums
# differently; with the preprocessing inside, a resized pixel in a thousand may differ by 1 of 255.
TOLERANCE = 1e-4
TOLERANCE_PREPROCESS = 2e-2
# Of int8 artefacts, whose answers are compared with their own: where other kernels round a sum the other way, a
# value moves by a whole step of its scale, and what follows with it. One graph of efficientnet_lite0 on golden
# pictures, which no calibration has seen: other kernels of ONNX Runtime 0.04 apart, OpenVINO's 0.057.
TOLERANCE_INT8 = 1e-1


@dataclass(frozen=True)
class Proof:
    """How an artefact answered ``images`` golden images.

    ``difference`` and ``map_difference`` (activation maps; 0 without them) are the largest ones,
    divided by the largest expected value of their case. ``agreement`` is the share of images with
    the expected top class, or one that ties with it within ``tolerance``. ``skipped`` names
    photographs that are not installed here.
    """

    images: int
    difference: float
    map_difference: float
    agreement: float
    tolerance: float
    skipped: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether everything is within the tolerance (a NaN never is)."""
        within = self.difference <= self.tolerance and self.map_difference <= self.tolerance
        return within and self.agreement == 1.0 and self.images > 0

    def __str__(self) -> str:
        maps = f", maps by {self.map_difference:.1e}" if self.map_difference else ""
        return (
            f"{self.images} golden images: logits differ by at most {self.difference:.1e} of the largest{maps} "
            f"(allowed {self.tolerance:.0e}), top-1 agrees for {100 * self.agreement:.4g} %"
        )


def answered(model: "ConvNet", preprocess: "Preprocess", options: Options, photos: bool) -> tuple[Case, ...]:
    """The planned cases with the answers of the PyTorch model, which sees what ``predict`` would show it."""
    import numpy as np
    import torch

    from compoundnet.cam import class_activation_map

    from .graph import classifier_weight

    cases = []
    for case in golden.plan(preprocess, options, photos):
        pictures = golden.raw(case)
        assert pictures is not None
        images = golden.network_input(case, pictures, preprocess, options.include_preprocess)
        with torch.inference_mode():
            features = model.features(torch.from_numpy(images))
            logits = model.head(features).numpy()
            maps = class_activation_map(features, classifier_weight(model)).numpy() if options.cam else None
        top = None if maps is None else maps[np.arange(len(maps)), logits.argmax(1)]
        cases.append(replace(case, logits=_packed(logits), maps="" if top is None else _packed(top)))
    return tuple(cases)


def answered_by(run: "Run", preprocess: "Preprocess", options: Options, photos: bool) -> tuple[Case, ...]:
    """The planned cases with the logits of an artefact that takes normalised images, as int8 ones do."""
    cases = []
    for case in golden.plan(preprocess, options, photos):
        pictures = golden.raw(case)
        assert pictures is not None
        [logits, *_] = _run(run, golden.network_input(case, pictures, preprocess, False), options)
        cases.append(replace(case, logits=_packed(logits)))
    return tuple(cases)


def prove(record: Record, run: "Run") -> Proof:
    """Run an artefact on its golden images. Raises FieldError for a record that cannot be used."""
    differences, map_differences = [0.0], [0.0]
    agreements: list[bool] = []
    skipped: list[str] = []
    options, tolerance = record.options, _tolerance(record)
    for case in record.cases:
        golden.check(case)
        pictures = golden.raw(case)
        if pictures is None:
            skipped.append(case.photo)
            continue
        if not options.include_preprocess:
            pictures = golden.network_input(case, pictures, record.preprocess, False)
        outputs = _run(run, pictures, options)
        logits = _unpacked(case.logits, (len(pictures), -1))
        differences.append(_difference(outputs[0], logits))
        agreements += _agree(outputs[0], logits, tolerance)
        if options.cam:
            expected = _unpacked(case.maps, (len(pictures), *outputs[1].shape[2:]))
            map_differences.append(_difference(outputs[1][range(len(pictures)), logits.argmax(1)], expected))
    agreement = sum(agreements) / len(agreements) if agreements else 0.0
    largest = (_largest(differences), _largest(map_differences))
    return Proof(len(agreements), *largest, agreement, tolerance, tuple(skipped))


def _tolerance(record: Record) -> float:
    if record.int8 is not None:
        return TOLERANCE_INT8
    return TOLERANCE_PREPROCESS if record.options.include_preprocess else TOLERANCE


def _run(run: "Run", images: "NDArray[Any]", options: Options) -> "list[Array]":
    """All images at once, or one by one where the artefact takes one; logits first, then maps."""
    import numpy as np

    turns = [images] if options.dynamic else [images[k : k + 1] for k in range(len(images))]
    outputs = [run(turn) for turn in turns]
    wanted = 1 + options.cam
    if any(len(output) != wanted for output in outputs):
        raise FieldError("options.cam", f"the artefact gives {len(outputs[0])} outputs, the record says {wanted}")
    return [np.concatenate([output[k] for output in outputs]) for k in range(wanted)]


def _difference(found: "Array", expected: "Array") -> float:
    import numpy as np

    if found.shape != expected.shape:
        return float("inf")
    scale = float(np.abs(expected).max()) or 1.0
    return float(np.abs(found.astype(np.float64) - expected).max()) / scale


def _agree(found: "Array", expected: "Array", tolerance: float) -> list[bool]:
    import numpy as np

    if found.shape != expected.shape:
        return [False] * len(expected)
    best = expected.max(1)
    chosen = expected[np.arange(len(expected)), found.argmax(1)]
    return (best - chosen <= tolerance * np.abs(expected).max()).tolist()


def _largest(values: list[float]) -> float:
    """The maximum, where NaN is larger than anything."""
    return max(values, key=lambda value: (value != value, value))


def _packed(array: "Array") -> str:
    import numpy as np

    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> "Array":
    import numpy as np

    try:
        return np.frombuffer(base64.b64decode(text, validate=True), "<f4").reshape(shape)
    except (ValueError, binascii.Error):
        raise FieldError("cases", f"the golden answers do not fill the shape {shape}") from None
