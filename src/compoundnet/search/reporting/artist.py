"""A process that draws the PNG figures beside this one: it loads matplotlib while a long journal is read."""

import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen

from compoundnet.search.trials.failing import TrialsError

from .panel import Panel
from .still import can_draw, drawn

LONG = 4_000_000  # bytes of a journal, about 1,500 trials: reading them takes as long as starting the process
# Not multiprocessing: that would run a user's script, which called the command, once more.
_COMMAND = (sys.executable, "-P", "-c", "from compoundnet.search.reporting.artist import draw; draw()")


class Artist:
    """Draws panels in its own process: ``begin`` gives them, ``pictures`` waits for the files by their stems."""

    def __init__(self, process: "Popen[bytes]") -> None:
        self.process = process

    def begin(self, panels: Sequence[Panel]) -> None:
        """Give what is to be drawn."""
        assert self.process.stdin is not None
        try:
            pickle.dump(tuple(panels), self.process.stdin)
            self.process.stdin.close()
        except OSError:
            raise _ended() from None

    def pictures(self) -> dict[str, bytes]:
        """The pictures as PNG. Raises TrialsError where the process ended without them."""
        assert self.process.stdout is not None
        try:
            return pickle.load(self.process.stdout)  # noqa: S301 - of our own process
        except (EOFError, OSError, pickle.UnpicklingError):
            raise _ended() from None


def _ended() -> TrialsError:
    return TrialsError("the process that draws the figures has ended; is there memory enough? try again")


@contextmanager
def artist_for(journal: str) -> Iterator[Artist | None]:
    """An artist while the context is open: for a journal that is long, and where matplotlib is there."""
    if not (can_draw() and Path(journal).is_file() and Path(journal).stat().st_size > LONG):
        yield None
        return
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # A session of its own: Ctrl-C is answered by the process that began it.
    process = Popen(_COMMAND, stdin=PIPE, stdout=PIPE, env=os.environ | path, start_new_session=True)  # noqa: S603 - ours
    try:
        yield Artist(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # what it did not take
                pipe and pipe.close()


def draw() -> None:
    """What the process does: load matplotlib, read panels from standard input, write pictures to standard output."""
    import compoundnet.plots.still  # noqa: F401  # before there is anything to draw

    try:
        pictures = drawn(pickle.load(sys.stdin.buffer))  # noqa: S301 - of the process that began this one
    except EOFError:  # nobody waits any more
        return
    pickle.dump(pictures, sys.stdout.buffer)
