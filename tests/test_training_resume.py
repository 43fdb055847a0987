"""A run that was stopped, killed or could not write ends with the same bits as one that was not."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.fashion import epochs_of
from safetensors.torch import load_file

from compoundnet.recipes import AdvProp, Recipe
from compoundnet.training import Host, Interrupted, RunFolder, TrainingError, train
from compoundnet.training.state import State, latest_state, write_state

from .training import NETWORK, PREPROCESS, examples, recipe

TRAIN, VALIDATION = examples(96), examples(32, seed=1)
WALL_CLOCK = ("images_per_s", "seconds")


def run(folder: Path, given: Recipe, **options: Any) -> Any:
    return train(NETWORK, given, TRAIN, VALIDATION, folder, preprocess=PREPROCESS, **options)


def outcome(folder: Path) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]], dict[str, torch.Tensor]]:
    """The whole last state, the rows without their times, and the weights for people."""
    state = latest_state(folder / "resume")
    assert state is not None
    rows = [{k: v for k, v in row.items() if k not in WALL_CLOCK} for row in state.values["progress"]["history"]]
    return dict(state.tensors), rows, load_file(folder / "model.safetensors")


def assert_same(one: Path, other: Path) -> None:
    (a, rows, best), (b, others, bests) = outcome(one), outcome(other)
    assert rows == others
    for left, right in ((a, b), (best, bests)):
        assert left.keys() == right.keys()
        assert all(torch.equal(left[name], right[name]) for name in left)
    logged = [
        json.loads(line)["steps"] for line in (other / "events.jsonl").read_text().splitlines() if "epoch" in line
    ]
    assert logged == [row["steps"] for row in rows]


RECIPES = {
    "sgd": recipe(),
    "rmsprop, accumulated": recipe(
        accumulate=2, epochs=2.5, optimizer=recipe().optimizer.__class__(rate=0.01, per=16, warmup_epochs=0.5)
    ),
    "adamw, mixed": recipe(
        optimizer=recipe().optimizer.__class__(name="adamw", rate=0.01, per=16, warmup_epochs=0),
        augment=recipe().augment.__class__(least_area=1.0, mixup=0.2, cutmix=1.0),
        patience=2,
    ),
    "advprop": recipe(advprop=AdvProp(steps=2), epochs=2),
    "bfloat16, no average": recipe(precision="bfloat16", ema_decay=None),
}


@pytest.mark.some(2)
@pytest.mark.parametrize("name", RECIPES)
def test_resume_equals_uninterrupted(name: str, tmp_path: Path) -> None:
    run(tmp_path / "whole", RECIPES[name])
    for at in (3, 9):  # in the middle of the first and of the second epoch
        with pytest.raises(Interrupted, match=rf"step {at} of \d+ is saved; go on with .* --resume"):
            run(tmp_path / "parts", RECIPES[name], resume=at > 3, on_progress=interrupting(at))
    run(tmp_path / "parts", RECIPES[name], resume=True)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def interrupting(step: int) -> Any:
    """Ctrl-C when a step is done."""

    def on_progress(done: int, total: int) -> None:
        if done == step:
            signal.raise_signal(signal.SIGINT)

    return on_progress


def test_progress_counts_the_steps_of_the_whole_run(tmp_path: Path) -> None:
    counts: list[tuple[int, int]] = []

    def count(done: int, total: int) -> None:
        counts.append((done, total))

    with pytest.raises(Interrupted):
        run(tmp_path / "run", recipe(), on_progress=interrupting(3))
    run(tmp_path / "run", recipe(), resume=True, on_progress=count)
    assert counts == [(done, 18) for done in range(3, 19)]


def test_what_is_asked_for_during_the_last_step_of_an_epoch_happens_after_its_validation(tmp_path: Path) -> None:
    run(tmp_path / "whole", recipe())
    with pytest.raises(Interrupted, match="step 6 of 18 is saved"):
        run(tmp_path / "parts", recipe(), on_progress=interrupting(6))
    assert [row["steps"] for row in outcome(tmp_path / "parts")[1]] == [6]
    run(tmp_path / "parts", recipe(), resume=True)
    assert_same(tmp_path / "whole", tmp_path / "parts")


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    done = run(tmp_path / "run", recipe(epochs=1))
    before = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    again = run(tmp_path / "run", recipe(epochs=1), resume=True, on_progress=never)
    assert again == done
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == before


def never(done: int, total: int) -> None:
    pytest.fail("trained")


def test_random_states_outside_are_left_as_they_were(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run(tmp_path / "run", recipe(epochs=1))
    assert torch.equal(torch.get_rng_state(), before)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


# Killed


CODE = """
import sys
from pathlib import Path
from tests.test_training_resume import run
from tests.training import recipe
from compoundnet.training import Host
run(Path(sys.argv[1]), recipe(epochs=5), resume=sys.argv[2] == "resume", host=Host(save_steps=2))
print("finished")
"""


def started(folder: Path, resume: bool) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, str(folder), "resume" if resume else "begin"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)


@pytest.mark.slow
def test_a_run_that_is_killed_at_random_moments_ends_as_if_it_never_was(tmp_path: Path) -> None:
    """SIGKILL while it trains and while it writes: the states are written every other step, and take their time."""
    run(tmp_path / "whole", recipe(epochs=5))
    moments, kills, folder = random.Random(0), 0, tmp_path / "parts"
    for _ in range(40):
        process = started(folder, resume=(folder / "recipe.json").exists())
        newest = (folder / "resume").stat().st_mtime_ns if (folder / "resume").exists() else 0
        while process.poll() is None and not (
            (folder / "resume").exists() and (folder / "resume").stat().st_mtime_ns != newest
        ):
            time.sleep(0.001)
        time.sleep(moments.random() * 0.08)
        if process.poll() is None:
            process.kill()
            kills += 1
        out, _ = process.communicate()
        if "finished" in out:
            break
        latest_state(folder / "resume")  # never half a file
    assert "finished" in out
    assert kills >= 4
    assert_same(tmp_path / "whole", folder)


WRITE = """
import sys, time
from pathlib import Path
import torch
from benchmarks.fashion import epochs_of
from compoundnet.training.state import State, write_state
for k in range(1, 10000):
    write_state(Path(sys.argv[1]), State(k, {"x": torch.full((400_000,), float(k))}, {}))
    print(k, flush=True)
"""


def test_a_write_that_is_killed_leaves_the_states_before_it(tmp_path: Path) -> None:
    part = tmp_path / "writing.part"
    for _ in range(20):  # nearly always once: the kill comes while the file that was seen is written
        process = subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        while not part.exists():
            time.sleep(0.0001)
        process.kill()
        process.communicate()
        if part.exists():
            break
    assert part.exists()
    found = latest_state(tmp_path)
    assert found is not None
    assert torch.equal(found.tensors["x"], torch.full((400_000,), float(found.steps)))
    write_state(tmp_path, state(20_000))
    assert not part.exists()


# States


def state(steps: int) -> State:
    return State(steps, {"x": torch.full((1000,), float(steps))}, {"progress": {}})


def test_a_damaged_state_is_passed_over_and_two_are_kept(tmp_path: Path) -> None:
    for steps in (1, 2, 3):
        newest = write_state(tmp_path, state(steps))
    assert len(list(tmp_path.iterdir())) == 2
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    found = latest_state(tmp_path)
    assert found is not None
    assert found.steps == 2
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainingError, match="2 saved states, all damaged; train into another folder"):
        latest_state(tmp_path)


FULL = """
import resource, sys
from pathlib import Path
from tests.test_training_resume import state
from compoundnet.training.state import TrainingError, write_state
folder = Path(sys.argv[1])
write_state(folder, state(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_state(folder, state(2))
except TrainingError as error:
    print(error)
"""


def test_a_disk_without_room_for_the_first_state_says_what_is_not_refused_afterwards(tmp_path: Path) -> None:
    script = FULL.replace("write_state(folder, state(1))\n", "")
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    assert "; no step is kept: free some space and go on with --resume, which begins at the first step" in done.stdout
    assert latest_state(tmp_path) is None


def test_a_disk_without_room_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: the same failing write."""
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    assert "step 2 could not be saved (" in done.stdout
    assert "step 1 is kept: free some space and go on with --resume" in done.stdout
    assert done.stdout.count("\n") == 1
    found = latest_state(tmp_path)
    assert found is not None
    assert found.steps == 1
    assert len(list(tmp_path.iterdir())) == 1


# Folders


def test_a_folder_is_begun_once_and_goes_on_as_the_same_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(TrainingError, match=r"no run to go on with, network.json is missing; leave out --resume"):
        run(folder, recipe(), resume=True)
    with pytest.raises(Interrupted):
        run(folder, recipe(), on_progress=interrupting(2))
    assert RunFolder(folder).is_run()
    assert not RunFolder(tmp_path).is_run()
    with pytest.raises(TrainingError, match="holds a run already; go on with --resume, or name another folder"):
        run(folder, recipe())
    with pytest.raises(
        TrainingError, match=r"recipe.json differs: epochs is 3.* there, 4.* here; give --set epochs=3.* as before"
    ):
        run(folder, recipe(epochs=4), resume=True)
    other = NETWORK.__class__.from_dict({**NETWORK.to_dict(), "norm_eps": 1e-5})
    with pytest.raises(TrainingError, match=r"network.json differs: norm_eps is 0.001 there, 1e-05 here"):
        train(other, recipe(), TRAIN, VALIDATION, folder, preprocess=PREPROCESS, resume=True)
    went_on = {"preprocess": PREPROCESS, "resume": True}
    moved = replace(TRAIN, labels=np.roll(TRAIN.labels, 1))
    with pytest.raises(
        TrainingError, match=r"run: cannot go on, labels of the training pictures changed; give the same"
    ):
        train(NETWORK, recipe(), moved, VALIDATION, folder, **went_on)
    with pytest.raises(TrainingError, match="cannot go on, the training pictures changed; give the same"):
        train(NETWORK, recipe(), replace(TRAIN, pixels=TRAIN.pixels[::-1]), VALIDATION, folder, **went_on)
    for judges in (None, examples(32, seed=2)):
        with pytest.raises(TrainingError, match="cannot go on, the pictures that judge changed; give the same"):
            train(NETWORK, recipe(), TRAIN, judges, folder, **went_on)
    threads = torch.get_num_threads()
    with pytest.raises(
        TrainingError, match=f"{threads} threads there, {threads + 1} here; go on with --threads {threads}"
    ):
        run(folder, recipe(), resume=True, host=Host(threads=threads + 1))
    run(folder, recipe(), resume=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(TrainingError, match="is not an empty folder; name another one"):
        run(tmp_path / "photos", recipe())


def test_the_test_set_is_looked_at_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.claim_test() == 0
    with pytest.raises(
        TrainingError, match=r"the test set was evaluated on \d{4}-\d\d-\d\d; a second look needs --again"
    ):
        folder.claim_test()
    assert folder.claim_test(again=True) == 1


def test_another_thread_trains_without_signals(tmp_path: Path) -> None:
    thread = threading.Thread(target=run, args=(tmp_path / "run", recipe(epochs=1)), kwargs={"host": Host(threads=1)})
    thread.start()
    thread.join()
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_record_is_made_of_events_whose_last_line_a_kill_cut_short(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.log("start")
    folder.log("epoch", epoch=1, top1=0.5)
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "epo')
    assert [row["epoch"] for row in epochs_of(folder)] == [1]
