"""Fashion-MNIST from scratch: ``python -m benchmarks.fashion --seed S --threads T [--epochs E]``.

A small scaled network under 5 million multiply-adds at 28 pixels, by the recipe ``small``. 2,000 of the 60,000 training
pictures are held out and draw the curve; they choose nothing. The averaged weights of the last epoch are evaluated on
the 10,000 test pictures once. How many epochs fit into the minutes is measured first, unless they are given; then they
are fixed. Stopped at any moment, the same command goes on. When a seed is done, the record of all seeds in the folder
is written.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import compoundnet as c
from compoundnet.data import fashion_mnist, split
from compoundnet.recipes import Recipe, small
from compoundnet.training import Host, Interrupted, RunFolder, Trained, train
from compoundnet.training.in_memory import MemoryFeed, as_pixels
from compoundnet.training.losses import loss_of, sums
from compoundnet.training.optimizing import optimizer_of

from .recording import write

BASE = c.Network(
    stem=c.Stem(channels=32, kernel=5),
    stages=(
        c.Stage(operator=c.Basic(), layers=1, channels=32),
        c.Stage(operator=c.Basic(), layers=1, channels=48, stride=2),
        c.Stage(operator=c.Basic(), layers=1, channels=96, stride=2),
    ),
    head=c.Head(channels=192),
    classes=10,
    in_channels=1,
    resolution=28,
    activation="relu",
)
NETWORK = c.scale(BASE, c.Scaling(width=0.8))
MOST_MACS = 5_000_000
GOAL = 93.0
HELD_OUT = 2_000
PREPROCESS = c.Preprocess(size=(28, 28), crop=1.0, mean=(0.286,) * 3, std=(0.353,) * 3)
BATCHES = 40  # that measure the speed
SHARE = 0.85  # of the minutes: the rest is for validation, and for a machine that is slower later


def speed(recipe: Recipe) -> float:
    """Training images a second, on as many threads as torch has now."""
    data = fashion_mnist()
    model = c.build(NETWORK).to(memory_format=torch.channels_last).train()
    optimizer = optimizer_of(recipe.optimizer, model)
    pixels, labels = as_pixels(data.pixels, 1), torch.as_tensor(data.labels)
    feed = iter(MemoryFeed(pixels, labels, PREPROCESS, recipe.augment, recipe.batch).batches(0, 0, 28))
    start = 0.0
    for number in range(2 * BATCHES):
        if number == BATCHES:
            start = time.perf_counter()
        images, wanted = next(feed)
        optimizer.zero_grad()
        loss_of(model(images), wanted, "multiclass").backward()
        optimizer.step()
    return BATCHES * recipe.batch / (time.perf_counter() - start)


def recipe_of(folder: RunFolder, seed: int, epochs: int | None, minutes: float) -> Recipe:
    """The recipe that a folder holds, or a new one of the epochs asked for, or of as many as fit."""
    if (folder.path / "recipe.json").exists():
        found = folder.recipe()
        if epochs not in (None, found.epochs):
            raise SystemExit(f"{folder.path}: is of {found.epochs:g} epochs, not {epochs}; name another --out")
        return found
    base = replace(small().recipe, seed=seed)
    if epochs is not None:
        return replace(base, epochs=float(epochs))
    epochs = int(60 * minutes * SHARE * speed(base) / (60_000 - HELD_OUT))
    print(f"{epochs} epochs fit into {minutes:g} minutes", flush=True)
    return replace(base, epochs=float(max(epochs, 3)))


def trained(folder: RunFolder, recipe: Recipe, threads: int) -> Trained:
    """Train in the folder, or go on there. Raises Interrupted when it is asked to stop."""
    learning, judging = split(fashion_mnist(), HELD_OUT / 60_000, seed=0)
    return train(
        *(NETWORK, recipe, learning, judging, folder.path),
        preprocess=PREPROCESS,
        host=Host(accelerator="cpu", threads=threads, save_minutes=2),
        resume=(folder.path / "recipe.json").exists(),
        on_progress=told(time.monotonic()),
    )


def tested(folder: RunFolder) -> float:
    """Top-1 in percent of the last averaged weights on the test pictures; looked at once, then remembered."""
    remembered = folder.path / "test_top1.json"
    if not remembered.exists():
        folder.claim_test()
        model, data = c.load(folder.path / "last" / "model.safetensors").model, fashion_mnist(split="test")
        pixels, labels = as_pixels(data.pixels, 1), torch.as_tensor(data.labels)
        with torch.inference_mode():
            batches = MemoryFeed(pixels, labels, PREPROCESS, None, 500).batches(0, 0, 28)
            total = sum(sums(model(images), wanted, "multiclass") for images, wanted in batches)
        assert isinstance(total, torch.Tensor)
        remembered.write_text(json.dumps(100 * float(total[2] / total[0])))
    return float(json.loads(remembered.read_text()))


def epochs_of(folder: RunFolder) -> list[dict[str, Any]]:
    """The epochs of events.jsonl; a line that a kill cut short is no JSON, and left out."""
    rows = list[dict[str, Any]]()
    for line in (folder.path / "events.jsonl").read_text().splitlines():
        with suppress(ValueError):
            rows.append(json.loads(line))
    return [row for row in rows if row["event"] == "epoch"]


def records(root: Path) -> Iterator[dict[str, Any]]:
    """Each finished seed with its curve, then their mean and spread."""
    found: list[float] = []
    cost = c.cost(NETWORK)
    common = {"what": "fashion", "macs": cost.macs, "params": cost.params}
    for path in sorted(root.glob("seed*/test_top1.json")):
        folder, about = RunFolder(path.parent), json.loads((path.parent / "how.json").read_text())
        rows = epochs_of(folder)
        curve = [{"epoch": row["epoch"], "top1": row["top1"], "train_loss": row["train_loss"]} for row in rows]
        found.append(tested(folder))
        run = {"seed": folder.recipe().seed, "epochs": folder.recipe().epochs, "test_top1": found[-1]}
        training = {"training_seconds": round(sum(row["seconds"] for row in rows), 1)}
        speeds = {"images_per_s": statistics.median(row["images_per_s"] for row in rows)}
        yield {**common, **run, **training, **speeds, **about, "curve": curve}
    spread = {"mean": statistics.mean(found), "least": min(found), "most": max(found)}
    deviation = {"deviation": statistics.stdev(found) if len(found) > 1 else None}
    yield {**common, "what": "fashion_seeds", "seeds": len(found), **spread, **deviation}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fashion", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--minutes", type=float, default=55.0, help="how long they may take, where they are not given")
    parser.add_argument("--out", type=Path, default=Path("runs/fashion"), help="the folder of all seeds' runs")
    given = parser.parse_args()
    assert c.cost(NETWORK).macs < MOST_MACS
    torch.set_num_threads(given.threads)
    folder = RunFolder(given.out / f"seed{given.seed}")
    recipe = recipe_of(folder, given.seed, given.epochs, given.minutes)
    try:
        done = trained(folder, recipe, given.threads)
    except Interrupted as stop:
        print(stop)
        return 130
    (folder.path / "how.json").write_text(json.dumps({"threads": given.threads}))
    top1 = tested(folder)
    print(f"seed {given.seed}: {top1:.2f} % on the test pictures; held out {done.history[-1]['top1']:.2f} %")
    found = list(records(given.out))
    lengths = {record["epochs"] for record in found if "epochs" in record}
    command = f"python -m benchmarks.fashion --seed S --threads {given.threads} --epochs {recipe.epochs:g}"
    if len(lengths) == 1:
        write("fashion_", command, found)
    else:
        print(f"not recorded: the seeds in {given.out} have {sorted(lengths)} epochs")
    return 0 if top1 >= GOAL else 1


def told(start: float) -> Any:
    """A line every thousand steps, with what is left."""

    begun: list[int] = []

    def on_progress(done: int, total: int) -> None:
        begun.append(done)
        del begun[1:]
        if done % 1000 == 0 and done > begun[0]:
            each = (time.monotonic() - start) / (done - begun[0])
            print(f"{done} of {total} steps, about {each * (total - done) / 60:.1f} minutes left", flush=True)

    return on_progress


if __name__ == "__main__":
    sys.exit(main())
