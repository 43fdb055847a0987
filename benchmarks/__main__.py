"""Run every benchmark and write one record a line: ``python -m benchmarks [--rounds N]``.

The file is named after device, torch version, dtype and date. A record keeps n, median, minimum
and maximum, and the machine it was taken on; ratios are taken pair by pair within one run.
"""

import argparse
from collections.abc import Iterator
from typing import Any

from . import against_torchvision, arithmetic, decoding, startup
from .recording import write


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
    write("", f"python -m benchmarks --rounds {rounds}", records(rounds))


if __name__ == "__main__":
    main()
