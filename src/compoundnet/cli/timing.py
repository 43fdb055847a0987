"""The command that measures: time."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.schema import encode, near, require_count

from .output import write, write_json, write_table
from .progress import progress
from .sources import read

if TYPE_CHECKING:
    from compoundnet.measuring.stages import StageTime
    from compoundnet.measuring.timings import Subject, Timing
    from compoundnet.modules import ConvNet
    from compoundnet.preprocess import Preprocess


@dataclass(frozen=True)
class _Timed:
    """A network to time: what to call it, the model, and its preprocessing."""

    name: str
    model: "ConvNet"
    preprocess: "Preprocess"


def time(
    nets: list[str],
    engine: str = "auto",
    threads: int = 1,
    batch: int = 1,
    rounds: int = 30,
    with_preprocess: bool = False,
    patient: bool = False,
    why: bool = False,
    json: bool = False,
) -> int:
    """Measure how long networks take on this machine, all in turn, beside the machine's limit.

    Args:
        engine: one or more of torch, onnxruntime, openvino, compile, aot, with commas; default: auto, the fastest
        threads: how many threads compute; default: 1
        batch: how many images at once; default: 1
        rounds: how often each network is timed on each engine; default: 30
    """
    for name, value in (("--threads", threads), ("--batch", batch), ("--rounds", rounds)):
        require_count(value, name)
    engines = _engines(engine)
    timed = [_timed(net) for net in dict.fromkeys(nets)]
    subjects = _prepared(timed, engines, (batch, threads), patient, with_preprocess)
    from compoundnet.measuring.timings import timings

    with progress("rounds") as on_done:
        found = timings(subjects, threads, rounds, on_done)
    stages = _why(timed, batch, threads, rounds) if why else {}
    for warning in _warnings(found, timed):
        sys.stderr.write(f"compoundnet: warning: {warning}\n")
    if json:
        write_json([row.to_dict() | _stages(stages, row.network) for row in found])
        return 0
    _print(found, with_preprocess)
    for name, rows in stages.items():
        _print_why(name, rows)
    return 0


def _engines(text: str) -> list[str]:
    from compoundnet.engines.table import ENGINES, known, lacking

    names = list(dict.fromkeys(word.strip() for word in text.split(",")))
    for name in names:
        if name == "":
            raise ValueError(f"--engine: {text!r} names no engine; {near('', [*ENGINES, 'auto'])}")
        if name != "auto" and (problem := lacking(known(name))) is not None:
            raise ValueError(problem)
    return names


def _timed(net: str) -> _Timed:
    """A name or weights file with trained weights where there are some, anything else freshly initialised."""
    import torch

    from compoundnet.building import build
    from compoundnet.preprocess import Preprocess, released_crop
    from compoundnet.weights import load

    if _has_weights(net):
        pretrained = load(net)
        return _Timed(net, pretrained.model, pretrained.weights.preprocess)
    source = read(net)
    side = source.network.resolution
    model = build(source.network, generator=torch.Generator().manual_seed(0)).eval()
    return _Timed(source.name, model, Preprocess(size=(side, side), crop=released_crop(side)))


def _has_weights(net: str) -> bool:
    from compoundnet.weights.catalogue import PACKAGED, CheckpointError, locate
    from compoundnet.weights.files import SUFFIXES

    if net in PACKAGED:
        try:
            return locate(PACKAGED[net]).is_file()
        except CheckpointError:
            return False
    return Path(net).suffix in SUFFIXES


def _prepared(
    timed: Sequence[_Timed], engines: Sequence[str], counts: tuple[int, int], patient: bool, with_preprocess: bool
) -> "dict[tuple[str, str], Subject]":
    from compoundnet.engines import Setting, prepare
    from compoundnet.measuring.timings import Subject

    subjects: dict[tuple[str, str], Subject] = {}
    for item in timed:
        setting = Setting(size=item.preprocess.size, batch=counts[0], threads=counts[1])
        for engine in engines:
            ready = prepare(item.model, setting, engine, patient=patient)
            if ready.choice is not None:
                sys.stderr.write(f"compoundnet: {item.name}: {ready.choice}\n")
            preprocess = item.preprocess if with_preprocess else None
            subjects[item.name, ready.engine] = Subject(item.model.network, ready, preprocess)
    return subjects


def _why(timed: Sequence[_Timed], batch: int, threads: int, rounds: int) -> "dict[str, list[StageTime]]":
    from compoundnet.engines import Setting
    from compoundnet.measuring.stages import why

    return {
        item.name: why(item.model, Setting(size=item.preprocess.size, batch=batch, threads=threads), rounds)
        for item in timed
    }


def _stages(stages: "Mapping[str, list[StageTime]]", name: str) -> dict[str, Any]:
    return {"stages": encode(stages[name])} if name in stages else {}


def _warnings(found: "Sequence[Timing]", timed: Sequence[_Timed]) -> list[str]:
    from compoundnet.measuring import NOISY, denormals

    noisy = [f"{row.network} on {row.engine}" for row in found if row.measurement.noisy]
    lines: list[str] = []
    if noisy:
        problem = f"half of the times lie further apart than {NOISY:.0%} of their median"
        lines.append(f"noisy: {problem} ({', '.join(noisy)}); stop other work, or trust only the ratios")
    for item in timed:
        if count := denormals(item.model):
            remedy = "engines set them to zero; elsewhere call torch.set_flush_denormal(True)"
            lines.append(f"{item.name}: {count:,} denormal weights, which slow down many processors; {remedy}")
    return lines


def _print(found: "Sequence[Timing]", with_preprocess: bool) -> None:
    from compoundnet.measuring.limits import SIDE

    first = found[0]
    clock = "decoding, resizing and the network" if with_preprocess else "the network alone"
    write(f"Batch {first.batch}, {first.threads} {'thread' if first.threads == 1 else 'threads'}, {clock}")
    head = ("Network", "Engine", "Median ms", "Low ms", "Spread", "Images/s", "Ratio", "GMAC/s", "Of the limit")
    write_table(head, [_line(row, first) for row in found])
    limit = f"{first.roofline_gmacs_per_s:.1f} GMAC/s, a float32 product of {SIDE} x {SIDE} matrices in the same run"
    write(
        f"Low: the tenth percentile. Spread: the quartiles' distance over the median. Ratio: to the first row, "
        f"round by round.\nLimit: {limit}."
    )


def _line(row: "Timing", first: "Timing") -> tuple[str, ...]:
    import statistics

    found = row.measurement
    pairs = zip(found.raw_ms, first.measurement.raw_ms, strict=True)
    return (
        row.network,
        row.engine,
        f"{found.median_ms:.2f}",
        f"{found.low_ms:.2f}",
        f"{found.spread:.1%}",
        f"{1e3 * row.batch / found.median_ms:,.1f}",
        f"{statistics.median(mine / other for mine, other in pairs):.3f}",
        f"{row.gmacs_per_s:.1f}",
        f"{row.gmacs_per_s / row.roofline_gmacs_per_s:.1%}",
    )


def _print_why(name: str, rows: "Sequence[StageTime]") -> None:
    from compoundnet.measuring.stages import RULE

    write(f"\n{name} on torch, stage by stage")
    head = ("Stage", "ms", "Share", "Multiply-adds", "Bytes", "MACs a byte", "Bound by")
    write_table(
        head,
        [
            (r.stage, f"{r.ms:.2f}", f"{r.share:.1%}", f"{r.macs:,}", f"{r.bytes:,}", f"{r.intensity:.1f}", r.bound)
            for r in rows
        ],
    )
    write(f"Bound by {RULE}.")
