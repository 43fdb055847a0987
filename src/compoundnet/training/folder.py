"""The folder of a run: what it is, how it went, its weights, and what it needs to go on.

network.json, recipe.json and run.json say what is trained; events.jsonl and metrics.csv how it went; model.safetensors
holds the best averaged weights with their record, last/model.safetensors the newest; resume/ the states.
"""

import csv
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.preprocess import Preprocess
from compoundnet.recipes import Recipe
from compoundnet.schema import FieldError, decode, encode, shown
from compoundnet.whole import write_whole

from .identity import changed
from .state import TrainingError

NETWORK, RECIPE, RUN = "network.json", "recipe.json", "run.json"
EVENTS, METRICS, MODEL, RESUME, TEST = "events.jsonl", "metrics.csv", "model.safetensors", "resume", "test.json"
LAST = "last"  # the folder of the newest weights
_FACTS = frozenset({"task", "classes", "images", "preprocess"})  # some of what ``facts_of`` has

_LOOK, _WITHDRAWN = "test", "test_withdrawn"  # the events of a look at the test set, and of one that nobody had


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    def require_new(self) -> None:
        """Raise TrainingError for a folder that holds a run or anything else."""
        if (self.path / RECIPE).exists():
            raise TrainingError(f"{self.path}: holds a run already; go on with --resume, or name another folder")
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise TrainingError(f"{self.path}: is not an empty folder; name another one")

    def begin(self, network: Network, recipe: Recipe, facts: Mapping[str, Any]) -> None:
        """Write what is to be trained. Raises TrainingError as ``require_new`` does."""
        self.require_new()
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / NETWORK, json.dumps(network.to_dict(), indent=2) + "\n")
        write_whole(self.path / RUN, json.dumps(encode(facts), indent=2) + "\n")
        write_whole(self.path / RECIPE, json.dumps(encode(recipe), indent=2) + "\n")  # last: now it is a run

    def is_run(self) -> bool:
        """Whether ``begin`` made the folder: others have files of such names too."""
        if not all((self.path / name).is_file() for name in (NETWORK, RECIPE, RUN)):
            return False
        try:
            facts = self.read(RUN)
        except TrainingError:
            return False
        return facts.keys() >= _FACTS

    def require_same(self, network: Network, recipe: Recipe, facts: Mapping[str, Any]) -> None:
        """Raise TrainingError, with the first difference, unless the folder's run is this one."""
        wanted = ((NETWORK, network.to_dict()), (RECIPE, encode(recipe)), (RUN, _shown(facts)))
        for name, value in wanted:
            before = _shown(self.read(name)) if name == RUN else self.read(name)
            found = _first(before, json.loads(json.dumps(value)))
            if found:
                problem = f"cannot go on, {name} differs: {_differs(*found)}"
                raise TrainingError(f"{self.path}: {problem}; {_as_before(name, *found[:2])}name another folder")
        if found := changed(self.read(RUN), facts):
            raise TrainingError(f"{self.path}: cannot go on, {found}")

    def read(self, name: str) -> Any:
        """The JSON of one file. Raises TrainingError when it is missing or malformed."""
        try:
            found = json.loads((self.path / name).read_text())
            if isinstance(found, dict):
                return found
        except OSError:
            raise TrainingError(f"{self.path}: no run to go on with, {name} is missing; leave out --resume") from None
        except ValueError:
            found = None
        raise TrainingError(f"{self.path / name}: is not what a run writes there; train into another folder")

    def network(self, operators: Mapping[str, type] = OPERATORS) -> Network:
        """What is trained; ``operators`` adds a user's own classes by name."""
        return _named(NETWORK, lambda: Network.from_dict(self.read(NETWORK), operators))

    def recipe(self) -> Recipe:
        """How it is trained."""
        return _named(RECIPE, lambda: decode(Recipe, self.read(RECIPE)))

    def preprocess(self) -> Preprocess:
        """How its pictures are seen."""
        return _named(RUN, lambda: decode(Preprocess, self.read(RUN).get("preprocess")))

    def log(self, event: str, **values: Any) -> None:
        """Add a line to events.jsonl, with the time in seconds since 1970."""
        line = json.dumps({"event": event, "time": round(time.time(), 3), **values}) + "\n"
        with (self.path / EVENTS).open("ab+") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            cut_short = file.read(1) not in (b"", b"\n")  # by a kill
            file.write(("\n" if cut_short else "").encode() + line.encode())

    def logged(self) -> int:
        """How many bytes events.jsonl has."""
        events = self.path / EVENTS
        return events.stat().st_size if events.exists() else 0

    def forget_after(self, size: int) -> None:
        """Cut events.jsonl to what it was when a state was saved: the rest, but looks at a test, happens again."""
        if self.logged() > size:
            with (self.path / EVENTS).open("rb") as file:
                kept = [file.read(size).rstrip(b"\n"), *(line.rstrip(b"\n") for line in file if _is_look(line))]
            write_whole(self.path / EVENTS, "".join(f"{line.decode()}\n" for line in kept if line))

    def write_metrics(self, history: Sequence[Mapping[str, Any]]) -> None:
        """metrics.csv: a row for each epoch."""
        names = list(dict.fromkeys(name for row in history for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, names, lineterminator="\n")
        table.writeheader()
        table.writerows(history)
        write_whole(self.path / METRICS, text.getvalue())

    def require_untested(self, again: bool = False) -> list[float]:
        """When the test set was looked at, in seconds since 1970. Raises TrainingError if it was, unless ``again``."""
        path = self.path / TEST
        try:
            times = json.loads(path.read_text()) if path.exists() else []
        except ValueError:
            times = None
        if not isinstance(times, list) or not all(type(each) in (int, float) for each in times):
            raise TrainingError(f"{path}: no list of times; the test set counts as evaluated, mend or remove the file")
        if times and not again:
            when = time.strftime("%Y-%m-%d", time.gmtime(times[-1]))
            raise TrainingError(f"{self.path}: the test set was evaluated on {when}; a second look needs --again")
        return times

    def claim_test(self, again: bool = False, **about: Any) -> int:
        """Note that the test set is looked at, and return how often before: a choice made by it is no test.

        test.json has the times, events.jsonl a line with what else is given. Raises TrainingError when it was looked at
        before, unless ``again``.
        """
        times = self.require_untested(again)
        write_whole(self.path / TEST, json.dumps([*times, round(time.time())]) + "\n")
        self.log(_LOOK, look=len(times) + 1, again=again, **about)
        return len(times)

    def withdraw_test(self) -> None:
        """Take the newest look back, as its figures reached nobody: it counts no more; events.jsonl keeps both."""
        *before, _ = self.require_untested(again=True)
        if before:
            write_whole(self.path / TEST, json.dumps(before) + "\n")
        else:
            (self.path / TEST).unlink()
        self.log(_WITHDRAWN, look=len(before) + 1)


def _shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that are said as they are when they differ."""
    return {name: facts.get(name) for name in sorted(_FACTS)}


def _is_look(line: bytes) -> bool:
    """Whether a line of events.jsonl, which may be cut short, says that the test set was looked at, or was not."""
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("event") in (_LOOK, _WITHDRAWN)


def _named(name: str, read: Any) -> Any:
    try:
        return read()
    except FieldError as error:
        raise error.under(name) from None


def _as_before(name: str, where: str, old: Any) -> str:
    """What to give for a file of the run to be the same again."""
    if name == RECIPE:
        return f"give --set {where}={json.dumps(old)} as before, or neither --recipe nor --set, or "
    if name == NETWORK:
        return "give the same NET as before, or "
    return "give --pretrained as before, or " if where.startswith("preprocess") else ""


def _differs(where: str, old: Any, new: Any) -> str:
    return f"{where or 'it'} is {shown(old)} there, {shown(new)} here"


def _first(old: Any, new: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """The path to the first difference of two JSON values, and both there; None when they are equal.

    >>> _first({"a": [1, 2]}, {"a": [1, 3]})
    ('a[1]', 2, 3)
    """
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        inner = ((f"{path}.{key}" if path else str(key), old[key], new[key]) for key in old)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        inner = ((f"{path}[{k}]", a, b) for k, (a, b) in enumerate(zip(old, new, strict=True)))
    else:
        return None if old == new else (path, old, new)
    return next((found for where, a, b in inner if (found := _first(a, b, where))), None)
