"""The paragraph of docs/training.md on the run that was stopped, from the newest record."""

from tools.files import newest_benchmarks
from tools.tables import taken

_SIGNALS = {"SIGINT": "Ctrl-C", "SIGKILL": "`kill -9`"}


def resuming() -> str:
    """How often the full run was stopped, where, and what differs from the run left alone."""
    lines = newest_benchmarks("resuming_")
    [found] = lines
    stops = ", ".join(f"{_SIGNALS[stop['signal']]} in epoch {int(stop['epoch']) + 1}" for stop in found["stops"])
    differs = ", ".join(found["differing_tensors"]) or "none"
    rows = "equal" if found["equal_rows"] else "not equal"
    return (
        f"{found['epochs']} epochs, seed {found['seed']}, stopped {len(found['stops'])} times: {stops}. Compared with "
        f"the same run left alone: {found['tensors']:,} tensors of the last state and the weights, "
        f"{found['numbers']:,} numbers, those that differ: {differs}; {found['rows']} rows of figures, but for the "
        f"times: {rows}.\n\n{taken(lines, 'python', 'torch')}"
    )
