"""Adapting: any map-style data set as examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoundnet.images import ImageError
from compoundnet.images.decoding import to_rgb
from compoundnet.schema import shown

from .examples import Labels, Task
from .files import class_counts, require_trainable


class MapStyle(Protocol):
    """What torch calls a map-style data set: pairs of a picture and its label, by number."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class Adapted:
    """A map-style data set as examples; see ``adapted``."""

    dataset: MapStyle
    labels: Labels
    classes: tuple[str, ...]
    task: Task

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """The number."""
        return str(index)

    def image(self, index: int, side: int | None = None) -> Image.Image:
        """See ``Examples``. Raises ImageError for what is no picture, and whatever the data set raises."""
        return _picture(self.dataset[index][0], f"picture {index}")


def adapted(
    dataset: MapStyle, classes: Sequence[str], task: Task = "multiclass", labels: Sequence[Any] | Labels | None = None
) -> Adapted:
    """A data set whose items are (picture, label) as examples: those of torchvision and Hugging Face, or one's own.

    A picture is a PIL image, a uint8 array (height, width[, 3]), or a uint8 tensor (3 or 1, height, width); leave out
    the data set's own transform. ``labels`` are taken from ``labels``, else from its attribute ``targets``, else every
    item is read once. Raises ValueError, one line, for labels that do not fit ``classes``, and as ``folder`` does.

    >>> pairs = [(np.zeros((4, 4), np.uint8), 0), (np.zeros((4, 4), np.uint8), 1)]
    >>> adapted(pairs, ("cat", "dog")).image(1).mode
    'RGB'
    """
    given = labels if labels is not None else getattr(dataset, "targets", None)
    read = [dataset[index][1] for index in range(len(dataset))] if given is None else given
    values = np.asarray(read, np.int64 if task == "multiclass" else np.float32)
    count, names = len(dataset), tuple(classes)
    wanted = (count,) if task == "multiclass" else (count, len(names))
    if values.shape != wanted:
        raise ValueError(
            f"data set: labels of shape {values.shape}, not {wanted}; give one for each of {count} pictures"
        )
    if task == "multiclass" and count and not 0 <= values.min() <= values.max() < len(names):
        outside = int(values.max()) if values.max() >= len(names) else int(values.min())
        raise ValueError(f"data set: a label {outside}, but {len(names)} classes are 0 to {len(names) - 1}")
    if task != "regression":
        require_trainable("data set", dict(zip(names, class_counts(values, len(names)), strict=True)))
    return Adapted(dataset, values, names, task)


def _picture(value: Any, name: str) -> Image.Image:
    if isinstance(value, Image.Image):
        return to_rgb(value, name)
    pixels: NDArray[Any] = np.asarray(value)
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and hasattr(value, "permute"):
        pixels = pixels.transpose(1, 2, 0)
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        found = f"{type(value).__name__} {shown(value)}" if pixels.ndim == 0 else f"{pixels.dtype} of {pixels.shape}"
        raise ImageError(f"{name}: {found} is no picture; give PIL images or uint8 arrays, without a transform")
    return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
