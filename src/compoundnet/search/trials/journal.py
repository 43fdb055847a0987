"""Optuna's journal file, written so that a full disk or a killed worker leaves no half line to those after it."""

import errno
import json
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from .damage import cut_torn_tail, first_damaged_line, is_journal
from .failing import TrialsError
from .loading import uncollected

_LASTING = {errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR}  # none passes
_BROKEN_AFTER = 30  # seconds for which nobody but a dead writer holds the lock


class Journal(JournalFileBackend):
    """The same file as Optuna's, line for line, read by it and locked as it locks.

    The path is absolute, as Optuna's default lock links to it and spins for ever where the link leads nowhere.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path, self._say = path.absolute(), say
        self._own_lock = JournalFileOpenLock(str(self._path), grace_period=_BROKEN_AFTER)
        self._end = (0, 0)  # how many records were read at once, and how many bytes they are
        super().__init__(str(self._path), lock_obj=self._own_lock)

    def mend(self) -> None:
        """Cut off a half-written last line, and say so."""
        with self._locked():
            self._cut()

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The records from a number on. Raises TrialsError where one is damaged."""
        if (records := self._read_at_once(log_number_from)) is not None:
            yield from records
            return
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise damaged(self._path, error) from None

    def _read_at_once(self, number: int) -> list[dict[str, Any]] | None:
        """What follows the records that were read last, parsed as one list; None where Optuna's slower way has to do.

        No line holds a newline of its own, as JSON escapes it.
        """
        known, start = self._end
        if number != known:
            return None
        with self._path.open("rb") as file:
            file.seek(start)
            whole = file.read()
        size = whole.rfind(b"\n") + 1
        try:
            records = json.loads(b"[" + whole[: max(0, size - 1)].replace(b"\n", b",") + b"]")
        except ValueError:
            return None
        self._end = (known + len(records), start + size)
        return records

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write whole lines, or none: what a full disk took only half of is taken back. Raises OSError."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self._locked():
            self._cut()
            with self._path.open("ab", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                try:
                    while lines:  # a disk that has room for a part says why it has none for the rest
                        lines = lines[file.write(lines) :]
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(size)
                    raise

    def _cut(self) -> None:
        if cut := cut_torn_tail(self._path):
            self._say(f"{self._path.name} ended in a half-written record: {cut:,} bytes cut off, all others are whole")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._own_lock.acquire()
        try:
            yield
        finally:
            self._own_lock.release()


def open_journal(path: Path, say: Callable[[str], None]) -> JournalStorage:
    """The journal's storage. Raises TrialsError with the line number where it is damaged in its middle.

    Also for a file that is no journal, which is left as it is, and for a place that cannot be written.
    """
    try:
        return _opened(path, say)
    except OSError as error:
        if error.errno not in _LASTING:
            raise
        raise TrialsError(f"{path}: cannot be written ({error.strerror}); name another file") from None


def _opened(path: Path, say: Callable[[str], None]) -> JournalStorage:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not is_journal(path):
        raise TrialsError(f"{path} is no journal of trials: line 1 is no record; name another file")
    journal = Journal(path, say)
    journal.mend()
    try:
        with uncollected():
            return JournalStorage(journal)
    except (OSError, TrialsError):
        raise
    except Exception as error:  # whatever Optuna trips over: the file says where
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> TrialsError:
    """The one line about a journal that cannot be read."""
    number = first_damaged_line(path)
    where = f"line {number:,} is no record" if number is not None else f"its records contradict each other ({error!r})"
    return TrialsError(f"{path}: {where}; take out that line, or put back a copy of the file; nothing was changed")
