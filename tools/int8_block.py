"""The table of docs/quantize.md: float, naive int8 and ours."""

from collections.abc import Mapping
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken

_OPEN = 100.0
_HEAD = ("Network", "Engine", "", "Agrees", "Drop", "95 % interval", "Low ms", "Times as fast")


def int8() -> str:
    """A row for float and naive of each network and engine, and one for ours at each gate."""
    lines = newest_benchmarks("int8_")
    ours = [line for line in lines if line["contender"] == "int8"]
    slow = [f"{line['network']} on {line['engine']}" for line in ours if line["speedup"] < 1]
    slower = f"int8 is slower than float for {', '.join(dict.fromkeys(slow))}. " if slow else ""
    counts = f"{lines[0]['calibration']} pictures calibrate, {lines[0]['held_out']} judge"
    vnni = "with VNNI" if lines[0]["vnni"] else "without VNNI"
    rounds = [line["rounds"] for line in lines]
    clocked = (
        "The rows of one network and engine were clocked together, in turn, "
        f"for {min(rounds)} to {max(rounds)} rounds; their ratios are of these times"
    )
    longest = f"the longest search took {max(line['seconds'] for line in ours):.0f} seconds with what it is built on"
    busy = (
        "; the machine was busy meanwhile, so times and ratios are rough"
        if any(line["noisy"] for line in lines)
        else ""
    )
    note = taken(lines, "python", "torch", "onnxruntime", "openvino")
    return (
        f"{table(_HEAD, [_row(line) for line in lines], words=3)}\n\n{slower}{counts}; one thread, {vnni}. "
        f"{clocked}{busy}; {longest}. {note}"
    )


def _what(line: Mapping[str, Any]) -> str:
    if line["contender"] != "int8":
        return line["contender"]
    points = "1 point" if line["max_drop"] == 1 else f"{line['max_drop']:g} points"
    gate = "no gate" if line["max_drop"] == _OPEN else f"at most {points}"
    held = "" if line["holds"] else " (not reached)"
    return f"ours, {gate}{held}, {len(line['float_blocks'])} of {line['blocks']} blocks float"


def _row(line: Mapping[str, Any]) -> list[str]:
    low, high = line["drop"]["interval"]
    judged = [f"{line['agreement']:.1f} %", f"{line['drop']['points']:.1f}", f"{low:.1f} to {high:.1f}"]
    shown = judged if line["weights"] == "real" and line["contender"] != "float" else ["-"] * 3
    times = [f"{line['low_ms']:.2f}", f"{line['speedup']:.2f}"]
    return [f"`{line['network']}`", line["engine"], _what(line), *shown, *times]
