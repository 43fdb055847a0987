"""What a checkpoint that does not fit is told: one line, with names, counts and the first few of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]
_SHOWN, _LONG = 3, 120


class CheckpointError(ValueError):
    """A weight file that cannot be read, is not the expected one, or does not fit the network."""


class DamagedError(ValueError):
    """Bytes that are not what their format promises; who opened the file says which one, and what to do."""


class RefusedError(ValueError):
    """A file that is whole and will not be read: the reason and the way out, without the file's name."""


@dataclass(frozen=True)
class Mismatch:
    """How a checkpoint differs from what a network needs; false when it does not. Names are the checkpoint's."""

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return len(self) > 0

    def __len__(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.misshapen)

    def __str__(self) -> str:
        parts = (("missing", self.missing), ("extra", self.extra), ("misshapen", self.misshapen))
        return ", ".join(f"{len(names)} {what} ({first(names)})" for what, names in parts if names)


def first(names: Sequence[str]) -> str:
    """The first few of a list of names.

    >>> first(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    return ", ".join(map(plain, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")


def plain(name: str) -> str:
    r"""A name of a file's as it stands in an error: on one line, and short.

    >>> plain("a.b"), plain("a\nb"), plain("a" * 200) == "a" * 120 + "..."
    ('a.b', 'a\\nb', True)
    """
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


def mismatch(needs: Mapping[str, Shape], has: Mapping[str, Shape]) -> Mismatch:
    """Compare the tensors a network needs with those a checkpoint has, by name and shape.

    >>> print(mismatch({"a": (2, 3), "b": (1,)}, {"a": (3, 2), "c": ()}))
    1 missing (b), 1 extra (c), 1 misshapen (a is 3x2, needs 2x3)
    """
    return Mismatch(
        missing=tuple(name for name in needs if name not in has),
        extra=tuple(name for name in has if name not in needs),
        misshapen=tuple(
            f"{name} is {_times(has[name])}, needs {_times(shape)}"
            for name, shape in needs.items()
            if name in has and has[name] != shape
        ),
    )


def _times(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "a single number"
