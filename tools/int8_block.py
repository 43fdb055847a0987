"""The table of docs/quantize.md: float, naive int8 and ours."""

from collections.abc import Mapping
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken

_OPEN = 100.0


def int8() -> str:
    """A row for float and naive of each network and engine, and one for ours at each gate."""
    lines = newest_benchmarks("int8_")
    rows: list[list[str]] = []
    for line in lines:
        plain = line["contenders"]
        first = not any(row[0] == f"`{line['network']}`" and row[1] == line["engine"] for row in rows)
        rows += [_row(line, name, plain[name], name) for name in ("float", "naive") if first]
        rows.append(_row(line, "int8", plain["int8"], _ours(line)))
    head = ["Network", "Engine", "", "Agrees", "Drop", "95 % interval", "Low ms", "Times as fast"]
    slow = [f"{line['network']} on {line['engine']}" for line in lines if line["contenders"]["int8"]["speedup"] < 1]
    slower = f"int8 is slower than float for {', '.join(slow)}. " if slow else ""
    first_line = lines[0]
    counts = f"{first_line['calibration']} pictures calibrate, {first_line['held_out']} judge"
    seconds = max(line["seconds"] for line in lines)
    note = taken(lines, "python", "torch", "onnxruntime", "openvino")
    vnni = "with VNNI" if first_line["vnni"] else "without VNNI"
    return (
        f"{table(head, rows, words=3)}\n\n{slower}{counts}; one thread, {vnni}; the longest run took "
        f"{seconds:.0f} seconds. {note}"
    )


def _ours(line: Mapping[str, Any]) -> str:
    points = "1 point" if line["max_drop"] == 1 else f"{line['max_drop']:g} points"
    gate = "no gate" if line["max_drop"] == _OPEN else f"at most {points}"
    return f"ours, {gate}, {len(line['float_blocks'])} of {line['blocks']} blocks float"


def _row(line: Mapping[str, Any], name: str, found: Mapping[str, Any], what: str) -> list[str]:
    low, high = found["drop"]["interval"]
    judged = [f"{found['agreement']:.1f} %", f"{found['drop']['points']:.1f}", f"{low:.1f} to {high:.1f}"]
    shown = judged if line["weights"] == "real" and name != "float" else ["-"] * 3
    return [f"`{line['network']}`", line["engine"], what, *shown, f"{found['low_ms']:.2f}", f"{found['speedup']:.2f}"]
