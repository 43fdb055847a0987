"""Defects of solar cells from ImageNet weights: `python -m benchmarks.elpv --folds 5 --budget 20m`.

The ELPV data set (pip install elpv-dataset; CC BY-NC-SA, so it is not shipped): 2,624 electroluminescence pictures of
300 x 300 pixels; a cell counts as defective from a probability of 0.5. Folds stratified by probability and kind of
cell; the figures of all folds together are means with t-intervals over folds. In every fold the same network
(EfficientNet-Lite0) is

- transferred: `compoundnet.transferring.transfer` within the budget, from the ImageNet weights; its head alone too;
- fine-tuned by timm's parts (model, loader, SGD with Nesterov momentum, cosine with warm-up, label smoothing) with the
  defaults of its train.py but for the batch, from the same weights, for the whole budget;
- trained from scratch by the same loop, for as long.

timm's wheel has no train.py; the loop here is its order of calls. The loop sees whole pictures at 224 pixels, as the
weights were trained, the transfer at the pictures' own 300 (`--resolution 300`). On one thread the loop's budget counts
seconds of the processor, so that work beside it takes none of them; the transfer's is wall time, the harder one. Test
pictures are seen as they are, by the transfer's model also in all eight symmetries, whose log-probabilities are
averaged. What is done is kept in the folder ``--out``; stopped at any moment, the same command goes on with the next
fold or method.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from scipy.stats import t as student
from timm.data import create_transform
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from torch.utils.data import DataLoader, Dataset

from compoundnet.cli.units import span
from compoundnet.data import Examples, Pictures, elpv, folds
from compoundnet.evaluating import metrics
from compoundnet.transferring import finish, transfer
from compoundnet.weights import from_ours, load

from .recording import write

MODEL, SIDE, BATCH = "efficientnet_lite0", 224, 32
OWN_SIDE = 300  # of the pictures: --resolution 300
MEAN = "_of_8_views"
METHODS = ["transfer", "timm", "scratch"]
Symmetry: TypeAlias = tuple[tuple[int, ...], bool]  # the axes that are turned round, after a mirror in the diagonal
SQUARE: tuple[Symmetry, ...] = tuple((axes, across) for across in (False, True) for axes in ((), (2,), (3,), (2, 3)))
FIGURES = ("auroc", "mean_per_class", f"auroc{MEAN}", f"mean_per_class{MEAN}")


class Views(Dataset[tuple[Any, int]]):
    """Pictures as timm's transforms give them."""

    def __init__(self, held: Examples, train: bool) -> None:
        mean = load(MODEL).weights.preprocess
        options = {"mean": mean.mean, "std": mean.std, "interpolation": "bicubic", "crop_pct": 1.0}
        self.held = held
        self.transform: Any = create_transform(SIDE, is_training=train, no_aug=False, **options)

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(self.held.image(index)), int(self.held.labels[index])


def fitted(train: Examples, test: Examples, seconds: float, pretrained: bool, seed: int) -> NDArray[np.float64]:
    """timm's loop for ``seconds``; the log-probabilities (1, N, K) of the test pictures."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.monotonic
    torch.manual_seed(seed)
    model: Any = timm.create_model(f"tf_{MODEL}", num_classes=1000, drop_rate=0.2)
    if pretrained:
        ours = load(MODEL).model
        model.load_state_dict(from_ours(ours.state_dict(), ours.network, "timm"))
    model.reset_classifier(2)
    start = clock()
    loader = DataLoader(Views(train, True), BATCH, shuffle=True, drop_last=True)
    rate = 0.1 * BATCH / 256  # train.py: --lr-base 0.1 for 256 pictures, linear for SGD
    optimizer = create_optimizer_v2(model, opt="sgd", lr=rate, weight_decay=2e-5, momentum=0.9)
    loss_of: Any = LabelSmoothingCrossEntropy(0.1)
    epochs, epoch, scheduler = 0, 0, None
    while scheduler is None or epoch < epochs:
        model.train()
        for x, labels in loader:
            if scheduler is not None and clock() - start > seconds:
                break
            loss: torch.Tensor = loss_of(model(x), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        epoch += 1
        taken = clock() - start
        if scheduler is None:  # the first epoch says how many there will be; it runs at the warm-up's rate
            epochs = max(2, int(seconds / taken))
            warm = min(5, epochs // 5)
            scheduler, _ = create_scheduler_v2(
                optimizer, sched="cosine", num_epochs=epochs, warmup_epochs=warm, warmup_lr=1e-5, updates_per_epoch=0
            )
        scheduler.step(epoch)
        if taken > seconds:
            break
    return answers(model.eval(), DataLoader(Views(test, False), BATCH), (((), False),))


def answers(
    model: torch.nn.Module, pictures: DataLoader[Any], symmetries: Sequence[Symmetry] = SQUARE
) -> NDArray[np.float64]:
    """Log-probabilities (V, N, K) of every picture in each of the symmetries."""
    made: list[torch.Tensor] = []
    model = model.to(memory_format=torch.channels_last)  # three times as fast on a processor
    with torch.inference_mode():
        for x, _ in pictures:
            turned = [(x.transpose(2, 3) if across else x).flip(axes) for axes, across in symmetries]
            made.append(
                torch.stack([model(each.contiguous(memory_format=torch.channels_last)) for each in turned])
                .double()
                .log_softmax(2)
            )
    return torch.cat(made, 1).numpy()


def answered(path: Path, test: Examples) -> NDArray[np.float64]:
    """The saved model's logits of the test pictures by view."""
    saved = load(path)
    return answers(saved.model, DataLoader(Pictures(test, saved.weights.preprocess), BATCH))


def figures(logits_VNK: NDArray[np.float64], test: Examples) -> dict[str, float]:
    """AUROC, and the mean of both classes' recalls (balanced accuracy), of one fold: of one view, and of the mean."""
    made: dict[str, float] = {}
    views = (("", logits_VNK[0]), *([(MEAN, logits_VNK.mean(0))] if len(logits_VNK) > 1 else []))
    for ending, logits_NK in views:
        found = metrics(logits_NK, test.labels, "multiclass", test.classes, draws=1)
        made |= {f"{name}{ending}": round(found.values[name], 4) for name in ("auroc", "mean_per_class")}
    return made


def over_folds(values: Sequence[float]) -> dict[str, Any]:
    """The mean over folds with its 95 % t-interval; one fold has none.

    Folds share training pictures, so the interval is a little too narrow (Bengio and Grandvalet 2004).
    """
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return {"mean": mean, "interval": None}
    reach = float(student.ppf(0.975, count - 1)) * float(np.std(values, ddof=1)) / count**0.5
    return {"mean": round(mean, 4), "interval": [round(mean - reach, 4), round(mean + reach, 4)]}


def transferred(
    train: Examples, test: Examples, budget: float, threads: int, seed: int
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """The transfer's logits by view, and what it says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"budget": budget, "symmetry": "all", "threads": threads, "seed": seed}
        options["resolution"] = OWN_SIDE
        say = partial(print, flush=True)
        start = time.monotonic()
        done = transfer(train, MODEL, Path(folder) / "out", **options, say=say)
        finish(done)
        seconds = time.monotonic() - start
        logits = answered(done.place.folder, test)
    reasons = {reason.setting: reason.value for reason in done.reasons}
    chosen = {key: reasons[key] for key in ("resolution", "unfrozen")}
    about = {"kept": done.best.how, "epochs": len(done.epochs), **chosen}
    return logits, {"seconds": round(seconds, 1), **about, "validation_head_only": dict(done.head.figures)}


def once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``make`` gives, or what it gave before."""
    if not path.exists():
        made = make()
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(made))
        beside.rename(path)
    return json.loads(path.read_text())


def one(name: str, parts: tuple[Examples, Examples], seconds: float, threads: int, fold: int) -> dict[str, Any]:
    """One method's figures on one fold."""
    train, test = parts
    start, busy = time.monotonic(), time.process_time()
    if name == "transfer":
        logits, about = transferred(train, test, seconds, threads, fold)
    else:
        logits = fitted(train, test, seconds, name == "timm", fold)
        about = {"seconds": round(time.monotonic() - start, 1)}
    about["busy_seconds"] = round(time.process_time() - busy, 1)  # of the processor: what other work took is missing
    return {"what": "elpv", "method": name, "fold": fold, "threads": threads, **figures(logits, test), **about}


def records(
    count: int, only: Sequence[int], budget: float, threads: int, methods: Sequence[str], out: Path
) -> Iterator[dict[str, Any]]:
    """One record a fold and method, then one of all folds together for each method."""
    torch.set_num_threads(threads)
    folder = out / f"{count}folds_{budget:g}s_{threads}threads"
    folder.mkdir(parents=True, exist_ok=True)
    cells = elpv()
    parts = folds(cells, count, groups=cells.strata)
    kept: dict[str, list[dict[str, Any]]] = {name: [] for name in methods}
    for fold in only:
        for name in methods:
            make = partial(one, name, parts[fold], budget, threads, fold)
            found = once(folder / f"{name}{fold}.json", make)
            kept[name].append(found)
            yield found
    for name, rows in kept.items():
        means = {key: over_folds([row[key] for row in rows]) for key in FIGURES if key in rows[0]}
        yield {"what": "elpv", "method": name, "folds": len(rows), "threads": threads, "budget": budget, **means}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elpv", description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, nargs="*", help="these folds only; nothing is recorded")
    parser.add_argument("--budget", default="20m", help="for each fold's transfer, and for each of the others")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--out", type=Path, default=Path("runs/elpv"), help="what is done is kept here")
    given = parser.parse_args()
    only = range(given.folds) if given.only is None else given.only
    budget = span(given.budget, "--budget")
    found = records(given.folds, only, budget, given.threads, given.methods, given.out)
    if given.only is not None:
        for record in found:
            print(record, flush=True)
        return
    command = f"python -m benchmarks.elpv --folds {given.folds} --budget {given.budget} --threads {given.threads}"
    if given.methods != METHODS:
        command += f" --methods {' '.join(given.methods)}"
    write("elpv_", command, found, "timm", "elpv-dataset")


if __name__ == "__main__":
    main()
