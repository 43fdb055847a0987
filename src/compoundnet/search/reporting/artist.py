"""A process that draws the PNG figures beside this one: it loads matplotlib while a long journal is read."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from compoundnet.search.trials.failing import TrialsError

from .panel import Panel
from .still import can_draw, drawn

LONG = 4_000_000  # bytes of a journal, about 1,500 trials: reading them takes as long as starting the process


class Artist:
    """Draws panels in its own process: ``begin`` gives them, ``pictures`` waits for the files by their stems."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, panels: Sequence[Panel]) -> None:
        """Give what is to be drawn."""
        try:
            self._connection.send(tuple(panels))
        except OSError:
            raise _ended() from None

    def pictures(self) -> dict[str, bytes]:
        """The pictures as PNG. Raises TrialsError where the process ended without them."""
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            raise _ended() from None


def _ended() -> TrialsError:
    return TrialsError("the process that draws the figures has ended; is there memory enough? try again")


@contextmanager
def artist_for(journal: str) -> Iterator[Artist | None]:
    """An artist while the context is open: for a journal that is long, and where matplotlib is there."""
    if not (can_draw() and Path(journal).is_file() and Path(journal).stat().st_size > LONG):
        yield None
        return
    context = get_context("spawn")  # a fork would copy threads of NumPy's in a state that nobody knows
    ours, theirs = context.Pipe()
    process = context.Process(target=_draw, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Artist(ours)
    finally:
        ours.close()
        process.kill()
        process.join()


def _draw(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered by the process that began this one
    import compoundnet.plots.still  # noqa: F401  # matplotlib, before there is anything to draw

    try:
        connection.send(drawn(connection.recv()))
    except (EOFError, OSError):  # nobody waits any more
        return
