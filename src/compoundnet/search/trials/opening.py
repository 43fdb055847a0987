"""Where trials are kept: a journal file, or a PostgreSQL database by its address."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from compoundnet.caching import cache_folder
from compoundnet.operators import OPERATORS
from compoundnet.schema import shown

from .failing import Patience, TrialsError, quiet, reason, require_optuna, require_postgres
from .store import Place, Store, beside

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "journal.log"  # in the folder of a search that names no store
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_CONNECT_SECONDS = 10
_REFUSALS = re.compile(  # PostgreSQL's texts in English; a server that speaks otherwise is waited for
    r"password authentication failed|no password supplied|no pg_hba\.conf entry|pg_hba\.conf rejects|"
    r"is not permitted to log in|permission denied for database|(role|database) .* does not exist"
)


def say_on_stderr(line: str) -> None:
    """What a store says aloud unless told to whom."""
    sys.stderr.write(f"compoundnet: {line}\n")


def open_store(
    where: str | Path,
    *,
    spill: Path | None = None,
    patience: Patience | None = None,
    say: Callable[[str], None] = say_on_stderr,
    operators: Mapping[str, type] = OPERATORS,
) -> Store:
    """The store at ``where``: a journal file ("runs/x/journal.log") or "postgresql://user@host/database".

    ``spill`` is the local folder for results that could not be written; by default beside the journal, or in the
    cache folder for a database. ``say`` gets lines about what was mended and what does not answer. ``operators`` adds a
    user's own classes by name: without them trials of such networks cannot be read. Raises TrialsError for
    another kind of address, a journal damaged in its middle, a missing package, and a server that refuses (a wrong
    password, no such database); StoreLostError when it does not
    answer for as long as ``patience`` has.
    """
    require_optuna()
    patience = patience or Patience()
    text = str(where)
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in _POSTGRES:
        raise TrialsError(f"{shown(scheme[0])} is no store; give a journal file, or postgresql://user@host/database")
    folder = cache_folder() / "unwritten" if scheme else beside(text)
    own = {name: kind for name, kind in operators.items() if name not in OPERATORS}
    place = Place(where=text, spill=spill or folder, patience=patience, operators=own)
    if scheme:
        require_postgres()
        shown_as, opened = _shown(text), lambda: _database(text)
    else:
        from .journal import open_journal

        path = Path(text)
        if path.is_dir():
            raise TrialsError(f"{path} is a folder; name the journal file in it, such as {path / 'journal.log'}")
        shown_as, opened = text, lambda: open_journal(path, say)
    return Store(place, shown_as, patience.keep_trying(opened, shown_as, say), say)


def _url(text: str) -> str:
    return f"postgresql+psycopg://{text.partition('://')[2]}"


def _shown(text: str) -> str:
    """The address without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(_url(text)).render_as_string(hide_password=True).replace("+psycopg", "", 1)
    except (ArgumentError, ValueError):
        raise TrialsError(f"{shown(text)} is no address; write postgresql://user:password@host:port/database") from None


def _database(text: str) -> "BaseStorage":
    """Raises TrialsError, at once, for what no waiting mends: a wrong password, a database that is not there."""
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

    settings = {"pool_pre_ping": True, "connect_args": {"connect_timeout": _CONNECT_SECONDS}}
    for last in (False, False, True):
        try:
            with quiet():
                return RDBStorage(_url(text), engine_kwargs=dict(settings))
        except (IntegrityError, ProgrammingError) as error:  # another process is making the tables
            if last:
                raise TrialsError(f"{_shown(text)}: the tables cannot be made ({reason(error)})") from None
        except DBAPIError as error:
            if not (refusal := _REFUSALS.search(str(error.orig))):
                raise
            line = next(line for line in str(error.orig).splitlines() if refusal[0] in line)
            raise TrialsError(
                f"{_shown(text)} refuses ({line.strip()}); mend the address, or let it in there"
            ) from None
    raise AssertionError
