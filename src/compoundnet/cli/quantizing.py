"""The command that makes int8: quantize."""

import sys
import warnings
from typing import TYPE_CHECKING, Literal

from .loading import loaded
from .output import write, write_json, write_table
from .progress import progress

if TYPE_CHECKING:
    from compoundnet.quantizing import Report

_ROWS = {"float": "float", "naive": "naive int8", "int8": "int8"}


def quantize(
    weights: str,
    data: str,
    out: str,
    engine: Literal["onnxruntime", "openvino"] = "onnxruntime",
    max_drop: float = 1.0,
    min_speedup: float = 1.0,
    threads: int = 1,
    seed: int = 0,
    report: str | None = None,
    json: bool = False,
) -> int:
    """Write a model as int8 for one engine, if it stays nearly as right as float and becomes as fast as asked.

    Args:
        data: a folder of at least 50 pictures, with one sub-folder a class, named as the class or its index
        out: the file to write: .onnx for onnxruntime, .xml for openvino, with a .bin beside it
        engine: onnxruntime or openvino; default: onnxruntime
        max_drop: how many points of top-1 may be lost on held-out pictures; default: 1
        min_speedup: how many times as fast as float it has to be; default: 1
        threads: how many threads compute; default: 1
        seed: which pictures calibrate and which judge; default: 0
        report: the file of the report; default: that of --out with .report.json
    """
    from compoundnet.quantizing import GateError
    from compoundnet.quantizing import quantize as quantize_model

    pretrained = loaded(weights)
    gates = {"max_drop": max_drop, "min_speedup": min_speedup}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # of odd metadata in pictures that are fine
            done = quantize_model(
                pretrained, data, out, engine=engine, **gates, threads=threads, seed=seed, report=report, watch=progress
            )
    except GateError as error:
        _show(error.report, json)
        sys.stdout.flush()
        sys.stderr.write(f"compoundnet: error: {error}\n")
        return 1
    _show(done.report, json)
    if not json:
        write(f"{done.exported.proof}\nWritten to {done.exported.path}; the report is {done.report_path}")
    return 0


def _show(report: "Report", json: bool) -> None:
    for line in report.data["unreadable"]:
        sys.stderr.write(f"compoundnet: warning: left out: {line}\n")
    if json:
        write_json(report.to_dict())
        return
    counts = f"{report.data['calibration']} pictures calibrate, {report.data['held_out']} judge"
    threads = "1 thread" if report.threads == 1 else f"{report.threads} threads"
    write(f"{report.model['name']} on {report.engine}, {threads}, {report.cpu['model']}; {counts}")
    head = ("", "Top-1 %", "Drop", "Agrees %", "Low ms", "Times as fast")
    rows = [(name, report.contenders[key]) for key, name in _ROWS.items()]
    lines = [
        (name, *(f"{value:.2f}" for value in (c.top1, c.drop["points"], c.agreement, c.low_ms, c.speedup)))
        for name, c in rows
    ]
    write_table(head, lines)
    write(f"In float: {', '.join(report.float_blocks) or 'no block'}")
    for extra in report.extras:
        kept = f"int8 in {len(extra.kept)} of {extra.parts} blocks" if extra.kept else "float"
        write(f"{extra.kind.capitalize()}: {kept}; {extra.why}")
    for note in report.notes:
        write(f"Note: {note}.")
