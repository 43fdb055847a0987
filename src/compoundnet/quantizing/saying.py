"""Saying: findings in words and as a report."""

from typing import TYPE_CHECKING

from compoundnet.engines.choice import cpu
from compoundnet.weights.hashing import tensors_sha256

from . import machine
from .data import MOST
from .judging import Score
from .parts import LAYERS
from .report import Report

if TYPE_CHECKING:
    from .findings import Findings


def failed(found: "Findings") -> tuple[str, ...]:
    """The gates that do not hold: by how much, and what to do."""
    asked, ours, theirs = found.asked, found.contenders["int8"], found.contenders["float"]
    lines: list[str] = []
    if not found.trial.holds(asked.max_drop):
        drop = _judged(found).drop
        floats = f"with {len(found.reasons)} of {len(found.sensitivity)} blocks in float"
        remedy = "allow more with --max-drop, or take a network made for int8, such as efficientnet_lite0"
        lines.append(f"top-1 drops by {drop} {floats}, more than {asked.max_drop:g}; {remedy}")
    if not ours.speedup >= asked.min_speedup:
        times = f"{ours.low_ms:.2f} against {theirs.low_ms:.2f} ms"
        remedy = "keep float (compoundnet export), or allow it with --min-speedup"
        lines.append(
            f"int8 is {ours.speedup:.2f} times as fast as float ({times}), less than {asked.min_speedup:g}; {remedy}"
        )
    return tuple(lines)


def _judged(found: "Findings") -> Score:
    """The score that decided: the calibration pictures' where they refused the plan already."""
    return found.trial.held_out or found.trial.calibration


def notes(found: "Findings") -> tuple[str, ...]:
    """What a reader of the figures should know."""
    ours, theirs, drop = found.contenders["int8"], found.contenders["float"], _judged(found).drop
    lines: list[str] = []
    if ours.speedup < 1:
        lines.append(
            f"int8 is slower than float on this processor: {ours.low_ms:.2f} against {theirs.low_ms:.2f} ms a picture"
        )
    if not found.dot_products:
        lines.append("this processor has no VNNI: weights have 7 bits, and int8 may well be slower than float")
    if drop.interval[1] > found.asked.max_drop:
        lines.append(
            f"{drop.n} pictures cannot rule out a drop above {found.asked.max_drop:g} points: the 95 % interval "
            f"reaches up to {drop.interval[1]:.1f}; more pictures narrow it"
        )
    if found.looks > 1:
        lines.append(
            f"the held-out pictures judged {found.looks} plans; the drop of the chosen one is a little too small"
        )
    if found.noisy:
        lines.append("the machine was busy while it was clocked; the ratios hold better than the times")
    if found.data.found > MOST:
        lines.append(f"{MOST:,} of {found.data.found:,} pictures were drawn, with the seed {found.asked.seed}")
    if found.random:
        lines.append("the weights are random: only the times mean anything")
    return tuple(lines)


def report(found: "Findings", folder: str, written: str | None) -> Report:
    """Everything, in the order in which it is read."""
    weights, data, asked = found.pretrained.weights, found.data, found.asked
    plan = found.trial.plan
    model = {"name": weights.name, "tensors_sha256": tensors_sha256(found.pretrained.model)}
    return Report(
        written=written,
        failed=failed(found),
        notes=notes(found),
        model={**model, "random_weights": found.random},
        engine=asked.engine,
        threads=asked.threads,
        gates={"max_drop": asked.max_drop, "min_speedup": asked.min_speedup},
        contenders=found.contenders,
        float_blocks=found.reasons,
        int8_blocks=tuple(part.block for part in found.shop.layers if part in plan and part.kind == LAYERS),
        extras=found.extras,
        sensitivity=found.sensitivity,
        weight_bits=8 if found.dot_products else 7,
        data={
            "folder": folder,
            "found": data.found,
            "classes": data.classes,
            "calibration": len(data.calibration),
            "held_out": len(data.held_out),
            "looks": found.looks,
            "unreadable": data.unreadable,
            "sha256": data.sha256,
            "seed": asked.seed,
        },
        cpu={"model": cpu(), "vnni": found.dot_products},
        versions=machine.versions(),
        seconds=found.seconds,
    )
