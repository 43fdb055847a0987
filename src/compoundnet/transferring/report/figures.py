"""The figures of a report as plain values: what report.json holds and report.html shows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from compoundnet.evaluating import Metrics
from compoundnet.transferring.running import Transferred

VERSION = 1


def figures(done: Transferred, metrics: Metrics) -> dict[str, Any]:
    """Everything that was found and chosen; ``metrics`` are the saved model's on the validation pictures.

    Those of ``Metrics.to_dict`` are at the top beside the rest.
    """
    return {
        "version": VERSION,
        "classes": list(done.look.classes),
        "model": done.parent.weights.name,
        "parent": {"source": done.parent.weights.source, "sha256": done.parent.weights.sha256},
        "licence": done.parent.weights.licence,
        "seconds": round(done.clock.elapsed, 1),
        "budget": done.clock.budget,
        "engine": done.engine,
        "seed": done.settings.seed,
        "pictures": {
            "found": done.look.pictures,
            "counts": list(done.look.counts),
            "shorter_side": done.look.side,
            "corrupt": list(done.pixels.corrupt),
            "copies": done.pixels.copies,
            "train": len(done.split.train),
            "validation": len(done.split.validation),
        },
        "settings": [{"setting": r.setting, "value": r.value, "why": r.why} for r in done.reasons],
        "head_only": {"loss": done.head.loss, **finite(done.head.figures)},
        "kept": {"how": done.best.how, "loss": done.best.score.loss, **finite(done.best.score.figures)},
        "temperature": done.heat,
        "epochs": [
            {
                "number": e.number,
                "training_loss": e.loss,
                "loss": e.score.loss,
                **finite(e.score.figures),
                "seconds": round(e.seconds, 2),
                "unfrozen": list(e.unfrozen),
            }
            for e in done.epochs
        ],
        **metrics.to_dict(),
    }


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: a figure that these pictures cannot have is null."""
    return {name: value if np.isfinite(value) else None for name, value in values.items()}
