"""What may go wrong with a store, how long it is tried again, and what is said then."""

import importlib.util
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class TrialsError(ValueError):
    """A store, a study or a worker cannot go on; one line with the remedy."""


class StoreLostError(TrialsError):
    """The store did not answer, or could not be written, for as long as was allowed."""


def require_optuna() -> None:
    """Raise TrialsError, with the remedy, unless Optuna is installed."""
    if importlib.util.find_spec("optuna") is None:
        raise TrialsError("a search needs optuna: pip install 'compoundnet[search]'")


def require_postgres() -> None:
    """Raise TrialsError, with the remedy, unless PostgreSQL's driver is installed."""
    if importlib.util.find_spec("psycopg") is None:
        raise TrialsError("a store in PostgreSQL needs psycopg: pip install 'compoundnet[search,postgres]'")


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna without its notes while something is made; its warnings, and the user's setting, stay."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(max(before, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(before)


def passing_errors() -> tuple[type[Exception], ...]:
    """What a store raises that may be over in a while: no connection, no room on the disk."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import DBAPIError

    return (OSError, StorageInternalError, DBAPIError)


def reason(error: BaseException) -> str:
    """The innermost cause, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__


@dataclass(frozen=True, kw_only=True)
class Patience:
    """For how long (``seconds``) a store is tried again, with pauses that double up to ``longest``."""

    seconds: float = 60.0
    pause: float = 0.2
    longest: float = 5.0

    def keep_trying(self, call: Callable[[], T], store: str, say: Callable[[str], None]) -> T:
        """What ``call`` gives. Raises StoreLostError when it still fails at the end."""
        errors = passing_errors()
        begun, pause = None, self.pause
        while True:
            try:
                return call()
            except errors as error:
                why = reason(error)
            if begun is None:
                begun = time.monotonic()
                say(f"{store} does not answer ({why}); trying for {self.seconds:g} s")
            if time.monotonic() - begun + pause > self.seconds:
                raise StoreLostError(
                    f"{store} did not answer for {self.seconds:g} s ({why}); what is recorded there is safe, "
                    "run the same again when it is back"
                )
            time.sleep(pause * random.uniform(0.8, 1.0))  # noqa: S311 - workers shall not all knock at once
            pause = min(2 * pause, self.longest)
