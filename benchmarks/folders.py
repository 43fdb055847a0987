"""Folders of JPEGs through B0: ``python -m benchmarks.folders [--rounds N] [--small N] [--large N]``.

In turn in each round: our pipeline, ours decoding every pixel, a loop over torchvision's model and transforms, and
timm's loader (two worker processes) with its model. Weights are random, the same for torchvision and ours, the
norms settled. Every way is warmed up by a few pictures; starting engines and reading weights is left out, listing
the folder is not.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from examples.photos import photos
from PIL import Image
from timm.data import ImageDataset, create_loader

import compoundnet as c
from compoundnet.prediction import answered, expand, plan

from .recording import write
from .timing import clock

WORKERS, TIMM_BATCH, TOP = 2, 32, 5
LEAST = 3.0  # times faster than either other way, on both folders
Way = Callable[[Path], int]


def folder(parent: Path, count: int, width: int, height: int) -> Path:
    """So many different JPEGs of one size, made from photographs."""
    made = parent / f"{width}x{height}"
    made.mkdir()
    sources = [Image.open(path).convert("RGB").resize((width + 64, height + 64)) for path in photos()]
    for index in range(count):
        left, top = index % 8 * 8, index // 8 % 8 * 8
        picture = sources[index % len(sources)].crop((left, top, left + width, top + height))
        picture.save(made / f"{index:05}.jpg", quality=90)
    return made


def settled(model: torch.nn.Module) -> torch.nn.Module:
    """The model with its norms' statistics taken from random pictures: in an untrained one activations fade from
    block to block into numbers so small that the processor needs many times as long for them."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.rand(16, 3, 128, 128))
    return model.eval()


def ours(pretrained: c.Pretrained, exact: bool) -> tuple[Way, str]:
    """The pipeline as ``predict`` runs it with "auto", and what "auto" took."""
    planned = plan(pretrained, engine="auto", workers=WORKERS)

    def way(path: Path) -> int:
        return sum(answer.error is None for answer in answered(expand(path), pretrained, planned, exact=exact))

    return way, str(planned)


def torchvision_loop(model: torch.nn.Module) -> Way:
    """As torchvision's documentation has it: open, transform, run, one picture after the other."""
    prepare = torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1.transforms()

    def way(path: Path) -> int:
        done = 0
        with torch.inference_mode():
            for name in sorted(path.iterdir()):
                picture = prepare(Image.open(name).convert("RGB"))
                done += len(model(picture[None]).softmax(1).topk(TOP).indices)
        return done

    return way


def timm_loader() -> Way:
    """As timm's inference script does it: ImageDataset, create_loader, softmax, topk."""
    model = settled(timm.create_model("efficientnet_b0"))
    config = timm.data.resolve_data_config({}, model=model)

    def way(path: Path) -> int:
        keys = ("input_size", "interpolation", "mean", "std", "crop_pct")
        options: dict[str, Any] = {key: config[key] for key in keys}
        loader = create_loader(
            ImageDataset(str(path)), batch_size=TIMM_BATCH, use_prefetcher=False, num_workers=WORKERS, **options
        )
        with torch.inference_mode():
            return sum(len(model(images).softmax(-1).topk(TOP).indices) for images, _ in loader)

    return way


def records(rounds: int, counts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Both folders, every way in turn."""
    torch.manual_seed(0)
    theirs = settled(torchvision.models.efficientnet_b0())
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        torch.save(theirs.state_dict(), parent / "b0.pth")
        pretrained = c.load(parent / "b0.pth")
        took = {"compoundnet": ours(pretrained, False), "compoundnet --exact": ours(pretrained, True)}
        ways = {way: run for way, (run, _) in took.items()}
        ways |= {"torchvision loop": torchvision_loop(theirs), "timm loader": timm_loader()}
        warm = folder(parent, 4, 640, 480)
        for run in ways.values():
            run(warm)
        for count, (width, height) in zip(counts, ((500, 375), (4000, 3000)), strict=True):
            path = folder(parent, count, width, height)
            rates = raced(ways, path, rounds, count)
            for way, each in rates.items():
                beside = {"plan": took[way][1]} if way in took else {}
                yield {"what": "folder", "pixels": f"{width} x {height}", "way": way, **beside, **figures(each, count)}
            for other in ("torchvision loop", "timm loader"):
                ratios = [mine / their for mine, their in zip(rates["compoundnet"], rates[other], strict=True)]
                faster = round(statistics.median(ratios), 3)
                yield {"what": "faster", "pixels": f"{width} x {height}", "other": other, "times_faster": faster}


def raced(ways: dict[str, Way], path: Path, rounds: int, count: int) -> dict[str, list[float]]:
    """Pictures a second of every way in every round; each round begins with another."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            done: list[int] = []
            ms = clock(lambda name=name, done=done: done.append(ways[name](path)))
            assert done == [count], (name, done)
            rates[name].append(1e3 * count / ms)
    return rates


def figures(rates: Sequence[float], count: int) -> dict[str, Any]:
    """Rounds, pictures, and pictures a second."""
    per_second = {"median": statistics.median(rates), "least": min(rates), "most": max(rates)}
    return {"n": len(rates), "pictures": count, **{key: round(value, 1) for key, value in per_second.items()}}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.folders", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", type=int, default=400, help="pictures of 500 x 375 pixels")
    parser.add_argument("--large", type=int, default=60, help="pictures of 4000 x 3000 pixels")
    given = parser.parse_args()
    missed: list[str] = []

    def checked() -> Iterator[dict[str, Any]]:
        for record in records(given.rounds, (given.small, given.large)):
            if record["what"] == "faster" and record["times_faster"] < LEAST:
                missed.append(f"{record['pixels']}, {record['other']}: {record['times_faster']}")
            yield record

    with tempfile.TemporaryDirectory() as cache:
        os.environ["COMPOUNDNET_CACHE"] = cache
        command = f"python -m benchmarks.folders --rounds {given.rounds} --small {given.small} --large {given.large}"
        write("folders_", command, checked(), "timm", "onnxruntime", "openvino")
    for line in missed:
        print(f"less than {LEAST} times faster: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
