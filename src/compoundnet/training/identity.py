"""What makes a run the same run beside its network and recipe: the pictures, how they are seen, and what computes."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoundnet.data import Examples
from compoundnet.preprocess import Preprocess
from compoundnet.schema import encode
from compoundnet.weights.hashing import json_sha256

from .in_memory import InMemory

_DATA = "give the same pictures, or name another folder"
_SAID: Mapping[str, str] = MappingProxyType(
    {
        "names": f"the names or the order of the training pictures changed; {_DATA}",
        "labels": f"labels of the training pictures changed; {_DATA}",
        "pixels": f"the training pictures changed; {_DATA}",
        "validation": f"the pictures that judge changed; {_DATA}",
        "threads": "{old} threads there, {new} here; go on with --threads {old}",
        "processes": "{old} processes there, {new} here; go on with as many",
    }
)


def facts_of(
    train: Examples, validation: Examples | None, preprocess: Preprocess, threads: int, processes: int
) -> dict[str, Any]:
    """What must be the same for a run to go on; plain values. Pictures are known by their names and labels.

    Those in one array are known by their pixels too. What files hold is not read.
    """
    return {
        "task": train.task,
        "classes": list(train.classes),
        "images": len(train),
        "preprocess": encode(preprocess),
        **_of(train),
        "validation": None if validation is None else _of(validation),
        "threads": threads,
        "processes": processes,
    }


def _of(examples: Examples) -> dict[str, str | None]:
    return {
        "names": json_sha256([examples.name(k) for k in range(len(examples))]),
        "labels": _array_sha256(np.asarray(examples.labels)),
        "pixels": _array_sha256(examples.pixels) if isinstance(examples, InMemory) else None,
    }


def _array_sha256(array: NDArray[Any]) -> str:
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """One line about the first of those facts that cannot be shown as they are, with the remedy; None if all are equal.

    >>> changed({"threads": 2}, {"threads": 4})
    '2 threads there, 4 here; go on with --threads 2'
    """
    for name, text in _SAID.items():
        if before.get(name) != now.get(name):
            return text.format(old=before.get(name), new=now.get(name))
    return None
