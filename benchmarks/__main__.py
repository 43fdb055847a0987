"""Run every benchmark and write one record a line: ``python -m benchmarks [--rounds N]``.

The file is named after device, torch version, dtype and date. A record keeps n, median, minimum
and maximum, and the machine it was taken on; ratios are taken pair by pair within one run.
"""

import argparse
from collections.abc import Iterator
from typing import Any

from . import against_torchvision, arithmetic, decoding, startup
from .recording import write

# What the library promises of itself: (what, network, batch), the figure, its statistic, at most.
LIMITS = (
    (("cost", "efficientnet_b0", None), "ms", "min", 2.0),
    (("cost", "efficientnet_b7", None), "ms", "min", 8.0),
    (("import compoundnet", None, None), "ms", "min", 100.0),
    (("compoundnet --help", None, None), "ms", "min", 500.0),
    (("forward", "efficientnet_b0", 1), "ratio", "median", 1.03),
    (("forward", "efficientnet_b0", 8), "ratio", "median", 1.03),
    (("training_step", "efficientnet_b0", 8), "ratio", "median", 1.03),
)


def missed(lines: list[dict[str, Any]]) -> list[str]:
    """The limits that a run does not keep, one line each."""
    found = {(line["what"], line.get("network"), line.get("batch")): line for line in lines}
    rows = [(key, figure, statistic, found[key][figure][statistic], most) for key, figure, statistic, most in LIMITS]
    return [
        f"{key[0]} {key[1] or ''}: {statistic} {figure} {got} is above {most}"
        for key, figure, statistic, got, most in rows
        if got > most
    ]


def records(rounds: int) -> Iterator[dict[str, Any]]:
    """All benchmarks in turn."""
    yield from arithmetic.records(rounds)
    yield from startup.records(rounds)
    yield from decoding.records(rounds)
    yield from against_torchvision.records(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="repeats of each measurement")
    rounds = parser.parse_args().rounds
    lines = list(records(rounds))
    write("", f"python -m benchmarks --rounds {rounds}", lines)
    if late := missed(lines):
        raise SystemExit("\n".join(late))


if __name__ == "__main__":
    main()
