"""The table of docs/data.md on the input pipeline, from the newest record."""

from tools.files import newest_benchmarks
from tools.tables import table, taken


def input_pipeline() -> str:
    """Pictures a second of each way, and how many times faster ours is."""
    lines = newest_benchmarks("input_")
    faster = {(line["pixels"], line["other"]): line for line in lines if line["what"] == "faster"}
    rows: list[list[str]] = []
    for line in lines:
        if line["what"] == "input":
            ratio = faster.get((line["pixels"], line["way"]))
            told = "" if ratio is None else f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f})"
            goal = "" if ratio is None else f"{ratio['goal']:g}"
            rows.append([line["pixels"], line["way"], str(line["n"]), f"{line['median']:.1f}", told, goal])
    head = ["Pixels", "Pipeline", "Rounds", "Pictures a second", "Ours is faster, times", "Goal"]
    return f"{table(head, rows, words=2)}\n\n{taken(lines, 'python', 'torch', 'torchvision', 'timm', 'pillow')}"
