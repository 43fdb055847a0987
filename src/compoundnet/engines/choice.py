"""The fastest engine for a network and a setting: measured once, remembered in the cache."""

import json
import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compoundnet.caching import cache_folder
from compoundnet.measuring.rounds import measure
from compoundnet.modules import ConvNet
from compoundnet.schema import FieldError, decode, encode
from compoundnet.weights.hashing import json_sha256
from compoundnet.whole import write_whole

from .forms import Forms
from .pytorch import Runner, using_threads
from .setting import Setting
from .table import ENGINES, installed, version

_log = logging.getLogger(__name__)
CHOICE_SECONDS = 4.0
_FIRST_ROUNDS = 3
_LEAD = 1
_HOPELESS = 1.5  # times the fastest after the first rounds: not measured further


@dataclass(frozen=True)
class Choice:
    """The engine that was fastest, and each one's milliseconds; ``failed`` could not run the network.

    The times are tenth percentiles, as other work on the machine moves them least: of one call, or of one
    call by each of several streams at once.
    """

    engine: str
    ms: Mapping[str, float]
    failed: Mapping[str, str] = field(default_factory=dict)
    from_cache: bool = False

    def __str__(self) -> str:
        times = ", ".join(f"{name} {ms:.2f} ms" for name, ms in sorted(self.ms.items(), key=lambda item: item[1]))
        failed = "".join(f"; {name} failed: {problem}" for name, problem in self.failed.items())
        when = "measured before" if self.from_cache else "measured now"
        return f"{self.engine} is the fastest ({times}{failed}; {when})"


def choose(model: ConvNet, setting: Setting, *, seconds: float = CHOICE_SECONDS, patient: bool = False) -> Choice:
    """The fastest installed engine, from the cache or measured for about ``seconds`` after all have started.

    ``patient`` tries also the engines that compile for minutes. The cache's key is the network, the setting,
    the engines' versions and the CPU; it lies in $COMPOUNDNET_CACHE or the user's cache folder.
    Raises ValueError when no engine can run the network.
    """
    key, names = _key_and_names(model, setting, patient)
    found = _read(key, names)
    if found is not None:
        return found
    return _made(key, names, setting, Forms(model, setting.shape(model.network)), seconds)[0]


def chosen(
    model: ConvNet, setting: Setting, forms: Forms, seconds: float, patient: bool
) -> tuple[Choice, dict[str, Runner]]:
    """``choose``, and the engines that were started for it: the chosen one at least."""
    key, names = _key_and_names(model, setting, patient)
    found = _read(key, names)
    if found is not None:
        return found, {found.engine: ENGINES[found.engine].start(forms, setting.threads, setting.streams)}
    return _made(key, names, setting, forms, seconds)


def _made(
    key: Mapping[str, Any], names: list[str], setting: Setting, forms: Forms, seconds: float
) -> tuple[Choice, dict[str, Runner]]:
    """The choice by the clock, kept in the cache."""
    runners, failed = _started(forms, setting, names)
    with at_once(setting.streams, setting.threads) as together:
        ms = _raced(runners, forms, seconds, together)
    choice = Choice(min(ms, key=lambda name: ms[name]), ms, failed)
    _write(key, choice)
    return choice, runners


def _started(forms: Forms, setting: Setting, names: list[str]) -> tuple[dict[str, Runner], dict[str, str]]:
    runners: dict[str, Runner] = {}
    failed: dict[str, str] = {}
    for name in names:
        try:
            runners[name] = ENGINES[name].start(forms, setting.threads, setting.streams)
        except Exception as error:  # whatever a runtime raises for a network it cannot take
            failed[name] = f"{type(error).__name__}: {' '.join(str(error).split()):.200}"
    if not runners:
        raise ValueError(f"no engine can run this network: {failed}")
    return runners, failed


@contextmanager
def at_once(streams: int, threads: int) -> Iterator[Callable[[Callable[[], object]], None]]:
    """A function that makes ``streams`` threads do the same call at the same time, and waits for all of them.

    PyTorch computes each on ``threads`` threads.
    """
    if streams == 1:
        yield _once
        return
    with using_threads(threads), ThreadPoolExecutor(streams) as pool:

        def together(call: Callable[[], object]) -> None:
            for future in [pool.submit(call) for _ in range(streams)]:
                future.result()

        yield together


def _once(call: Callable[[], object]) -> None:
    call()


def _raced(
    runners: Mapping[str, Runner], forms: Forms, seconds: float, together: Callable[[Callable[[], object]], None]
) -> dict[str, float]:
    """Each engine's tenth percentile in milliseconds; those far behind after the first rounds are left behind."""
    images = forms.images.numpy()
    calls = {name: (lambda run=run: together(lambda: run(images))) for name, run in runners.items()}
    ms = {name: found.low_ms for name, found in measure(calls, _FIRST_ROUNDS, warmup=1).items()}
    near_best = {name: call for name, call in calls.items() if ms[name] <= _HOPELESS * min(ms.values())}
    if len(near_best) > 1:
        rounds = max(_FIRST_ROUNDS, min(200, int(1e3 * seconds / ((_LEAD + 1) * sum(ms[name] for name in near_best)))))
        again = measure(near_best, rounds, warmup=0, lead=_LEAD)
        behind = {name: value for name, value in ms.items() if name not in near_best}
        ms = {name: found.low_ms for name, found in again.items()} | behind
    return ms


def _key_and_names(model: ConvNet, setting: Setting, patient: bool) -> tuple[dict[str, Any], list[str]]:
    """What the choice depends on, and the engines that take part in it."""
    names = [name for name, engine in ENGINES.items() if installed(name) and (patient or not engine.patient)]
    key = {
        "network": json_sha256(encode(model.network)),
        "setting": encode(setting),
        "engines": {name: version(name) for name in names},
        "cpu": cpu(),
    }
    return key, names


def cpu() -> str:
    """The processor's model as the system names it, and how many cores this process may use."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _file(key: Mapping[str, Any]) -> Path:
    return cache_folder() / "engines" / f"{json_sha256(key)[:32]}.json"


def _read(key: Mapping[str, Any], names: list[str]) -> Choice | None:
    path = _file(key)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        choice = decode(_Remembered, data)
        if choice.engine not in names:
            raise FieldError("engine", f"{choice.engine!r} is not one of {names}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        _log.warning("%s: ignored, and measured again: %s", path, " ".join(str(error).split()))
        return None
    return Choice(choice.engine, choice.ms, choice.failed, from_cache=True)


@dataclass(frozen=True)
class _Remembered:
    """A cache file; ``key`` is for people who wonder what it is."""

    key: Mapping[str, Any]
    engine: str
    ms: Mapping[str, float]
    failed: Mapping[str, str]


def _write(key: Mapping[str, Any], choice: Choice) -> None:
    path = _file(key)
    data = encode(_Remembered(key, choice.engine, choice.ms, choice.failed))
    try:
        write_whole(path, json.dumps(data, indent=1) + "\n")
    except OSError as error:  # a choice that cannot be kept is still a choice
        _log.warning("%s: the choice of engine is not kept: %s", path, error.strerror)
