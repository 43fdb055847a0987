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
from compoundnet.search.material import by_area
from compoundnet.search.trial import Task
from compoundnet.search.working import Bench
from compoundnet.whole import write_whole

from .bootstrap import Hits

FILE = "test.json"
_BATCH = 500


def look(folder: Path, tasks: Sequence[Task], bench: Bench, test: Memory) -> dict[str, Hits]:
    """What the trained networks of tasks get right of the test pictures: by key, of shape (pictures,).

    The answers are kept in ``test.json``, which appears whole with all of them: what was stopped before was no look,
    and later calls read the file. A task that has no weights, as it diverged, gets nothing right. Raises ValueError,
    one line, when the pictures were looked at for other tasks, or when the file is damaged.
    """
    file, keys = folder / FILE, list(dict.fromkeys(task.key for task in tasks))
    digest = _digest(test)
    if file.exists():
        return _read(file, keys, digest, len(test))
    found = {task.key: _right(bench.file(task), test) for task in dict.fromkeys(tasks)}
    packed = {key: base64.b64encode(np.packbits(right).tobytes()).decode() for key, right in found.items()}
    when = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")
    said: dict[str, Any] = {"version": 1, "when": when, "test": digest, "pictures": len(test), "right": packed}
    write_whole(file, json.dumps(said) + "\n")
    return found


def _digest(test: Memory) -> str:
    found = hashlib.sha256(f"{test.pixels.shape}".encode())
    found.update(np.ascontiguousarray(test.pixels).data)
    found.update(np.ascontiguousarray(test.labels).data)
    return found.hexdigest()


def _read(file: Path, keys: Sequence[str], digest: str, count: int) -> dict[str, Hits]:
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        when, same = str(held["when"]), held["test"] == digest and set(held["right"]) == set(keys)
        bits = {key: np.frombuffer(base64.b64decode(held["right"][key]), np.uint8) for key in keys if same}
        right = {key: np.unpackbits(each, count=count).astype(bool) for key, each in bits.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file}: damaged ({error}); the test pictures count as seen, search in another folder"
        ) from None
    if not same:
        problem = f"the test pictures were looked at on {when}, for other networks or other pictures"
        raise ValueError(f"{file}: {problem}; a second look would choose by them, search in another folder")
    return right


def _right(file: Path, test: Memory) -> Hits:
    """Which pictures the network in a file of weights gets right."""
    import torch

    from compoundnet.training.in_memory import MemoryFeed, as_pixels
    from compoundnet.weights import load

    if not file.is_file():
        return np.zeros(len(test), bool)
    found = load(file)
    network = found.weights.network
    pixels = as_pixels(by_area(test.pixels, network.resolution), network.in_channels)
    feed = MemoryFeed(pixels, torch.as_tensor(test.labels), found.weights.preprocess, None, _BATCH)
    right = list[Hits]()
    with torch.inference_mode():
        for images, labels in feed.batches(0, 0, network.resolution):
            logits = found.model(images.contiguous(memory_format=torch.channels_last))
            right.append((logits.argmax(1) == labels).numpy())
    return np.concatenate(right)
