"""PyTorch's files before 1.6: five pickles in a row, then the storages, each behind its count; no checksums."""

import struct
from io import BufferedReader

from compoundnet.weights.errors import DamagedError, RefusedError

from .machine import MAX_BYTES, SPARE, Machine
from .rebuilding import call
from .stored import Contents, Storage, storage

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
_COUNT = struct.Struct("<q")


def read(file: BufferedReader) -> Contents:
    """What an open file holds. Raises DamagedError or RefusedError."""
    length = file.seek(0, 2)
    file.seek(0)
    head = file.read(min(MAX_BYTES, length))  # a buffer of the size asked for is made at once
    seen: dict[str, Storage] = {}

    def keep(identity: object) -> Storage:
        found = storage(identity)
        if isinstance(identity, tuple) and len(identity) > 5 and identity[5] is not None:
            raise DamagedError("its storages are views of each other, as before PyTorch 0.4")
        if seen.setdefault(found.key, found) != found:
            raise DamagedError("a storage is described in two ways")
        return found

    values: list[object] = []
    at, spare = 0, SPARE
    for _ in range(5):
        machine = Machine(head, at, call, keep, spare)
        values.append(machine.run())
        spare = min(spare, machine.left)  # one room for all of them
        at = machine.at
        if values[0] != MAGIC:
            raise DamagedError("it does not begin as PyTorch's pickles do")
    _, version, system, tree, keys = values
    if version != VERSION:
        raise DamagedError(f"its version is not {VERSION}")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise RefusedError("its numbers are not little-endian; save it again on a machine of the usual kind")
    starts = _starts(file, at, length, keys, seen)

    def fetch(wanted: Storage) -> bytearray:
        file.seek(starts[wanted.key])
        data = bytearray(wanted.size)  # _starts has seen that the file is as long
        if file.readinto(data) < wanted.size:
            raise DamagedError("it ends too early")
        return data

    return Contents(tree, fetch, checked=False)


def _starts(file: BufferedReader, at: int, length: int, keys: object, seen: dict[str, Storage]) -> dict[str, int]:
    """Where each storage begins. Raises DamagedError unless they are those of the pickle and fill the file."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or set(keys) != seen.keys():
        raise DamagedError("its storages are not those of its tensors")
    found: dict[str, int] = {}
    for key in keys:
        file.seek(at)
        count = file.read(_COUNT.size)
        if len(count) < _COUNT.size or _COUNT.unpack(count)[0] != seen[key].count:
            raise DamagedError("a storage has another length than its tensors, or the file ends before it")
        found[key] = at + _COUNT.size
        at = found[key] + seen[key].size
    if at != length or len(found) != len(keys):
        raise DamagedError(f"its tensors need {at:,} bytes, it has {length:,}")
    return found
