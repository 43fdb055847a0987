"""Tiny searches: a network of a few hundred weights, pictures whose class can be seen, one epoch."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from compoundnet import Head, MBConv, Network, Rounding, Stage, Stem
from compoundnet.data import Memory
from compoundnet.recipes import Recipe
from compoundnet.search.coefficients import Asked, quick
from compoundnet.search.material import Material
from compoundnet.search.trial import Trial
from compoundnet.search.trials import open_store

from .training import examples

SMALL = Network(
    stem=Stem(channels=8, stride=2),
    stages=(
        Stage(operator=MBConv(expand=1, se=0.0), layers=2, channels=8),
        Stage(operator=MBConv(expand=2, se=0.0), layers=2, channels=12, stride=2),
    ),
    head=Head(channels=16),
    classes=4,
    resolution=12,
)
FINE = Rounding(divisor=2)


def memory(count: int, seed: int = 0, side: int = 16) -> Memory:
    """Noise with a bright quarter; which one is the class."""
    data = examples(count, seed, side)
    return Memory(data.pixels, data.labels, data.classes)


def material(side: int = 16) -> Material:
    """96 pictures that train, 32 that judge."""
    return Material(memory(96, 0, side), memory(32, 1, side))


def brief(**changes: Any) -> Recipe:
    """One epoch in batches of 16."""
    base = quick(1.0)
    small = replace(base, batch=16, optimizer=replace(base.optimizer, per=16, warmup_epochs=0.2))
    return replace(small, **changes)


def asked(**changes: Any) -> Asked:
    """Directions at twice the multiply-adds: one seed, one rung, two fresh seeds."""
    settings: dict[str, Any] = {"candidates": "directions", "seeds": 1, "rungs": 2, "confirm": 2, "finalists": 2}
    settings |= {"network": SMALL, "recipe": brief(), "rounding": FINE, "by_stage": True, "tolerance": 0.05}
    return Asked(**(settings | changes))


def given_pictures(root: Path) -> Path:
    """A folder with SMALL's JSON, for 1,000 classes, and 96 pictures in four classes."""
    (root / "net.json").write_text(json.dumps({**SMALL.to_dict(), "classes": 1000}))
    data = examples(96)
    for k, label in enumerate(data.labels):
        folder = root / "data" / "abcd"[label]
        folder.mkdir(parents=True, exist_ok=True)
        data.image(k).save(folder / f"{k}.png")
    return root


def trials_of(folder: Path) -> list[Trial]:
    """The trials in a search's journal."""
    with open_store(folder / "journal.log") as store:
        (name,) = store.study_names()
        identity = next(iter(store._identities(name)))
        return list(store.study(name, identity).trials)


def recorded(path: Path) -> int:
    """How many results are written in a journal, or in that of a search's folder; another process may be writing it."""
    journal = path / "journal.log" if path.is_dir() else path
    return journal.read_bytes().count(b'"user_attr":{"record":') if journal.is_file() else 0
