"""The command on training memory: before anything runs, and measured."""

from dataclasses import fields, replace
from typing import Literal

from compoundnet.budget import OptimizerName
from compoundnet.memory import Memory, available, largest_batch, optimizer_named, training_memory
from compoundnet.recipes import Recipe
from compoundnet.schema import require_count

from .output import write, write_json, write_table
from .sources import read
from .units import size

_ROOM = 0.9  # of what is free: the estimate is up to a tenth too low, and the process itself takes some
_WORDS = {
    "weights": "Weights",
    "gradients": "Gradients",
    "optimizer": "Optimizer",
    "average": "Moving average",
    "activations": "Activations",
    "temporary": "Temporary",
}


def memory(
    net: str,
    batch: str = "auto",
    optimizer: OptimizerName = "rmsprop",
    precision: Literal["float32", "bfloat16", "float16"] = "float32",
    resolution: int | None = None,
    limit: str | None = None,
    checkpointing: bool = False,
    no_average: bool = False,
    check: bool = False,
    json: bool = False,
) -> int:
    """Estimate the memory that training takes before it runs, or the largest batch that fits; --check measures.

    Args:
        batch: images at once in one process, or auto for as many as fit; default: auto
        optimizer: sgd, momentum (sgd with it), rmsprop, adam or adamw; default: rmsprop
        precision: of activations: float32, bfloat16 or float16; weights stay float32; default: float32
        resolution: side of the training images in pixels; default: the network's own
        limit: with auto: fit into this much, such as 8GiB; default: nine tenths of what is free here
    """
    if check and precision == "float16":
        raise ValueError("--check: a CPU does not train in float16; check bfloat16, whose activations are as large")
    network = read(net).network
    given = Recipe(
        batch=1,
        optimizer=optimizer_named(optimizer),
        precision=precision,
        resolution=resolution,
        checkpointing=checkpointing,
        ema_decay=None if no_average else 0.9999,
    )
    room = _room(batch, limit)
    images = _images(batch) if room is None else largest_batch(network, room, given)
    recipe = replace(given, batch=images)
    found = training_memory(network, recipe)
    measured = None
    if check:
        from compoundnet.training.allocation import allocated

        sized = network if resolution is None else replace(network, resolution=resolution)
        measured = allocated(
            sized, images, optimizer, precision=precision, checkpointing=checkpointing,
            average=not no_average, weight_decay=recipe.optimizer.weight_decay,
        )  # fmt: skip
    if json:
        parts = {name: getattr(found, name) for name in _WORDS}
        write_json({"batch": images, **parts, "total": found.total, "limit": room, "measured": measured})
        return 0
    side = network.resolution if resolution is None else resolution
    head = f"{net}, {images:,} {'image' if images == 1 else 'images'} of {side} x {side}, {precision}, {optimizer}"
    write(f"{head}, recomputed" if checkpointing else head)
    _table(found)
    if room is not None:
        write(f"The largest batch within {room:,} bytes.")
    if measured is not None:
        write(f"Measured: {measured:,} bytes; the estimate is {found.total / measured:.3f} of it.")
    return 0


def _room(batch: str, limit: str | None) -> int | None:
    """The bytes to fill, or None where the batch is given."""
    if batch != "auto":
        if limit is not None:
            raise ValueError("--limit goes with --batch auto; leave one of them out")
        return None
    if limit is not None:
        return size(limit, "--limit")
    try:
        return int(_ROOM * available())
    except OSError:
        raise ValueError("--batch auto: this system does not say what memory is free; give --limit") from None


def _images(batch: str) -> int:
    if not (batch.isascii() and batch.isdecimal() and len(batch) < 10):
        raise ValueError(f"--batch: {batch!r} is not a whole number of at least 1, or auto")
    require_count(int(batch), "--batch")
    return int(batch)


def _table(found: Memory) -> None:
    assert _WORDS.keys() == {field.name for field in fields(found)}
    rows = [
        (word, f"{getattr(found, name):,}") for name, word in _WORDS.items() if name != "temporary" or found.temporary
    ]
    write_table(("", "Bytes"), [*rows, ("Total", f"{found.total:,}")])
    if found.temporary:
        write("Few activations: the optimizer's step, when they are gone, has more copies than they took.")
