"""An architecture search on Fashion-MNIST in an hour: ``python examples/architecture_fashion_mnist.py DIR [--quick]``.

Stopped at any moment, the same command goes on; each call searches for up to an hour more. DIR/net.json has the best
network. ``--quick`` trains five networks, in about a minute.
"""

import argparse
from pathlib import Path

import compoundnet as c
from compoundnet.search import Objective, per_stage
from compoundnet.search.architecture import ArchitectureSearch
from compoundnet.search.coefficients import quick
from compoundnet.search.opening import opened
from compoundnet.search.trials import Limits, Standing

ROWS = ((3, 1, 1, 8, 1), (3, 4, 2, 16, 2), (5, 4, 2, 24, 2), (5, 4, 2, 40, 1))  # kernel, expand, layers, width, stride


def question(pictures: int = 10_000, epochs: float = 4.0, limits: Limits | None = None) -> ArchitectureSearch:
    """Kernels, expansions, squeezes, widths and layers of four stages at 16 pixels, round a million multiply-adds."""
    stages = tuple(
        c.Stage(operator=c.MBConv(kernel=kernel, expand=expand, se=0.0), layers=layers, channels=width, stride=stride)
        for kernel, expand, layers, width, stride in ROWS
    )
    ends = {"stem": c.Stem(channels=8, stride=1), "head": c.Head(channels=64), "classes": 10, "in_channels": 1}
    base, even = c.Network(stages=stages, resolution=16, **ends), c.Rounding(divisor=2)
    return ArchitectureSearch(
        design=per_stage(base, expands=(2, 4), se=(0.0, 0.25), rounding=even, name="fashion"),
        material=opened("fashion_mnist", 1, 16, judges=1 / 12).material.part(pictures),
        recipe=quick(epochs),
        objective=Objective(cost="macs", target=1e6, limits={"macs": 1.5e6}),
        limits=limits or Limits(seconds=3600),
        rounding=even,
    )


def main(folder: Path, search: ArchitectureSearch, workers: int | None = None) -> None:
    """The front, the best network marked; net.json."""
    found = search.run(folder, workers=workers, on_standing=_Line())
    for trial in found.front:
        mark = "*" if trial is found.best else " "
        print(f"{mark} {100 * (trial.accuracy or 0):.2f} %  {trial.costs['macs']:>9,.0f} multiply-adds")


class _Line:
    """Says how the search stands when a trial is done."""

    done = -1

    def __call__(self, standing: Standing) -> None:
        if standing.done != self.done:
            self.done = standing.done
            print(standing, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="of the trials and net.json")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    asked = question(pictures=1_000, epochs=1.0, limits=Limits(trials=5)) if given.quick else question()
    folder = given.folder or Path("runs/architecture-quick" if given.quick else "runs/architecture-hour")
    main(folder, asked, workers=1 if given.quick else None)
