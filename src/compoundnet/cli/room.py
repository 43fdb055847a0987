"""Before training starts: what a step takes in memory beside what is free, and the batch that fits."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from compoundnet.memory import available, largest_batch, training_memory
from compoundnet.network import Network
from compoundnet.recipes import Recipe, scaled
from compoundnet.schema import FieldError

from .memory import ROOM

_MB = 10**6


def with_room(
    network: Network, recipe: Recipe, images: int, *, auto: bool, devices: int = 1, begun: Path | None = None
) -> Recipe:
    """The recipe, with ``auto`` for the batch that fits; what a step takes is said, and nothing is refused for it.

    The batch that fits is the recipe's, or the largest power of two within nine tenths of what is free; all that hangs
    on it is rescaled. A run that was ``begun`` keeps its batch. Raises ValueError, one line, where not one image fits.
    """
    free, processes = _free(), int(os.environ.get("WORLD_SIZE", devices))
    if auto:
        if processes > 1:
            raise ValueError("--batch auto: several processes may find several batches; give --set batch=N")
        batch = _begun(begun) if begun else _fitting(network, recipe, images, free)
        if batch != recipe.batch:
            recipe = scaled(replace(recipe, accumulate=1), batch=batch, images=images, from_images=images).recipe
            say(f"--batch auto: {batch:,} images a step; what hangs on it is rescaled, as recipe scale does")
    part = max(1, recipe.batch // (recipe.accumulate * processes))
    takes = training_memory(network, replace(recipe, batch=part, accumulate=1)).total
    where = f" in each of {processes} processes" if processes > 1 else ""
    known = "; what is free is not known here" if free is None else f"; {free // _MB:,} MB are free"
    say(f"a step takes about {-(-takes // _MB):,} MB{where} ({part:,} images at once){known}{_remedy(takes, free)}")
    return recipe


def _fitting(network: Network, recipe: Recipe, images: int, free: int | None) -> int:
    if free is None:
        raise ValueError("--batch auto: this system does not say what memory is free; give --set batch=N")
    try:
        fitting = largest_batch(network, max(1, int(ROOM * free)), recipe)
    except FieldError as error:
        raise ValueError(f"--batch auto: {error}") from None
    if recipe.batch // recipe.accumulate <= fitting and recipe.batch <= images:
        return recipe.batch
    most = max(1, min(fitting, images, recipe.batch))
    return 1 << (most.bit_length() - 1)


def _begun(folder: Path) -> int:
    from compoundnet.training import RunFolder

    return RunFolder(folder).recipe().batch


def _free() -> int | None:
    """The bytes that are free where the network trains, or None where nobody says."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0]
    try:
        return available()
    except OSError:
        return None


def _remedy(takes: int, free: int | None) -> str:
    if free is None or takes <= free:
        return ""
    return ", which is less; --batch auto takes fewer images, --set accumulate=N parts, checkpointing=true recomputes"


def say(line: str) -> None:
    """Write a line of the plan to stderr; of several processes one speaks."""
    if all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK")):
        sys.stderr.write(f"compoundnet: {line}\n")
