"""The look at all pictures before a training, what is said about it, and where a run remembers it."""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from compoundnet.schema import FieldError, decode, encode

from .dating import made
from .progress import progress

if TYPE_CHECKING:
    from compoundnet.data.opening import Given
    from compoundnet.data.vetting import Vetting

MOST = 100_000  # pictures; of more, comparing them all takes hours
_SAMPLE = 64  # training pictures that are compared with those of the run that goes on
_QUIET = 2.0  # seconds of looking without a word
_SKIP = "--unchecked trains without looking"
Save = Callable[[], None]


def vetted(given: "Given", out: Path, resume: bool) -> "tuple[Given, Save]":
    """Pictures without the damaged ones, and what writes down, in the folder of the run, what was seen.

    A run that goes on takes what is written there. Raises ValueError, one line, for too many damaged pictures, and when
    all that judge are among those that train.
    """
    from compoundnet.data.vetting import are_files

    total = len(given.train) + len(given.validation)
    if not are_files(given.train) and not are_files(given.validation):
        return given, _nothing
    if total > MOST:
        _say(f"{total:,} pictures, more than {MOST:,}, so damaged ones and copies are not looked for; mend what stops")
        return given, _nothing
    known = remembered(out) if resume else None
    found = known if known is not None and known.is_of(given.train, given.validation) else _vet(given)
    train, validation = found.readable(given.train, given.validation)
    for line in found.left_out:
        _say(f"left out: {line}")
    _say_what_leaks(found)
    return replace(given, train=train, validation=validation), partial(_write, out, found)


def require_data(given: "Given", out: Path, data: str) -> None:
    """Say that the data of a run that goes on had another name when it began, and that its files are the same.

    Where the run remembers them, all training files are compared then, else a few, as reading all takes long. Raises
    ValueError, one line, for other files.
    """
    from compoundnet.data.splitting import subset
    from compoundnet.data.vetting import are_files, shared
    from compoundnet.training import RunFolder
    from compoundnet.training.folder import RUN

    before = RunFolder(out).read(RUN).get("made", {}).get("data", "")
    other = before not in ("", made(data).data)
    if other:
        sys.stderr.write(f"compoundnet: {out}: goes on with {data}, and began with data called {before}\n")
    known = remembered(out)
    if known is None or not are_files(given.train) or not known.is_of(given.train, given.validation):
        return  # names that changed are refused by the run itself
    damaged = {index for index, _ in known.train.damaged}
    good = [index for index in range(len(given.train)) if index not in damaged]
    some = good if other else good[:: max(1, len(good) // _SAMPLE)]
    there = set(shared(known, subset(given.train, some)))
    missing = [given.train.name(index) for index in some if given.train.name(index) not in there]
    if missing:
        such = f"{len(missing):,} of {len(some):,} pictures are other files than it began with, such as {missing[0]}"
        raise ValueError(f"{out}: cannot go on, {such}; give --data as before, or name another folder")


def remembered(out: Path) -> "Vetting | None":
    """What a run's folder says was seen, or None. Raises ValueError, one line, for a malformed file."""
    from compoundnet.data.vetting import VETTED, Vetting

    path = out / VETTED
    if not path.is_file():
        return None
    try:
        return decode(Vetting, json.loads(path.read_text()))
    except (FieldError, ValueError):
        raise ValueError(f"{path}: malformed; remove it") from None


def _vet(given: "Given") -> "Vetting":
    from compoundnet.data.vetting import vet

    silent = any(os.environ.get(name, "0") != "0" for name in ("RANK", "LOCAL_RANK"))
    with warnings.catch_warnings(), progress("pictures looked at", silent=silent) as on_done:
        warnings.filterwarnings("ignore", module="PIL")  # of odd metadata in pictures that are fine
        return vet(given.train, given.validation, on_done if silent else announced(on_done))


def announced(on_done: Callable[[int, int], None], clock: Callable[[], float] = time.monotonic) -> Callable[..., None]:
    """The same, which says once that pictures are looked at when that takes a while."""
    begun, left = clock(), [True]

    def called(done: int, total: int) -> None:
        if left and clock() - begun >= _QUIET:
            left.pop()
            what = f"looking at {total:,} pictures first, for damaged ones and copies; {_SKIP}"
            sys.stderr.write(f"compoundnet: {what}\n")
        on_done(done, total)

    return called


def _say_what_leaks(found: "Vetting") -> None:
    if found.copies and len(found.copies) == found.judging:
        one, other = found.copies[0]
        such = f"such as {other}" if one == other else f"such as {other}, which is {one}"
        raise ValueError(f"all {found.judging:,} pictures that judge train too, {such}; name others, or {_SKIP}")
    for pairs, what in ((found.copies, "train too"), (found.alike, "look like one that trains")):
        if pairs:
            one, other = pairs[0]
            much = f"{len(pairs):,} of {found.judging:,} pictures that judge {what}"
            _say(f"{much}, such as {other} and {one}; validation will be too good, remove one of each pair")


def _say(line: str) -> None:
    sys.stderr.write(f"compoundnet: warning: {line}\n")


def _write(out: Path, found: "Vetting") -> None:
    from compoundnet.data.vetting import VETTED
    from compoundnet.whole import write_whole

    write_whole(out / VETTED, json.dumps(encode(found)) + "\n")


def _nothing() -> None:
    """Nothing was seen."""
