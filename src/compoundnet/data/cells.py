"""Cells: ELPV, electroluminescence pictures of solar cells, from the package that its authors publish."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compoundnet.schema import require_choice

from .examples import Task
from .files import Files

LICENCE = "CC BY-NC-SA 4.0: not for commercial use"
DEFECTIVE = 0.5  # a probability from which on a cell counts as defective


@dataclass(frozen=True, eq=False)
class Cells(Files):
    """Cells as ``Files``, with the defect probability (0, 1/3, 2/3 or 1) and the type, "mono" or "poly", of each."""

    probabilities: tuple[float, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def strata(self) -> list[int]:
        """Probability and type as one number for each cell: give it to ``folds`` as its groups."""
        kinds = sorted(set(zip(self.probabilities, self.types, strict=True)))
        return [kinds.index(kind) for kind in zip(self.probabilities, self.types, strict=True)]


def elpv(path: str | Path | None = None, task: Task = "multiclass") -> Cells:
    """ELPV (Buerhop-Lutz et al. 2018): 2,624 cells of 300 x 300 pixels, 44 modules, each with a defect probability.

    For "multiclass" the classes are functional and defective, from a probability of 0.5 on; for "regression" the label
    is the probability itself. Cells of one module may be on both sides of a split: the package does not say which cells
    belong together. ``path`` is the folder with labels.csv and images/, by default that of the installed package
    elpv-dataset, which is not part of compoundnet (CC BY-NC-SA 4.0). Raises ValueError, one line, when it is missing.
    """
    require_choice(task, ("multiclass", "regression"), "task")
    root = _installed() if path is None else Path(path)
    rows = _rows(root / "labels.csv")
    values = np.array([row[1] for row in rows], np.float64)
    labels = (values >= DEFECTIVE).astype(np.int64) if task == "multiclass" else values[:, None].astype(np.float32)
    classes = ("functional", "defective") if task == "multiclass" else ("defect probability",)
    paths, types = tuple(row[0] for row in rows), tuple(row[2] for row in rows)
    return Cells(root, paths, labels, classes, task, probabilities=tuple(values.tolist()), types=types)


def _installed() -> Path:
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or spec.origin is None:
        raise ValueError(f"ELPV is not installed: pip install elpv-dataset ({LICENCE})")
    return Path(spec.origin).parent / "data"


def _rows(file: Path) -> Sequence[tuple[str, float, str]]:
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); pip install elpv-dataset ({LICENCE})") from None
    rows: list[tuple[str, float, str]] = []
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if len(cells) != 3 or cells[2] not in ("mono", "poly") or not _is_share(cells[1]):
            raise ValueError(
                f"{file}, line {number}: expected a path, a probability and mono or poly; install it again"
            )
        rows.append((cells[0], float(cells[1]), cells[2]))
    if not rows:
        raise ValueError(f"{file}: no cells; install elpv-dataset again")
    return rows


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
