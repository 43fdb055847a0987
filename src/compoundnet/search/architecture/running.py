"""A search run in its folder: the store, the study, the workers, and the files that say how far it is."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.schema import counted, encode, require_count
from compoundnet.search.trials import Ended, Standing, Study, launch, open_store, work
from compoundnet.search.trials.failing import Patience
from compoundnet.search.trials.opening import JOURNAL
from compoundnet.search.whereabouts import ASKED, named, require_own
from compoundnet.whole import made, write_whole

from .found import FRONT, Architectures, save_best, save_networks

if TYPE_CHECKING:
    from .asking import ArchitectureSearch

OnStanding = Callable[[Standing], None]


def run(
    search: "ArchitectureSearch",
    out: Path,
    *,
    store: str | Path | None,
    study: str,
    workers: int | None,
    on_standing: OnStanding | None,
    patience: Patience | None,
    say: Callable[[str], None],
) -> Architectures:
    """See ``ArchitectureSearch.run``."""
    count = _cores() if workers is None else workers
    require_count(count, "workers")
    _require_same(search, made(out))
    if store is None:
        require_own(out)
    where = out / JOURNAL if store is None else store
    with open_store(where, patience=patience, say=say, operators=search.design.operators) as opened:
        kept = opened.study(study, search.identity)
        if count_kept := len(kept.trials):
            say(f"study {study} in {opened.name}: {counted(count_kept, 'trial')} recorded before; going on")
        write_whole(
            out / ASKED, json.dumps(_asked(search, named(opened.name, out), study), indent=1, allow_nan=False) + "\n"
        )
        ended = _searched(search, kept, count, out / FRONT, _Saving(search, out, on_standing))
        kept.glance()
        trials = tuple(kept.trials)
    found = Architectures(search.objective, ended.why, ended.recorded, trials)
    if found.best is not None:
        save_best(out, found.best, search.objective, search.rounding)
    save_networks(out, found.front, search.objective, search.rounding)
    return found


def _searched(search: "ArchitectureSearch", study: Study, workers: int, front: Path, told: OnStanding) -> Ended:
    if workers == 1:
        return work(study, search.job, limits=search.limits, front=front, on_trial=told)
    return launch(study, search.job, workers=workers, limits=search.limits, front=front, on_standing=told)


@dataclass
class _Saving:
    """Writes the best network whenever there is a better one, and passes on how the search stands."""

    search: "ArchitectureSearch"
    out: Path
    on_standing: OnStanding | None
    best: str = ""

    def __call__(self, standing: Standing) -> None:
        if standing.best is not None and standing.best.key != self.best:
            save_best(self.out, standing.best, self.search.objective, self.search.rounding)
            self.best = standing.best.key
        if self.on_standing is not None:
            self.on_standing(standing)


def _asked(search: "ArchitectureSearch", store: str, study: str) -> Mapping[str, Any]:
    """What ``search.json`` holds; an address of a store is written without its password."""
    return {
        "version": 1,
        "store": store,
        "study": study,
        "identity": dict(search.identity),
        "space": search.design.to_dict(),
        "objective": encode(search.objective),
        "recipe": encode(search.recipe),
        "strategy": search.job.strategy.name,
        "seed": search.seed,
        "stop": search.stop,
    }


def _require_same(search: "ArchitectureSearch", out: Path) -> None:
    """Raise ValueError for a folder of another search."""
    file = out / ASKED
    if not file.exists():
        return
    try:
        held = json.loads(file.read_text(encoding="utf-8"))["identity"]
        differing = sorted(name for name in {*held, *search.identity} if held.get(name) != search.identity.get(name))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{file}: damaged; search in another folder") from None
    if differing:
        raise ValueError(f"{out}: holds a search with another {' and '.join(differing)}; name another folder")


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
