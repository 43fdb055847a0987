"""Examples to a feed: a batch at a time from memory where that can be, else picture by picture."""

import torch

from compoundnet.data import Examples
from compoundnet.network import Network
from compoundnet.preprocess import Preprocess
from compoundnet.recipes import Augment

from .feeding import Feed
from .memory import InMemory, Memory, as_pixels, whole_batches_do
from .planning import Plan


def feed_of(
    examples: Examples,
    preprocess: Preprocess,
    augment: Augment | None,
    plan: Plan,
    network: Network,
    rank: int,
    workers: int,
) -> Feed:
    """Batches of one process: augmented and shuffled for training, or as they are with ``augment`` None."""
    if isinstance(examples, InMemory) and (augment is None or whole_batches_do(augment)):
        pixels = as_pixels(examples.pixels, network.in_channels)
        if pixels.shape[1:3] == preprocess.size:
            labels = torch.as_tensor(examples.labels)
            part, seed = plan.part, plan.recipe.seed
            return Memory(pixels, labels, preprocess, augment, part, seed, rank, plan.world)
    raise NotImplementedError
