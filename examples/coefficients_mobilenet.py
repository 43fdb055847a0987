"""alpha, beta and gamma for MobileNetV2 on Fashion-MNIST, in minutes: ``python examples/coefficients_mobilenet.py DIR``.

Stopped at any moment, the same command goes on. DIR/net.json is the network of twice the multiply-adds.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import compoundnet as c
from compoundnet.search.coefficients import Asked, Search, quick
from compoundnet.search.opening import opened


def main(folder: Path, pictures: int = 4_000, epochs: float = 3.0, confirm: int = 3) -> None:
    """Four directions and the paper's compound one, at exactly twice the cost of a quarter-width MobileNetV2."""
    rounding = c.Rounding(divisor=4, head="grow")
    small = c.scale(c.named("mobilenet_v2"), c.Scaling(width=0.25), rounding)
    strides = (1, 2, 1, 2, 1, 1, 1)  # of 28 pixels little is left after five halvings
    stages = tuple(replace(stage, stride=stride) for stage, stride in zip(small.stages, strides, strict=True))
    stem, head = replace(small.stem, stride=1), replace(small.head, channels=160)
    base = replace(small, stem=stem, stages=stages, head=head, classes=10, in_channels=1, resolution=16)
    data = opened("fashion_mnist", base.in_channels)
    asked = Asked(
        network=base, recipe=quick(epochs), rounding=rounding, candidates="directions", by_stage=True,
        pictures=pictures, seeds=1, rungs=1, confirm=confirm,
    )  # fmt: skip
    found = Search(asked, data.material, data.test, folder, workers=2).run()
    (folder / "net.json").write_text(json.dumps(found.net()))
    for each in found.comparison.verdict.standings:
        print(f"{each.name:10} {100 * each.accuracy:.2f} % ({100 * each.low:.2f} to {100 * each.high:.2f})")
    print(found.sentence, found.coefficients)


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "coefficients"))
