"""Shards of one list: which share this process does, and the command that merges their files."""

import os
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from .output import write, write_json

if TYPE_CHECKING:
    from compoundnet.prediction import Shard

# How launchers number the processes they start: index and count.
_LAUNCHERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "torchrun": ("RANK", "WORLD_SIZE"),
        "a Slurm array": ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"),
        "srun": ("SLURM_PROCID", "SLURM_NTASKS"),
    }
)
# An array's tasks are numbered as it was asked for: from a least to a most number, by a step, or with gaps.
_ARRAY = ("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP")
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
    from compoundnet.prediction import usable_cores

    beside = os.environ.get(_HERE, "") if text == "env" else ""
    return max(1, usable_cores() // int(beside)) if beside.isdecimal() and int(beside) else None


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

    for launcher, names in _LAUNCHERS.items():
        if not all(name in os.environ for name in names):
            continue
        index, count = _numbers(launcher, names)
        if names[0].startswith("SLURM_ARRAY") and all(name in os.environ for name in _ARRAY):
            least, most, step = _numbers(launcher, _ARRAY)
            if step < 1 or (most - least) // step + 1 != count:
                problem = f"tasks from {least} to {most} by {step} are not {count}"
                raise ValueError(f"--shard env: {launcher} with gaps ({problem}); give INDEX/COUNT")
            index = (index - least) // step
        return Shard(index, count)
    known = ", ".join(f"{index} and {count} ({launcher})" for launcher, (index, count) in _LAUNCHERS.items())
    raise ValueError(f"--shard env: none of {known} is set; give INDEX/COUNT")


def _numbers(launcher: str, names: Sequence[str]) -> list[int]:
    values = [os.environ[name] for name in names]
    if not all(value.isascii() and value.isdecimal() for value in values):
        said = ", ".join(f"{name}={value!r}" for name, value in zip(names, values, strict=True))
        raise ValueError(f"--shard env: {launcher} says {said}; give INDEX/COUNT")
    return [int(value) for value in values]
