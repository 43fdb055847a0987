"""Material: the pictures that train and judge a search's trials, in memory, known by their content."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compoundnet.data import Examples, Memory, split, spread, subset
from compoundnet.preprocess import Preprocess
from compoundnet.schema import FieldError, require, require_count, require_kind

Pixels = NDArray[np.uint8]
_AT_ONCE = 4096  # pictures that are resized together


@dataclass(frozen=True, eq=False)
class Material:
    """Two sets of square pictures of one side. Raises FieldError for others, and for sets of different classes.

    ``digest`` names them by content: equal pictures, labels and order, equal digest, wherever they came from; a part
    of them has another.
    """

    train: Memory
    validation: Memory

    def __post_init__(self) -> None:
        for name in ("train", "validation"):
            shape = getattr(self, name).pixels.shape
            require(len(shape) in (3, 4) and shape[0] > 0, name, f"an array of shape {shape} holds no pictures")
            require(shape[1] == shape[2], name, f"pictures of {shape[1]} x {shape[2]} pixels; give square ones")
        same = self.train.pixels.shape[1:] == self.validation.pixels.shape[1:]
        require(same, "validation", "its pictures have another shape than those that train")
        alike = (self.train.classes, self.train.task) == (self.validation.classes, self.validation.task)
        require(alike, "validation", "its classes or its task are not those of the pictures that train")

    @property
    def side(self) -> int:
        """The native side in pixels: no trial sees more, and none can be asked for more."""
        return self.train.pixels.shape[1]

    @property
    def channels(self) -> int:
        """1 for grey pictures, else as many as they have."""
        return self.train.pixels.shape[3] if self.train.pixels.ndim == 4 else 1

    @cached_property
    def digest(self) -> str:
        """SHA-256 of pixels, labels, classes and task."""
        found = hashlib.sha256(repr((self.train.classes, self.train.task)).encode())
        for part in (self.train, self.validation):
            for array in (part.pixels, part.labels):
                found.update(f"{array.dtype.str} {array.shape}\n".encode())
                found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    @cached_property
    def preprocess(self) -> Preprocess:
        """All of a picture at its native side, normalised by the mean and deviation of those that train."""
        flat = self.train.pixels.reshape(-1, self.channels)
        mean, std = flat.mean(0, np.float64) / 255, flat.std(0, dtype=np.float64) / 255
        triples = [tuple(round(float(each), 4) for each in np.resize(values, 3)) for values in (mean, std)]
        (r, g, b), (x, y, z) = triples
        std_of = (max(x, 1e-3), max(y, 1e-3), max(z, 1e-3))
        return Preprocess(size=(self.side, self.side), crop=1.0, mean=(r, g, b), std=std_of)

    def part(self, pictures: int, seed: int = 0) -> "Material":
        """So many of the pictures that train, each class in its share, drawn by ``seed``; the same ones judge.

        A larger part of one seed holds the smaller ones. Raises FieldError for more pictures than there are.
        """
        require_count(pictures, "pictures")
        most = len(self.train)
        require(pictures <= most, "pictures", f"{pictures:,} of {most:,} that train; ask for at most as many")
        if pictures == most:
            return self
        chosen = sorted(spread(self.train.labels.tolist(), seed)[:pictures])
        return replace(self, train=_memory(subset(self.train, chosen)))

    def at(self, side: int) -> "Material":
        """The pictures resized by area. Raises FieldError beyond their native side: that adds cost and no detail."""
        require(side <= self.side, "side", f"{side} pixels; the pictures have {self.side}, and more adds no detail")
        if side == self.side:
            return self
        return Material(*(replace(part, pixels=by_area(part.pixels, side)) for part in (self.train, self.validation)))


def divided(examples: Memory, share: float, seed: int = 0) -> Material:
    """Pictures of which about ``share`` judge and the others train, each class in its share, drawn by ``seed``."""
    train, validation = split(examples, share, seed)
    return Material(_memory(train), _memory(validation))


def gathered(
    examples: Examples, side: int, channels: int = 3, on_done: Callable[[int, int], None] | None = None
) -> Memory:
    """Pictures of any kind as one array: the central square of each, resized by area to ``side``.

    Grey ones in memory stay grey for one channel; others are RGB. Raises FieldError where a picture is smaller, for
    another task than one class a picture, and ImageError for a picture that cannot be read.
    """
    require(examples.task == "multiclass", "task", f"{examples.task}; a search needs one class for each picture")
    require(channels in (1, 3), "channels", f"{channels}; pictures are grey (1) or RGB (3)")
    if isinstance(examples, Memory) and examples.pixels.shape[1] == examples.pixels.shape[2]:
        grey = examples.pixels.ndim == 3 and channels == 3
        pixels = np.repeat(examples.pixels[..., None], 3, axis=3) if grey else examples.pixels
        return replace(examples, pixels=by_area(pixels, side))
    found = np.empty((len(examples), side, side, 3), np.uint8)
    for index in range(len(examples)):
        picture = np.asarray(examples.image(index))
        edge = min(picture.shape[:2])
        if edge < side:
            problem = f"{examples.name(index)} has {edge} pixels on its shorter side; ask for at most as many"
            raise FieldError("side", problem)
        top, left = (picture.shape[0] - edge) // 2, (picture.shape[1] - edge) // 2
        found[index] = by_area(picture[None, top : top + edge, left : left + edge], side)[0]
        if on_done is not None:
            on_done(index + 1, len(examples))
    require(channels == 3, "channels", "pictures of files are RGB; give a network with in_channels 3")
    return Memory(found, examples.labels, examples.classes)


def by_area(pixels: Pixels, side: int) -> Pixels:
    """Square pictures, N x H x H or N x H x H x C, resized to ``side`` <= H: each new pixel is the mean of its area.

    >>> by_area(np.array([[[0, 100], [100, 200]]], np.uint8), 1).tolist()
    [[[100]]]
    """
    native = pixels.shape[1]
    require(side <= native, "side", f"{side} pixels; the pictures have {native}; take at most that, or larger pictures")
    if side == native:
        return pixels
    weights_SH = _overlaps(native, side)
    found = np.empty((len(pixels), side, side, *pixels.shape[3:]), np.uint8)
    for begin in range(0, len(pixels), _AT_ONCE):
        some = pixels[begin : begin + _AT_ONCE].astype(np.float32)
        rows = np.tensordot(some, weights_SH, axes=(1, 1))  # N x W (x C) x S
        both = np.tensordot(rows, weights_SH, axes=(1, 1))  # N (x C) x S x S, rows first
        found[begin : begin + _AT_ONCE] = np.rint(both if pixels.ndim == 3 else np.moveaxis(both, 1, 3))
    return found


def _overlaps(native: int, side: int) -> NDArray[np.float32]:
    """The share of each old pixel in each new one: rows sum to 1."""
    edges = np.arange(side + 1) * native / side
    old = np.arange(native)
    shared = np.minimum(edges[1:, None], old[None, :] + 1) - np.maximum(edges[:-1, None], old[None, :])
    return (np.clip(shared, 0, None) * side / native).astype(np.float32)


def _memory(examples: Examples) -> Memory:
    require_kind(examples, Memory, "examples")
    assert isinstance(examples, Memory)
    return examples
