"""Examples to a feed: a batch at a time from memory where that can be, else picture by picture."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from compoundnet.data import Examples, Loader, Pictures, loader
from compoundnet.network import Network
from compoundnet.preprocess import Preprocess
from compoundnet.recipes import Augment
from compoundnet.schema import require

from .feeding import Batch, Feed
from .in_memory import InMemory, MemoryFeed, as_pixels, whole_batches_do
from .planning import Plan
from .randomness import generator
from .shifting import Shifts


@dataclass(frozen=True)
class PictureFeed:
    """A feed of pictures that are decoded one by one, by ``workers`` processes; see ``Feed``.

    What a recipe does to a whole picture is done there; its shift and cutout are done to the batch.
    """

    pictures: Pictures
    batch: int
    workers: int = 0
    rank: int = 0
    world: int = 1

    def __len__(self) -> int:
        return len(self._loader(0, 0))

    def batches(self, epoch: int, start: int, side: int) -> Iterator[Batch]:
        """See ``Feed``."""
        augment, seed = self.pictures.augment, self.pictures.seed
        feed = replace(self, pictures=replace(self.pictures, resolution=side))
        given = iter(feed._loader(epoch, start))
        if augment is None or (augment.shift == 0 and augment.cutout == 0):
            yield from given
            return
        shifts = Shifts(augment, len(self.pictures), side, 0.0, generator("changes", seed, epoch))
        preprocess = self.pictures.preprocess
        black = -torch.tensor(preprocess.mean) / torch.tensor(preprocess.std)
        for number, (images, labels) in enumerate(given, start):
            begin = (number * self.world + self.rank) * self.batch
            yield shifts.of(images.permute(0, 2, 3, 1), begin, black).permute(0, 3, 1, 2), labels

    def _loader(self, epoch: int, start: int) -> Loader:
        places = {"epoch": epoch, "start": start, "rank": self.rank, "world": self.world}
        return loader(self.pictures, self.batch, workers=self.workers, **places)


def feed_of(
    examples: Examples,
    preprocess: Preprocess,
    augment: Augment | None,
    plan: Plan,
    network: Network,
    rank: int,
    workers: int,
) -> Feed:
    """Batches of one process: augmented and shuffled for training, or as they are with ``augment`` None.

    Pictures in one array of the right side that need no resizing and no colours are taken a batch at a time. Raises
    FieldError for a network that takes other than RGB pictures, which single pictures are.
    """
    part, seed = plan.part, plan.recipe.seed
    if isinstance(examples, InMemory) and _as_they_are(examples, preprocess, augment, plan):
        pixels, labels = as_pixels(examples.pixels, network.in_channels), torch.as_tensor(examples.labels)
        return MemoryFeed(pixels, labels, preprocess, augment, part, seed, rank, plan.world)
    require(network.in_channels == 3, "in_channels", f"{network.in_channels}; pictures have 3: red, green and blue")
    return PictureFeed(Pictures(examples, preprocess, augment, seed), part, workers, rank, plan.world)


def _as_they_are(examples: InMemory, preprocess: Preprocess, augment: Augment | None, plan: Plan) -> bool:
    height, width = examples.pixels.shape[1:3]
    if augment is None:
        return (height, width) == preprocess.size and preprocess.crop == 1
    first, last = (plan.side(epoch, preprocess.size[0]) for epoch in (0, plan.epochs - 1))
    return height == width == first == last and whole_batches_do(augment)
