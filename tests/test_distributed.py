"""Two processes (gloo, by torchrun) and one on the same global batch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from compoundnet.training.state import latest_state

from .distributed import STOP, WAYS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """What one and two processes leave, by their number."""
    found = {}
    for count in (1, 2):
        folder = found[count] = tmp_path_factory.mktemp(f"world{count}")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        done = subprocess.run(
            [*command, "-m", "tests.distributed", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return found


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest difference, as a share of the largest value of its tensor."""
    assert one.keys() == other.keys()
    return max(float((one[k] - other[k]).abs().max() / one[k].abs().max().clamp(1e-3)) for k in one)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_gradients_of_two_processes_are_those_of_one(way: str, folders: dict[int, Path]) -> None:
    """Batch norms on running statistics, or synchronised: the same, in float64. Each by its own half: not the same."""
    one = load_file(folders[1] / f"{way}-0.safetensors")
    two = [load_file(folders[2] / f"{way}-{rank}.safetensors") for rank in (0, 1)]
    weights = [name for name in one if "running" not in name]
    assert all(torch.equal(two[0][name], two[1][name]) for name in weights)
    far = apart(one, two[0])
    assert far > 1e-3 if way == "own" else far < 1e-9


@pytest.mark.slow
def test_weights_statistics_and_averages_agree_across_ranks(folders: dict[int, Path]) -> None:
    zero, one = (load_file(folders[2] / f"ended-{rank}.safetensors") for rank in (0, 1))
    assert sum("running_var" in name for name in zero) > 10
    assert all(torch.equal(zero[name], one[name]) for name in zero)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "advprop"])
def test_a_run_of_two_processes_is_that_of_one(name: str, folders: dict[int, Path]) -> None:
    """Same pictures in the same order, each process its half: what is left is float32's rounding.

    "advprop" has accumulated steps too, and five pictures that judge, of which one process has none.
    """
    states = [latest_state(folders[count] / name / "resume") for count in (1, 2)]
    assert states[0] is not None
    assert states[1] is not None
    one, two = (dict(state.tensors) for state in states if state)
    assert apart(one, two) < 1e-3
    rows = [state.values["progress"]["history"] for state in states if state]
    for left, right in zip(*rows, strict=True):
        assert left["train_loss"] == pytest.approx(right["train_loss"], rel=1e-4)
        assert left["loss"] == pytest.approx(right["loss"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_processes_that_were_stopped_together_go_on_together(count: int, folders: dict[int, Path]) -> None:
    states = [latest_state(folders[count] / name / "resume") for name in ("advprop", "parts")]
    events = (folders[count] / "parts" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["steps"] for line in events if '"resume"' in line] == [STOP]
    whole, parts = (dict(state.tensors) for state in states if state)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
