"""Tables of README.md and docs/ made from results/: what stands between two markers.

A block begins with ``<!-- generated:NAME -->`` and ends with ``<!-- end -->``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import compoundnet as c
from tools.accuracy_block import (
    accuracy_goals,
    accuracy_grids,
    accuracy_groups,
    accuracy_points,
    accuracy_recipes,
    accuracy_released,
    accuracy_surface,
    accuracy_unseen,
)
from tools.architecture_block import architecture
from tools.calibration_block import calibration
from tools.catalogue_block import catalogue_counts, catalogue_flops, catalogue_mmpretrain
from tools.coefficients_block import coefficients
from tools.confusion_block import confusion, confusion_files
from tools.converting_block import converting
from tools.elpv_block import elpv
from tools.fashion_block import fashion
from tools.files import newest_benchmarks, published, records
from tools.formats_block import weight_formats
from tools.input_block import input_pipeline
from tools.int8_block import int8
from tools.latency_block import latency
from tools.memory_block import checkpointing, memory
from tools.proxies_block import proxies_macro
from tools.resuming_block import resuming
from tools.search_block import search_choice, search_macro
from tools.serving_block import serving
from tools.solver_block import solver_speed, solver_table
from tools.stages_block import stages_budgets, stages_enumerated, stages_sizes
from tools.tables import table, taken
from tools.training_block import training
from tools.trials_block import trials

_BLOCK = re.compile(r"(<!-- generated:(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_UNITS = {"M": 10**6, "B": 10**9}


def rounds_to(exact: int, printed: str) -> bool:
    """Whether the exact count, rounded to the printed digits, is what is printed ("0.39B", "12M")."""
    number = Decimal(printed[:-1])
    return round(Decimal(exact) / _UNITS[printed[-1]], -int(number.as_tuple().exponent)) == number


def compared(exact: int, printed: str | None) -> list[str]:
    """Three cells: what is printed, the exact count, and their verdict."""
    if printed is None:
        return ["-", f"{exact:,}", "-"]
    value = float(printed[:-1]) * _UNITS[printed[-1]]
    return [printed, f"{exact:,}", "yes" if rounds_to(exact, printed) else f"no, {100 * (value / exact - 1):+.1f} %"]


def reproduced() -> str:
    """The paper's printed costs beside ours, and which of them the exact counts do not round to."""
    costs = {row["network"]: row for row in records("family_costs.jsonl")}
    rows: list[list[str]] = []
    missed: list[str] = []
    for row in published():
        name, exact = row["network"], costs[row["network"]]
        params, macs = compared(exact["params"], row["params"]), compared(exact["macs"], row["flops"])
        rows.append([f"`{name}`", *params, *macs])
        missed += [f"{row['params']} parameters of {name}"] if params[2].startswith("no") else []
        missed += [f"{row['flops']} FLOPS of {name}"] if macs[2].startswith("no") else []
    head = [
        "Network",
        "Parameters: paper",
        "exact",
        "rounds to the print",
        "FLOPS: paper",
        "exact",
        "rounds to the print",
    ]
    return f"{table(head, rows)}\n\nPrinted figures that the exact count does not round to: {', '.join(missed)}."


def other_counts() -> str:
    """Multiply-adds of B0 by counting rule."""
    rows = [[row["tool"], row["rule"], f"{row['count']:,}"] for row in records("other_counts.jsonl")]
    return table(["Tool", "What it counts", "B0"], rows, words=2)


def formula_gap() -> str:
    """Estimate and exact cost at whole phi, and the extremes over all phi recorded."""
    lines = records("formula_gap.jsonl")
    rows = [
        [
            f"{row['phi']:g}",
            str(row["resolution"]),
            str(row["blocks"]),
            f"{row['macs']:,}",
            f"{row['estimate']:.3f}",
            f"{row['exact']:.3f}",
            f"{100 * (row['exact'] / row['estimate'] - 1):+.0f} %",
        ]
        for row in lines
        if row["phi"] == int(row["phi"])
    ]
    head = ["phi", "Pixels", "Blocks", "Multiply-adds", "Estimated ratio", "Exact ratio", "Missed by"]
    least, most = (pick(lines, key=lambda row: row["exact"] / row["estimate"]) for pick in (min, max))
    return (
        f"{table(head, rows)}\n\nOver all {len(lines)} steps recorded, the exact cost is "
        f"{least['exact'] / least['estimate']:.2f} (phi {least['phi']:g}) to "
        f"{most['exact'] / most['estimate']:.2f} (phi {most['phi']:g}) times the estimate."
    )


def convention() -> str:
    """The line that is printed beside every cost."""
    return f"> {c.CONVENTION}"


def speed() -> str:
    """Times of the latest benchmark run, each with n and spread, and the machine they were taken on."""
    lines = newest_benchmarks()
    rows = [row for line in lines for row in _timed(line)]
    note = taken(lines, "python", "torch", "torchvision", "pillow")
    return f"{table(['What', 'n', 'Median', 'Least', 'Most'], rows)}\n\n{note}"


def _timed(line: Mapping[str, Any]) -> list[list[str]]:
    parts = [
        line["what"],
        line.get("network", line.get("image", "")),
        f"batch {line['batch']}" if "batch" in line else "",
    ]
    what = ", ".join(filter(None, parts))
    if "ms" in line:
        return [_row(f"{what} (ms)", line["ms"])]
    other = "torchvision" if "network" in line else "every pixel"
    pairs = [("ours", "ours_ms", "ms"), (other, "theirs_ms", "ms"), (f"ours / {other}", "ratio", "ratio")]
    return [_row(f"{what}: {who} ({unit})", line[key]) for who, key, unit in pairs]


def _row(what: str, figures: Mapping[str, Any]) -> list[str]:
    return [what, str(figures["n"]), *(f"{figures[key]:g}" for key in ("median", "min", "max"))]


def engines() -> str:
    """Every engine's time by network, batch and threads; auto against the best; B0 against other eager models."""
    lines = newest_benchmarks("engines_")
    settings = [line for line in lines if line["what"] == "auto"]
    names = list(settings[0]["engines"])
    rows = [_setting(line, names) for line in settings]
    head = ["Network", "Batch", "Threads", *(f"{name}, low" for name in names), "auto took", "Ratio", "Share"]
    worst = max(line["ratio"] for line in settings)
    faster = [
        f"{line['times_faster']:.2f} times faster than {line['other']}'s eager model "
        f"({line['ours_ms']['median_ms']:.1f} against {line['theirs_ms']['median_ms']:.1f} ms)"
        for line in lines
        if line["what"] == "against eager"
    ]
    note = taken(lines, "python", "torch", "torchvision", "timm", "onnxruntime", "openvino")
    return (
        f"{table(head, rows)}\n\nThe largest ratio is {worst:.3f}. "
        f"B0, one image, one thread, medians of one run: {' and '.join(faster)}.\n\n{note}"
    )


def _setting(line: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    where = [f"`{line['network']}`", str(line["batch"]), str(line["threads"])]
    times = [f"{line['engines'][name]['low_ms']:.2f}" for name in names]
    return [
        *where,
        *times,
        line["auto"],
        f"{line['ratio']:.3f}",
        f"{100 * line['engines'][line['best']]['share']:.0f} %",
    ]


def table4() -> str:
    """B1 against ResNet-152 by engine, beside the paper's factor."""
    lines = newest_benchmarks("table4_")
    rows = [["the paper", "554", "98", "5.7"]]
    for line in lines:
        took = " and ".join(dict.fromkeys(line["took"].values()))
        what = line["engine"] if took == line["engine"] else f"{line['engine']} ({took})"
        figures = [f"{line[f'{name}_ms']:.1f}" for name in ("resnet152", "efficientnet_b1")]
        rows.append([what, *figures, f"{line['times_faster']:.1f}"])
    note = taken(lines, "python", "torch", "onnxruntime", "openvino")
    return f"{table(['Engine', 'ResNet-152 (ms)', 'B1 (ms)', 'Factor'], rows)}\n\n{note}"


def folders() -> str:
    """Pictures a second of every way through both folders, and how many times faster ours is."""
    lines = newest_benchmarks("folders_")
    ways = [line for line in lines if line["what"] == "folder"]
    faster = {(line["pixels"], line["other"]): f"{line['times_faster']:.2f}" for line in lines if "other" in line}
    rows = [
        [
            *(line["pixels"], line["way"], str(line["pictures"]), str(line["n"])),
            *(f"{line[key]:.1f}" for key in ("median", "least", "most")),
            faster.get((line["pixels"], line["way"]), "-"),
        ]
        for line in ways
    ]
    head = ["Pixels", "Way", "Pictures", "Rounds", "Pictures/s", "Least", "Most", "Ours is faster by"]
    plans = " and ".join(dict.fromkeys(line["plan"] for line in ways if "plan" in line))
    note = taken(lines, "python", "torch", "torchvision", "timm", "onnxruntime", "openvino")
    return f"{table(head, rows, words=2)}\n\nThe pipeline took {plans}. {note}"


def export_parity() -> str:
    """How far every exported artefact answered from PyTorch."""
    lines = newest_benchmarks("export_parity_")
    formats = list(dict.fromkeys(line["format"] for line in lines))
    rows = []
    for name in dict.fromkeys(line["network"] for line in lines):
        here = {line["format"]: line for line in lines if line["network"] == name}
        first = here[formats[0]]
        agreed = min(line["agreement"] for line in here.values())
        figures = [f"{here[kind]['difference']:.1e}" for kind in formats]
        rows.append([f"`{name}`", first["weights"], str(first["pixels"]), *figures, f"{100 * agreed:g} %"])
    head = ["Network", "Weights", "Pixels", *formats, "Top-1 agrees"]
    note = taken(lines, "python", "torch", "onnxruntime", "openvino")
    return f"{table(head, rows, words=2)}\n\nLargest difference of a logit, by the largest logit. {note}"


BLOCKS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "reproduced": reproduced,
        "other_counts": other_counts,
        "formula_gap": formula_gap,
        "convention": convention,
        "speed": speed,
        "engines": engines,
        "table4": table4,
        "export_parity": export_parity,
        "folders": folders,
        "serving": serving,
        "solver_speed": solver_speed,
        "solver_table": solver_table,
        "accuracy_goals": accuracy_goals,
        "accuracy_grids": accuracy_grids,
        "accuracy_groups": accuracy_groups,
        "accuracy_points": accuracy_points,
        "accuracy_recipes": accuracy_recipes,
        "accuracy_released": accuracy_released,
        "accuracy_unseen": accuracy_unseen,
        "accuracy_surface": accuracy_surface,
        "memory": memory,
        "checkpointing": checkpointing,
        "architecture": architecture,
        "coefficients": coefficients,
        "search_macro": search_macro,
        "proxies_macro": proxies_macro,
        "trials": trials,
        "search_choice": search_choice,
        "stages_budgets": stages_budgets,
        "stages_sizes": stages_sizes,
        "stages_enumerated": stages_enumerated,
        "input": input_pipeline,
        "fashion": fashion,
        "resuming": resuming,
        "elpv": elpv,
        "training": training,
        "int8": int8,
        "calibration": calibration,
        "latency": latency,
        "weight_formats": weight_formats,
        "confusion": confusion,
        "confusion_files": confusion_files,
        "converting": converting,
        "catalogue_counts": catalogue_counts,
        "catalogue_flops": catalogue_flops,
        "catalogue_mmpretrain": catalogue_mmpretrain,
    }
)


def filled(page: str) -> str:
    """The page with every generated block as the records have it. Raises KeyError for an unknown block."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n{BLOCKS[match[2]]()}\n\n{match[3]}", page)
