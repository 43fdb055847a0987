"""The table of docs/transfer.md on defects of solar cells, from the newest record."""

from collections.abc import Mapping
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken

_WAYS = {
    "transfer": "`transfer` from ImageNet weights",
    "timm": "timm's loop from the same weights",
    "scratch": "the same loop from scratch",
}


def elpv() -> str:
    """AUROC and balanced accuracy of each method over all folds, then fold by fold."""
    lines = newest_benchmarks("elpv_")
    folds = [line for line in lines if "fold" in line]
    rows: list[list[str]] = []
    for line in lines:
        if "folds" in line:
            minutes = [each["seconds"] / 60 for each in folds if each["method"] == line["method"]]
            figures = [_with_interval(line.get(key)) for key in ("auroc", "mean_per_class", "auroc_of_8_views")]
            rows.append([_WAYS[line["method"]], *figures, f"{min(minutes):.1f} to {max(minutes):.1f}"])
    head = [
        "Method",
        "AUROC (95 % interval)",
        "Balanced accuracy (95 % interval)",
        "AUROC of eight views' mean",
        "Minutes a fold",
    ]
    told = f"{table(head, rows)}\n\n{_by_fold(folds)}"
    return f"{told}\n\n{taken(lines, 'python', 'torch', 'timm', 'elpv-dataset')} {_threads(folds)}"


def _with_interval(found: Mapping[str, Any] | None) -> str:
    if found is None:  # eight views were not asked of it
        return ""
    if found["interval"] is None:
        return f"{found['mean']:.3f}"
    low, high = found["interval"]
    return f"{found['mean']:.3f} ({low:.3f} to {high:.3f})"


def _by_fold(folds: list[dict[str, Any]]) -> str:
    """AUROC of each fold, and what the transfer trained there."""
    methods = list(dict.fromkeys(line["method"] for line in folds))
    rows: list[list[str]] = []
    for fold in dict.fromkeys(line["fold"] for line in folds):
        here = {line["method"]: line for line in folds if line["fold"] == fold}
        what = here.get("transfer")
        trained = "-" if what is None else f"{what['resolution']}; {what['unfrozen']}; {what['kept']} kept"
        rows.append([str(fold), *(f"{here[name]['auroc']:.3f}" for name in methods), trained])
    head = ["Fold", *(f"AUROC, {name}" for name in methods), "What the transfer trained"]
    return table(head, rows)


def _threads(folds: list[dict[str, Any]]) -> str:
    count = folds[0]["threads"]
    return f"Each method ran on {count} thread{'s' if count > 1 else ''}."
