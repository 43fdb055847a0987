"""The picture of docs/pareto.md: what ``compoundnet pareto efficientnet_b0 --plot`` draws."""

import contextlib
import io
import tempfile
from pathlib import Path

from compoundnet.cli import main


def text() -> str:
    """The picture as SVG, as the command writes it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "front.svg"
        if main(["pareto", "efficientnet_b0", "--plot", str(path)]) != 0:
            raise RuntimeError("compoundnet pareto failed")
        return path.read_text(encoding="utf-8")
