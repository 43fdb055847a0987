"""Where made files live, and writing them whole or not at all."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
FIGURE = ROOT / "docs/figures/accuracy_cost.svg"
CAM_FIGURE = ROOT / "docs/figures/cam.png"
FRONT_FIGURE = ROOT / "docs/figures/front_b0.svg"
REPORT_FIGURE = ROOT / "docs/figures/search_report.svg"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def is_up_to_date(path: Path, text: str) -> bool:
    """Whether the file holds exactly this text."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


def write(path: Path, data: str | bytes) -> None:
    """Write beside, then rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(data if isinstance(data, bytes) else data.encode())
    beside.replace(path)


def records(name: str) -> list[dict[str, Any]]:
    """The lines of a JSON-lines file in results/."""
    return [json.loads(line) for line in (RESULTS / name).read_text(encoding="utf-8").splitlines()]


def newest_benchmarks(kind: str = "") -> list[dict[str, Any]]:
    """The lines of the latest record of one kind: "" is ``python -m benchmarks``; the date ends the file's name."""
    paths = (RESULTS / "benchmarks").glob(f"{kind}cpu_*.jsonl")
    latest = max(paths, key=lambda path: path.stem.rpartition("_")[2])
    return records(f"benchmarks/{latest.name}")


def published() -> list[dict[str, Any]]:
    """What the paper prints, by network: results/published_top1.json."""
    return json.loads((RESULTS / "published_top1.json").read_text(encoding="utf-8"))["rows"]
