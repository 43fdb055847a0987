"""A writer of PyTorch's files by hand, without PyTorch, in which every number can be a wrong one."""

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."
STATE = {"conv1.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "fc.bias": np.ones(4, dtype=np.float32)}


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def tuple_of(items: Iterable[bytes]) -> bytes:
    return b"(" + b"".join(items) + b"t"


def dict_of(items: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in items.items()) + b"u"


def named(name: str) -> bytes:
    module, _, attribute = name.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def called(name: str, *arguments: bytes) -> bytes:
    return named(name) + tuple_of(arguments) + b"R"


def storage(key: str, count: int, kind: str = "torch.FloatStorage", *more: bytes) -> bytes:
    return tuple_of([text("storage"), named(kind), text(key), text("cpu"), number(count), *more]) + b"Q"


def tensor(where: bytes, shape: Iterable[int], strides: Iterable[int], offset: int = 0) -> bytes:
    sides, steps = tuple_of(map(number, shape)), tuple_of(map(number, strides))
    rest = (b"\x89", called("collections.OrderedDict"))
    return called("torch._utils._rebuild_tensor_v2", where, number(offset), sides, steps, *rest)


def dense(key: str, shape: tuple[int, ...], *more: bytes) -> bytes:
    """A float32 tensor that fills its storage."""
    strides = [int(np.prod(shape[i + 1 :], dtype=np.int64)) for i in range(len(shape))]
    return tensor(storage(key, int(np.prod(shape, dtype=np.int64)), "torch.FloatStorage", *more), shape, strides)


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def state(arrays: Mapping[str, NDArray[np.float32]], *more: bytes) -> bytes:
    return dict_of({name: dense(str(i), array.shape, *more) for i, (name, array) in enumerate(arrays.items())})


def zipped(
    value: bytes,
    storages: Mapping[str, bytes],
    others: Mapping[str, bytes] | None = None,
    method: int = zipfile.ZIP_STORED,
) -> bytes:
    """A zip archive with the pickle of ``value``, as torch.save writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickled(value))
        for name, data in {"byteorder": b"little", "version": b"3\n", **(others or {})}.items():
            archive.writestr(f"archive/{name}", data)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
    return out.getvalue()


def legacy(value: bytes, storages: Mapping[str, tuple[int, bytes]], *, little: bool = True) -> bytes:
    """The form of before 1.6; each storage is (its count as written, its bytes)."""
    system = dict_of({"protocol_version": number(1001), "little_endian": b"\x88" if little else b"\x89"})
    keys = b"](" + b"".join(map(text, storages)) + b"e"
    data = b"".join(struct.pack("<q", count) + held for count, held in storages.values())
    return MAGIC + VERSION + pickled(system) + pickled(value) + pickled(keys) + data


def bytes_of(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, bytes]:
    """The storages of ``state``."""
    return {str(i): array.tobytes() for i, array in enumerate(arrays.values())}


def good_zip() -> bytes:
    return zipped(state(STATE), bytes_of(STATE))


def good_legacy() -> bytes:
    none = b"N"
    return legacy(state(STATE, none), {key: (len(data) // 4, data) for key, data in bytes_of(STATE).items()})
