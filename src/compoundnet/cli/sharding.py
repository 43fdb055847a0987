"""Shards of one list: which share this process does, and the command that merges their files."""

import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from .output import write, write_json

if TYPE_CHECKING:
    from compoundnet.prediction import Shard

# How launchers number the processes they start: index, count, and where the index begins.
_LAUNCHERS: Mapping[str, tuple[str, str, str | None]] = MappingProxyType(
    {
        "torchrun": ("RANK", "WORLD_SIZE", None),
        "a Slurm array": ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"),
        "srun": ("SLURM_PROCID", "SLURM_NTASKS", None),
    }
)
_HERE = "LOCAL_WORLD_SIZE"  # torchrun's processes on this machine


def shard_of(text: str | None) -> "Shard":
    """The share that --shard names; None is all. Raises ValueError, one line, for no possible share."""
    from compoundnet.prediction import Shard

    if text is None:
        return Shard()
    if text == "env":
        return _from_environment()
    if not (match := re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)):
        raise ValueError(f"--shard: {text!r} is not INDEX/COUNT; the first of 8 is 0/8, the last 7/8; or say env")
    return Shard(int(match[1]), int(match[2]))


def cores_each(text: str | None) -> int | None:
    """How many workers each of torchrun's processes on this machine gets; None: one for each core."""
    beside = os.environ.get(_HERE, "") if text == "env" else ""
    return max(1, (os.cpu_count() or 1) // int(beside)) if beside.isdecimal() and int(beside) else None


def merge(parts: list[str], out: str, json: bool = False) -> int:
    """Put the answers of all shards of one list into one file, in the order of the list.

    Args:
        out: the file to write, .csv or .jsonl as the parts are
    """
    from compoundnet.prediction import merge as merge_parts

    pictures, failed = merge_parts(parts, out)
    if json:
        write_json({"out": out, "pictures": pictures, "failed": failed})
    else:
        write(f"{pictures:,} pictures of {len(parts)} shards, {failed:,} failed: {out}")
    return 1 if failed else 0


def _from_environment() -> "Shard":
    from compoundnet.prediction import Shard

    for launcher, (index, count, first) in _LAUNCHERS.items():
        found = [os.environ.get(name) for name in (index, count)] + [os.environ.get(first, "0") if first else "0"]
        if found[0] is None or found[1] is None:
            continue
        if not all(value is not None and value.isdecimal() for value in found):
            said = f"{index}={found[0]!r}, {count}={found[1]!r}"
            raise ValueError(f"--shard env: {launcher} says {said}; give INDEX/COUNT")
        return Shard(int(found[0]) - int(found[2] or 0), int(found[1]))
    known = ", ".join(f"{index} and {count} ({launcher})" for launcher, (index, count, _) in _LAUNCHERS.items())
    raise ValueError(f"--shard env: none of {known} is set; give INDEX/COUNT")
