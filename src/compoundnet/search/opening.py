"""The pictures of a search by the one name that people give data: those that train, judge, and test once at the end."""

from collections.abc import Callable
from dataclasses import dataclass

from compoundnet.data import Examples, Memory, every_part, split
from compoundnet.schema import require_count

from .material import Material, gathered

TEST, JUDGES = 0.2, 0.1  # shares that are held out where the data has no such part


@dataclass(frozen=True, eq=False)
class Opened:
    """Pictures to search with; ``notes`` say what was held out."""

    material: Material
    test: Memory
    notes: tuple[str, ...]


def opened(
    data: str,
    channels: int,
    side: int | None = None,
    *,
    seed: int = 0,
    judges: float = JUDGES,
    on_done: Callable[[int, int], None] | None = None,
) -> Opened:
    """The pictures of data (as ``for_training`` takes them) in memory, square, at ``side`` pixels.

    The side defaults to that of pictures in one array. A test part and a validation part that the data does not have
    are drawn from its training part by ``seed``, each class in its share; ``judges`` is that of the validation. Raises
    ValueError, one line, for data that cannot be read, files without a side, and pictures smaller than it.
    """
    if side is not None:
        require_count(side, "side")
    parts = every_part(data)
    train, notes = parts["train"], list[str]()
    held = dict[str, Examples]()
    for name, share in (("test", TEST), ("validation", judges)):
        if name in parts:
            held[name] = parts[name]
            continue
        train, held[name] = split(train, share, seed)
        notes.append(f"{data} has no {name} part: {len(held[name]):,} of its pictures are held out as one")
    native = _side(train, data) if side is None else side
    made = {name: gathered(part, native, channels, on_done) for name, part in {"train": train, **held}.items()}
    return Opened(Material(made["train"], made["validation"]), made["test"], tuple(notes))


def _side(examples: Examples, data: str) -> int:
    if not isinstance(examples, Memory):
        raise ValueError(f"{data}: pictures of any size; say at which side they are kept, such as --side 64")
    return min(examples.pixels.shape[1:3])
