"""Saying: findings in words and as a report."""

from typing import TYPE_CHECKING

from compoundnet.engines.choice import cpu
from compoundnet.weights.hashing import tensors_sha256

from . import machine
from .judging import Score
from .parts import LAYERS
from .report import Report

if TYPE_CHECKING:
    from .findings import Findings


def failed(found: "Findings") -> tuple[str, ...]:
    """The gates that do not hold: by how much, and what to do."""
    asked, ours, theirs = found.study.asked, found.contenders["int8"], found.contenders["float"]
    lines: list[str] = []
    if not found.chosen.trial.holds(asked.max_drop):
        drop = _judged(found).drop
        floats = f"with {len(found.chosen.reasons)} of {len(found.study.sensitivity)} blocks in float"
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
    return found.chosen.trial.held_out or found.chosen.trial.calibration


def notes(found: "Findings") -> tuple[str, ...]:
    """What a reader of the figures should know."""
    ours, theirs, drop = found.contenders["int8"], found.contenders["float"], _judged(found).drop
    study, looks, lines = found.study, found.chosen.looks, list[str]()
    if ours.speedup < 1:
        lines.append(
            f"int8 is slower than float on this processor: {ours.low_ms:.2f} against {theirs.low_ms:.2f} ms a picture"
        )
    if not study.shop.dot_products:
        lines.append("this processor has no VNNI: weights have 7 bits, and int8 may well be slower than float")
    if drop.interval[1] > study.asked.max_drop:
        lines.append(
            f"{drop.n} pictures cannot rule out a drop above {study.asked.max_drop:g} points: the 95 % interval "
            f"reaches up to {drop.interval[1]:.1f}; more pictures narrow it"
        )
    if looks > 1:
        lines.append(f"the held-out pictures judged {looks} plans; the drop of the chosen one is a little too small")
    if found.noisy:
        lines.append(
            "the machine was busy while it was clocked: times and ratios are rough; measure again when it is quiet"
        )
    if study.data.found > study.data.drawn:
        drawn = f"{study.data.drawn:,} of {study.data.found:,} pictures were drawn"
        lines.append(f"{drawn}, with the seed {study.asked.seed}")
    if found.random:
        lines.append("the weights are random: only the times mean anything")
    return tuple(lines)


def report(found: "Findings", folder: str, written: str | None, problem: str | None) -> Report:
    """Everything, in the order in which it is read."""
    study, chosen = found.study, found.chosen
    weights, data, asked, dot_products = study.pretrained.weights, study.data, study.asked, study.shop.dot_products
    plan = chosen.trial.plan
    model = {"name": weights.name, "tensors_sha256": tensors_sha256(study.pretrained.model)}
    return Report(
        written=written,
        failed=failed(found) + ((problem,) if problem else ()),
        notes=notes(found),
        model={**model, "random_weights": found.random},
        engine=asked.engine,
        threads=asked.threads,
        gates={"max_drop": asked.max_drop, "min_speedup": asked.min_speedup},
        contenders=found.contenders,
        float_blocks=chosen.reasons,
        int8_blocks=tuple(part.block for part in study.shop.layers if part in plan and part.kind == LAYERS),
        extras=chosen.extras,
        sensitivity=study.sensitivity,
        weight_bits=8 if dot_products else 7,
        data={
            "folder": folder,
            "found": data.found,
            "classes": data.classes,
            "calibration": len(data.calibration),
            "held_out": len(data.held_out),
            "looks": chosen.looks,
            "unreadable": data.unreadable,
            "sha256": data.sha256,
            "seed": asked.seed,
        },
        cpu={"model": cpu(), "vnni": dot_products},
        versions=machine.versions(),
        seconds=found.seconds,
    )
