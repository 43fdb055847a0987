"""float, naive int8 and ours on both engines: ``python -m benchmarks.int8 [--crops N]``.

Lite0 with its real weights on crops of photographs, labelled with float's own top class: top-1 is agreement.
B0 with random weights, the gates left open: times only. All of one network and engine are clocked in turn.
"""

import argparse
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from examples.photos import photos
from PIL import Image

import compoundnet as c
from compoundnet.export import random_weights
from compoundnet.images import decode, to_array
from compoundnet.quantizing.data import Data, read
from compoundnet.quantizing.findings import choose, clock, contenders
from compoundnet.quantizing.parts import EngineName
from compoundnet.quantizing.report import Contender
from compoundnet.quantizing.study import ANYTHING, Asked, Study, study
from compoundnet.schema import encode

from .recording import write

LITE, B0 = "efficientnet_lite0", "efficientnet_b0"
LEAST = 0.5  # of the photograph's shorter side
CROPS = 25  # six minutes at most
GATES = (1.0, 3.0, ANYTHING)
ENGINES: tuple[EngineName, ...] = ("onnxruntime", "openvino")
SECONDS = 10.0  # of clocking


def records(crops: int) -> Iterator[dict[str, Any]]:
    """The rows of each network and engine."""
    with tempfile.TemporaryDirectory() as folder:
        lite, b0 = c.load(LITE), random_weights(c.named(B0), B0)
        labelled(lite, Path(folder), crops)
        for model, gates in ((lite, GATES), (b0, (ANYTHING,))):
            data = read(folder, model.weights, seed=0)
            for engine in ENGINES:
                yield from rows(model, data, engine, gates)


def labelled(model: c.Pretrained, folder: Path, crops: int) -> None:
    """Crops of each photograph, every second one mirrored, in folders named by the model's top class."""
    generator = random.Random(0)
    for path in photos():
        photo = decode(path)
        for index in range(crops):
            side = generator.uniform(LEAST, 1.0) * min(photo.size)
            left, top = generator.uniform(0, photo.width - side), generator.uniform(0, photo.height - side)
            crop = photo.crop((int(left), int(top), int(left + side), int(top + side)))
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if index % 2 else crop
            with torch.inference_mode():
                pixels = np.asarray(to_array(crop, model.weights.preprocess))
                label = int(model.model(torch.from_numpy(pixels)[None]).argmax())
            place = folder / str(label)
            place.mkdir(parents=True, exist_ok=True)
            crop.save(place / f"{path.stem}_{index}.png")


@contextmanager
def unwatched(things: str) -> Iterator[Callable[[int, int], None]]:
    """``quantize`` would show how far it is."""
    yield lambda done, total: None


def rows(
    model: c.Pretrained, data: Data, engine: EngineName, gates: Sequence[float], clocking: float = SECONDS
) -> Iterator[dict[str, Any]]:
    """float, naive and ours at each gate; one clocking gives all their times, and the ratios."""
    studying: dict[str, float] = {}
    asked = Asked(engine=engine, max_drop=gates[0], min_speedup=0.0, threads=1, seed=0)
    studied = study(model, data, asked, studying, unwatched)
    runners = {"float": studied.plain, "naive": studied.naive()}
    scores = {name: studied.held_out.score(run) for name, run in runners.items()}
    told: dict[str, dict[str, Any]] = {}
    for gate in gates:
        seconds = dict(studying)
        chosen = choose(replace(studied, asked=replace(asked, max_drop=gate)), seconds, unwatched)
        name, trial = f"int8 {gate:g}", chosen.trial
        runners[name], scores[name] = trial.run, trial.held_out or studied.held_out.score(trial.run)
        told[name] = {
            "max_drop": gate,
            "holds": trial.holds(gate),
            "float_blocks": list(chosen.reasons),
            "blocks": len(studied.sensitivity),
            "extras": encode(chosen.extras),
            "looks": chosen.looks,
            "seconds": round(sum(seconds.values()), 1),
        }
    clocked = clock(runners, studied.held_out, seconds=clocking)
    for name, found in contenders(scores, clocked, "float").items():
        measured = {"noisy": clocked[name].noisy, "rounds": len(clocked[name].raw_ms)}
        yield row(studied, name.split()[0], found) | measured | told.get(name, {})


def row(studied: Study, name: str, found: Contender) -> dict[str, Any]:
    """What every contender's line has."""
    source, data = studied.pretrained.weights.source, studied.data
    return {
        "what": "int8",
        "network": studied.pretrained.weights.name,
        "weights": "random" if source.startswith("random") else "real",
        "engine": studied.asked.engine,
        "threads": studied.asked.threads,
        "contender": name,
        **encode(found),
        "calibration": len(data.calibration),
        "held_out": len(data.held_out),
        "vnni": studied.shop.dot_products,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8", description=__doc__)
    parser.add_argument("--crops", type=int, default=CROPS, help="of each photograph")
    crops = parser.parse_args().crops
    torch.set_num_threads(1)
    write("int8_", f"python -m benchmarks.int8 --crops {crops}", records(crops), "onnx", "onnxruntime", "openvino")


if __name__ == "__main__":
    main()
