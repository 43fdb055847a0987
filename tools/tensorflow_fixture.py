"""Make tests/reference/tensorflow: checkpoints that TensorFlow wrote, and what it reads from them and answers.

``python -m tools.tensorflow_fixture`` installs TensorFlow into an environment that is thrown away afterwards (about
1.5 GB), and runs ``tools/tensorflow_graph.py`` in it. ``--python`` runs it with a Python that has TensorFlow already.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.files import ROOT

TARGET = ROOT / "tests" / "reference" / "tensorflow"
GRAPH = Path(__file__).with_name("tensorflow_graph.py")
REQUIRED = ("tensorflow-cpu==2.21.0",)
LARGEST = 400_000  # bytes of the fixture


def environment(folder: Path) -> Path:
    """A new environment with TensorFlow; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIRED], check=True)
    return python


def make(python: Path, target: Path) -> int:
    """Replace the fixture in ``target``, when all of it could be made; returns its size in bytes."""
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([str(python), str(GRAPH)], check=True, cwd=made, env={**os.environ, "PYTHONPATH": str(ROOT)})
        size = sum(path.stat().st_size for path in Path(made).rglob("*") if path.is_file())
        if size > LARGEST:
            raise SystemExit(f"the fixture has {size:,} bytes; at most {LARGEST:,} are kept")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
    return size


def main() -> None:
    """Read the command line, and make the fixture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="a Python with TensorFlow; without it an environment is made")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = make(asked.python or environment(Path(folder) / "tensorflow"), TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {size:,} bytes")


if __name__ == "__main__":
    main()
