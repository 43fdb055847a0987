"""How long a fresh interpreter takes to import the package, and the command line to print its help."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .timing import alone, summary

IMPORT = "import time; start = time.perf_counter(); import compoundnet; print(1e3 * (time.perf_counter() - start))"


def _import_ms() -> float:
    done = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True)
    return float(done.stdout)


def records(rounds: int) -> Iterator[dict[str, Any]]:
    """Milliseconds inside the import statement, and of the whole ``compoundnet --help`` process."""
    _import_ms()
    yield {"what": "import compoundnet", "ms": summary([_import_ms() for _ in range(rounds)])}
    command = [str(Path(sys.executable).parent / "compoundnet"), "--help"]

    def show_help() -> None:
        subprocess.run(command, check=True, capture_output=True)

    yield {"what": "compoundnet --help", "ms": alone(show_help, rounds)}
