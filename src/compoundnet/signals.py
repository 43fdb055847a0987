"""Ctrl-C and SIGTERM as a question that is asked between steps; a second one stops at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def terminated() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt while the context is open, as Ctrl-C does; in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, _raise)
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _raise(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


@contextmanager
def stop_on_signal(on_ask: Callable[[], None] | None = None) -> Iterator[Callable[[], bool]]:
    """A function that says whether the process was asked to stop, while the context is open.

    ``on_ask`` is called in the signal's handler, once.

    In another thread than the main one, which receives no signals, it always says no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: Any) -> None:
        asked.append(number)
        for each, handler in before.items():  # a second one ends the process, whichever of the two it is
            signal.signal(each, handler or signal.SIG_DFL)
        if on_ask is not None and len(asked) == 1:
            on_ask()

    try:
        for number in before:
            signal.signal(number, note)
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
