"""alpha, beta and gamma for MobileNetV2 on Fashion-MNIST: ``python examples/coefficients_mobilenet.py DIR``.

Minutes on two cores. Stopped at any moment, the same command goes on. DIR/net.json has twice the multiply-adds.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import compoundnet as c
from compoundnet.search.coefficients import Asked, Search, quick
from compoundnet.search.opening import opened

ROUNDING = c.Rounding(divisor=2, head="grow")


def question(pictures: int = 3_000, epochs: float = 3.0, confirm: int = 3) -> Asked:
    """A quarter-width MobileNetV2 at 16 pixels, where two halvings are enough; all directions at twice its cost."""
    small, strides = c.scale(c.named("mobilenet_v2"), c.Scaling(width=0.25), ROUNDING), (1, 2, 1, 2, 1, 1, 1)
    stages = tuple(replace(stage, stride=stride) for stage, stride in zip(small.stages, strides, strict=True))
    ends = {"stem": replace(small.stem, stride=1), "head": replace(small.head, channels=160), "classes": 10}
    base = replace(small, stages=stages, in_channels=1, resolution=16, **ends)
    few = {"pictures": pictures, "seeds": 1, "rungs": 1, "confirm": confirm}
    return Asked(network=base, recipe=quick(epochs), rounding=ROUNDING, candidates="directions", by_stage=True, **few)


def main(folder: Path, asked: Asked) -> None:
    """Each direction's accuracy with its interval, the verdict, and net.json."""
    data = opened("fashion_mnist", asked.network.in_channels, judges=1 / 30)
    found = Search(asked, data.material, data.test, folder, workers=2).run()
    (folder / "net.json").write_text(json.dumps(found.net()))
    for each in found.comparison.verdict.standings:
        print(f"{each.name:10} {100 * each.accuracy:.2f} % ({100 * each.low:.2f} to {100 * each.high:.2f})")
    print(found.sentence, found.coefficients)


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "coefficients"), question())
