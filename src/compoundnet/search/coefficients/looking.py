"""The look at the test pictures: once for a search, all its final networks together, and never to choose by."""

import base64
import datetime
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compoundnet.data import Memory
from compoundnet.network import Network
from compoundnet.operators import OPERATORS
from compoundnet.search.material import by_area
from compoundnet.search.trial import Task
from compoundnet.search.working import Bench
from compoundnet.whole import write_whole

from .bootstrap import Hits

FILE = "test.json"
_BATCH = 500


def look(folder: Path, tasks: Sequence[Task], bench: Bench, test: Memory, *, grows: bool = False) -> dict[str, Hits]:
    """What the trained networks of tasks get right of the test pictures: by key, of shape (pictures,).

    The answers are kept in ``test.json``, which appears whole with all of them: what was stopped before was no look,
    and later calls read the file. A search that ``grows`` adds more seeds to it, by the rule it began with. A task that
    has no weights, as it diverged, gets nothing right. Raises ValueError, one line, when the pictures were looked at
    for other tasks, or when the file is damaged.
    """
    file, keys = folder / FILE, {task.key: task for task in tasks}
    digest, held = _digest(test), dict[str, Hits]()
    if file.exists():
        when, held = _read(file, digest, len(test))
        nested = grows and held and (held.keys() <= keys.keys() or keys.keys() <= held.keys())
        if held.keys() != keys.keys() and not nested:
            problem = f"the test pictures were looked at on {when}, for other networks or other pictures"
            raise ValueError(f"{file}: {problem}; a second look would choose by them, search in another folder")
    new = {key: _right(bench.file(task), task.network, test) for key, task in keys.items() if key not in held}
    if new:
        found = held | new
        packed = {key: base64.b64encode(np.packbits(right).tobytes()).decode() for key, right in found.items()}
        when = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")
        said: dict[str, Any] = {"version": 1, "when": when, "test": digest, "pictures": len(test), "right": packed}
        write_whole(file, json.dumps(said) + "\n")
        held = found
    return {key: held[key] for key in keys}


def seen(folder: Path) -> frozenset[str]:
    """The tasks that were looked at: their weights are not needed any more. Empty for a damaged file."""
    try:
        return frozenset(json.loads((folder / FILE).read_text(encoding="utf-8"))["right"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def _digest(test: Memory) -> str:
    found = hashlib.sha256(f"{test.pixels.shape}".encode())
    found.update(np.ascontiguousarray(test.pixels).data)
    found.update(np.ascontiguousarray(test.labels).data)
    return found.hexdigest()


def _read(file: Path, digest: str, count: int) -> tuple[str, dict[str, Hits]]:
    """When the pictures were looked at, and the answers; none for other pictures."""
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        when, right = str(held["when"]), dict(held["right"]) if held["test"] == digest else {}
        bits = {key: np.frombuffer(base64.b64decode(each), np.uint8) for key, each in right.items()}
        return when, {key: np.unpackbits(each, count=count).astype(bool) for key, each in bits.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file}: damaged ({error}); the test pictures count as seen, search in another folder"
        ) from None


def _right(file: Path, trained: Network, test: Memory) -> Hits:
    """Which pictures the network in a file of weights gets right."""
    import torch

    from compoundnet.training.in_memory import MemoryFeed, as_pixels
    from compoundnet.weights import load

    if not file.is_file():
        return np.zeros(len(test), bool)
    own = {type(stage.operator).__name__: type(stage.operator) for stage in trained.stages}
    found = load(file, operators={**OPERATORS, **own})
    network = found.weights.network
    pixels = as_pixels(by_area(test.pixels, network.resolution), network.in_channels)
    feed = MemoryFeed(pixels, torch.as_tensor(test.labels), found.weights.preprocess, None, _BATCH)
    right = list[Hits]()
    with torch.inference_mode():
        for images, labels in feed.batches(0, 0, network.resolution):
            logits = found.model(images.contiguous(memory_format=torch.channels_last))
            right.append((logits.argmax(1) == labels).numpy())
    return np.concatenate(right)
