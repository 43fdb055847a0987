"""The block of docs/devices.md: how far a calibrated device's predictions are off, by engine, beside proxies."""

from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken

ENGINES = ("onnxruntime", "torch")
_ON = {"samples": "the calibration's samples", "others": "the other networks"}
_COSTS = {"macs": "multiply-adds", "activations": "activations"}
_LIMIT, _TIMES = 0.05, 1.5


def latency() -> str:
    """Errors and repeatability on whole networks, for both engines."""
    parts = []
    for engine in ENGINES:
        lines = newest_benchmarks(f"latency_{engine}_")
        [device] = [line for line in lines if line["what"] == "device"]
        rows = [["device", f"{device['samples']} samples", *_figures(device)]]
        for line in lines:
            if line["what"] == "proxy":
                fitted = f"{_ON[line['on']]}, {line['way']}"
                rows.append([f"{_COSTS[line['cost']]} alone", fitted, *_figures(line)])
        limit = max(_LIMIT, _TIMES * device["repeatability"])
        kept = "kept" if device["error"] <= limit else "missed"
        found = (
            f"**{engine}**, one thread, batch {device['batch']}: {device['networks']} networks that were not fitted. "
            f"Two measurements of one network differ by {device['repeatability']:.1%} on average; the goal is an "
            f"error of at most {limit:.1%}: {kept}."
        )
        head = ["Predicted from", "Fitted to", "Mean error", "Within 10 %"]
        note = taken(lines, *dict.fromkeys(("python", "torch", engine)))
        parts.append(f"{found} {_common(lines)}\n\n{table(head, rows, words=2)}\n\n{note}")
    return "\n\n".join(parts)


def _common(lines: Sequence[Mapping[str, Any]]) -> str:
    """What part of the error is one factor for all networks."""
    shares = [line["predicted_ms"] / mean(line["measured_ms"]) for line in lines if line["what"] == "network"]
    middle = median(shares)
    left = mean(abs(share / middle - 1) for share in shares)
    way = "above" if middle > 1 else "below"
    return f"Half of the predictions lie more than {abs(middle - 1):.1%} {way}; without that, the error is {left:.1%}."


def _figures(line: Mapping[str, Any]) -> list[str]:
    return [f"{100 * line['error']:.1f} %", f"{100 * line['within']:.0f} %"]
