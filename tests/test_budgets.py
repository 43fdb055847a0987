"""Budgets: every limit is counted as it says, admits what it names and nothing above, and is a number."""

from typing import Any

import pytest

from compoundnet import cost, named
from compoundnet.budget import LIMITS, Budget
from compoundnet.schema import FieldError

from .budgets import limited

COUNTED = [name for name in LIMITS if name != "latency_ms"]  # of the other one see test_devices


def test_every_limit_is_counted_as_it_says() -> None:
    found = cost(named("tiny"))
    limits = dict.fromkeys(COUNTED, 10**12)
    needs = Budget(**limits, dtype="bfloat16", batch=3, optimizer="momentum").needs(found)
    assert needs == {
        "macs": found.macs,
        "params": found.params,
        "activations": found.activations,
        "memory": 2 * (found.params + found.peak_activations),
        "training_memory": 4 * (3 * found.params + 3 * found.training_activations),
        "file_size": 2 * (found.params + found.buffers) + 128 * found.tensors + 24_576,
    }


@pytest.mark.parametrize("name", COUNTED)
def test_a_limit_admits_what_it_names_and_nothing_above(name: str) -> None:
    found = cost(named("tiny"))
    needed = limited(**{name: 1}).needs(found)[name]
    assert limited(**{name: needed}).admits(found)
    assert limited(**{name: needed}).use(found) == 1
    assert not limited(**{name: needed - 1}).admits(found)
    assert Budget().admits(found)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"macs": 0}, "macs: 0 is not a whole number of at least 1"),
        ({"params": 1.5}, "params: 1.5 is not a whole number"),
        ({"memory": True}, "memory: True is not a whole number"),
        ({"dtype": "float8"}, "dtype"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"batch": 0}, "batch"),
    ],
)
def test_impossible_budgets_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError, match=problem):
        Budget(**values)
