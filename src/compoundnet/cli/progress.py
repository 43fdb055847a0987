"""How far a long command is: a bar on a terminal, a line every few seconds elsewhere, on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_SECONDS = 5.0
_MB = 10**6


@contextmanager
def progress(things: str, *, silent: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A function to call with (done, total), while the context is open."""
    if silent:
        yield _nothing
        return
    if not sys.stderr.isatty():
        yield _lines(things)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(things, total=None)

        def on_done(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield on_done


@contextmanager
def transfers(file: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function to call with (bytes that are there, all of them or None), while the context is open.

    A bar with the speed and the time left on a terminal, a line every few seconds elsewhere.
    """
    if not sys.stderr.isatty():
        lines = _lines(f"MB of {file}")

        def on_bytes(done: int, total: int | None) -> None:
            if total is not None:
                lines(done // _MB, -(-total // _MB))

        yield on_bytes
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    name = TextColumn("{task.description}", markup=False)  # a file's name is a name, whatever brackets it has
    columns = (name, BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(file, total=None)

        def on_bar(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield on_bar


@contextmanager
def standings(*, silent: bool = False) -> Iterator[Callable[[object], None]]:
    """A function to call with how a search stands, which says so as text, while the context is open.

    A line that is kept up to date on a terminal, elsewhere one every EVERY_SECONDS where something changed.
    """
    if silent:
        yield lambda standing: None
        return
    if not sys.stderr.isatty():
        yield _changes()
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as status:
        yield lambda standing: status.update(Text(str(standing)))


def _changes(clock: Callable[[], float] = time.monotonic) -> Callable[[object], None]:
    """A line at most every EVERY_SECONDS, and none for what was said last."""
    last, said = -EVERY_SECONDS, ""

    def on_standing(standing: object) -> None:
        nonlocal last, said
        line, now = str(standing), clock()
        if line != said and now - last >= EVERY_SECONDS:
            last, said = now, line
            sys.stderr.write(f"compoundnet: {line}\n")

    return on_standing


def _nothing(done: int, total: int) -> None:
    """What else is on the terminal shows the progress."""


def _lines(things: str, clock: Callable[[], float] = time.monotonic) -> Callable[[int, int], None]:
    """A line at most every EVERY_SECONDS, none for what is done sooner.

    The first of the things takes the start with it (imports, reading), so the estimate is made from those after it.
    """
    last = clock()
    first: tuple[float, int] | None = None

    def on_done(done: int, total: int) -> None:
        nonlocal last, first
        now = clock()
        since, before = first = first or (now, done)
        if now - last < EVERY_SECONDS or done in (before, total):
            return
        last = now
        left = (now - since) / (done - before) * (total - done)
        sys.stderr.write(f"compoundnet: {done:,} of {total:,} {things}, about {left:,.0f} s left\n")

    return on_done
