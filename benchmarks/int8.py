"""float, naive int8 and ours on both engines: ``python -m benchmarks.int8 [--crops N]``.

Lite0 with its real weights on crops of photographs, labelled with float's own top class: top-1 is agreement.
B0 with random weights, the gates left open: times only.
"""

import argparse
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from examples.photos import photos
from PIL import Image

import compoundnet as c
from compoundnet.export import random_weights
from compoundnet.images import decode, to_array
from compoundnet.quantizing import GateError, Report, quantize
from compoundnet.quantizing.findings import ANYTHING

from .recording import write

LITE, B0 = "efficientnet_lite0", "efficientnet_b0"
LEAST = 0.5  # of the photograph's shorter side
GATES = (1.0, 3.0, ANYTHING)
ENGINES: tuple[tuple[Literal["onnxruntime", "openvino"], str], ...] = (("onnxruntime", ".onnx"), ("openvino", ".xml"))


def records(crops: int) -> Iterator[dict[str, Any]]:
    """One line a network, engine and gate."""
    with tempfile.TemporaryDirectory() as folder:
        lite, b0 = c.load(LITE), random_weights(c.named(B0), B0)
        data = Path(folder) / "labelled"
        labelled(lite, data, crops)
        for model, gates in ((lite, GATES), (b0, (ANYTHING,))):
            for engine, suffix in ENGINES:
                for gate in gates:
                    out = Path(folder) / f"{model.weights.name}{suffix}"
                    yield line(measured(model, data, out, engine, gate), gate)


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


def measured(
    model: c.Pretrained, data: Path, out: Path, engine: Literal["onnxruntime", "openvino"], gate: float
) -> Report:
    """The report, whether or not the drop held."""
    try:
        return quantize(model, data, out, engine=engine, max_drop=gate, min_speedup=0.0).report
    except GateError as error:
        return error.report


def line(report: Report, gate: float) -> dict[str, Any]:
    """What of a report goes into the record."""
    told = report.to_dict()
    return {
        "what": "int8",
        "network": told["model"]["name"],
        "weights": "random" if told["model"]["random_weights"] else "real",
        "engine": told["engine"],
        "threads": told["threads"],
        "max_drop": gate,
        "failed": told["failed"],
        "contenders": told["contenders"],
        "float_blocks": list(told["float_blocks"]),
        "blocks": len(told["sensitivity"]),
        "extras": told["extras"],
        "calibration": told["data"]["calibration"],
        "held_out": told["data"]["held_out"],
        "vnni": told["cpu"]["vnni"],
        "seconds": round(sum(told["seconds"].values()), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8", description=__doc__)
    parser.add_argument("--crops", type=int, default=100, help="of each photograph")
    crops = parser.parse_args().crops
    torch.set_num_threads(1)
    write("int8_", f"python -m benchmarks.int8 --crops {crops}", records(crops), "onnx", "onnxruntime", "openvino")


if __name__ == "__main__":
    main()
