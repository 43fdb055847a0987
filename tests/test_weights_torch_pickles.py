"""The machine for pickles reads plain values and names, runs no code, and gives hostile ones up in one line."""

import pickle
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.weights.errors import DamagedError, RefusedError
from compoundnet.weights.pytorch.machine import MAX_STEPS, Machine
from compoundnet.weights.pytorch.rebuilding import call
from compoundnet.weights.pytorch.stored import Opaque, Stored, storage
from tests import torchfiles as made

from .torch_reading import MANY, in_little_memory


def run(body: bytes) -> object:
    return Machine(made.pickled(body), 0, call, storage).run()


@settings(max_examples=30, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            | st.lists(inner, max_size=4).map(tuple)
        ),
        max_leaves=6,
    ),
    st.sampled_from([2, 3, 4, 5]),
)
def test_plain_values_are_what_python_reads(value: object, protocol: int) -> None:
    assert Machine(pickle.dumps(value, protocol), 0, call, storage).run() == value


class _Code:
    def __init__(self, function: Any, *arguments: object) -> None:
        self.called = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.called


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("function", [eval, exec, __import__, getattr, open])
def test_code_is_refused_by_its_name_in_every_protocol(function: Any, protocol: int) -> None:
    data = pickle.dumps({"a": [_Code(function, "1")]}, protocol)
    name = f"{function.__module__}.{function.__name__}".replace(
        "builtins", "__builtin__" if protocol < 3 else "builtins"
    )
    with pytest.raises(
        RefusedError, match=rf"^refused, because it holds a call to {name.replace('_io', 'io')} and not"
    ):
        Machine(data, 0, call, storage).run()


def test_a_name_with_line_breaks_stays_on_one_line() -> None:
    with pytest.raises(RefusedError, match=r"a call to a\\nb.c\\nd and not") as caught:
        run(made.text("a\nb") + made.text("c\nd") + b"\x93")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4])
def test_what_scripts_keep_beside_the_tensors_is_passed_over(protocol: int) -> None:
    beside = {
        "args": Namespace(lr=0.1),
        "best": np.float64(3.5),
        "counts": defaultdict(list, {"a": [1]}),
        "seen": Counter("aab"),
        "order": OrderedDict(b=1, a=2),
        "places": {1, 2},
        "path": Path("somewhere"),
    }
    found = Machine(pickle.dumps(beside, protocol), 0, call, storage).run()
    assert isinstance(found, dict)
    assert found["order"] == {"b": 1, "a": 2}
    assert found["counts"] == {"a": [1]}
    assert isinstance(found["args"], Opaque)
    assert isinstance(found["best"], Opaque)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"X\xff\xff\xff\x7fabc", "claims more bytes than it has"),
        (b"\x8d" + b"\xff" * 8, "claims more bytes than it has"),
        (b"\x8e" + b"\xff" * 8, "claims more bytes than it has"),
        (b"B\xff\xff\xff\xff", "claims more bytes than it has"),
        (b"\x8b\xff\xff\xff\x7f1", "a number of 2147483647 bytes"),
        (b"\x8b\xff\xff\xff\xff1", "a number of -1 bytes"),
        (b"h\x05", "recalls a value that it has not seen"),
        (b"r\xff\xff\xff\xff", "takes a value that is not there"),
        (b"0", "takes a value that is not there"),
        (b"t", "takes a mark that is not there"),
        (b"K\x01K\x02s", "takes a value that is not there"),
        (b"K\x01K\x02K\x03s", "fills a int, which is no dict"),
        (b"}(K\x01u", "a key without a value"),
        (b"K\x01)R", "calls what is no name"),
        (b"\xff", "an instruction 0xff that PyTorch does not write"),
        (b"X\x01\x00\x00\x00\xff", "a text that is none"),
        (b"c" + b"a" * 100_000, "a name without an end"),
        (made.called("collections.OrderedDict", b"K\x05"), "a dict of what are no pairs"),
        (made.called("torch._utils._rebuild_parameter"), "with 0 arguments"),
        (made.called("torch._utils._rebuild_tensor_v2", b"N", b"N", b"N", b"N"), "a tensor is described wrongly"),
        (
            made.called(
                "torch._tensor._rebuild_from_type_v2", made.named("torch._tensor._rebuild_from_type_v2"), b"N", b"N"
            ),
            "no name",
        ),
        (made.tensor(made.storage("0", -4), [1], [1]), "a tensor's storage is described wrongly"),
        (made.tensor(made.storage("0", 4), [5], [1]), "reaches beyond its storage"),
        (made.tensor(made.storage("0", 4), [4], [1], 1), "reaches beyond its storage"),
        (made.tensor(made.storage("0", 4), [4], [1], -1), "begins nowhere"),
        (made.tensor(made.storage("0", 1), [1 << 40], [0]), "claims more than the 1 that it has"),
        (made.tensor(made.storage("0", 4), [-1], [1]), "described wrongly"),
        (made.tensor(made.storage("0", 4), [1] * 65, [1] * 65), "described wrongly"),
        (made.tensor(made.storage("0", 4), [0, 1 << 47, 1 << 47], [1, 1, 1]), "larger than any"),
    ],
)
def test_a_hostile_pickle_is_one_line_in_little_memory(body: bytes, line: str) -> None:
    def read() -> None:
        with pytest.raises((DamagedError, RefusedError), match=line):
            run(body)

    in_little_memory(read)


def test_a_pickle_without_end_is_given_up() -> None:
    with pytest.raises(DamagedError, match="more than 500,000 steps"):
        run(b"N" * (MAX_STEPS + 1))


def test_deep_tuples_as_keys_harm_nobody() -> None:
    """Their hash would go as deep, and end Python."""
    found = run(b"}(" + b")" + b"\x85" * MANY + b"K\x01u")
    assert isinstance(found, dict)
    assert list(found.values()) == [1]


def test_keys_of_one_hash_take_no_quadratic_time() -> None:
    keys = b"".join(made.number(i * ((1 << 61) - 1)) + b"N" for i in range(30_000))
    found = run(b"}(" + keys + b"u")
    assert isinstance(found, dict)
    assert len(found) == 30_000


@pytest.mark.parametrize(
    ("shape", "strides", "dense"),
    [
        ((2, 3), (3, 1), True),
        ((2, 3), (1, 2), True),
        ((2, 1, 3), (3, 99, 1), True),
        ((2, 3), (3, 2), False),
        ((2, 3), (4, 1), False),
        ((), (), True),
    ],
)
def test_dense_means_that_every_number_between_is_used_once(
    shape: tuple[int, ...], strides: tuple[int, ...], dense: bool
) -> None:
    where = storage(("storage", made_kind(), "0", "cpu", 100))
    assert Stored(where, "float32", 0, shape, strides).dense == dense


def made_kind() -> object:
    from compoundnet.weights.pytorch.stored import Global

    return Global("torch.FloatStorage")
