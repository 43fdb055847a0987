"""Hints: what the difference between a checkpoint and a network says of how the checkpoint came about."""

import re

from .errors import Mismatch

_STATISTICS = ("running_mean", "running_var", "moving_mean", "moving_variance")
_HEAD = re.compile(r"(head|classifier|fc|logits|aux|predictions)[^/]*[./](.*[./])?(weight|bias|kernel)$", re.IGNORECASE)


def hint(gap: Mismatch) -> str:
    """The likely reason of a difference and the remedy, after a semicolon; "" where there is none.

    >>> hint(Mismatch(missing=("bn1.running_mean", "bn1.running_var")))
    "; the batch norms' statistics are missing: save model.state_dict(), not the parameters alone"
    """
    if gap.missing and all(name.endswith(_STATISTICS) for name in gap.missing):
        return "; the batch norms' statistics are missing: save model.state_dict(), not the parameters alone"
    if gap.extra and not gap.missing and not gap.misshapen and all(_HEAD.search(name) for name in gap.extra):
        return "; the extra ones look like another head: leave them out of the file"
    return ""
