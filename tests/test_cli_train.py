"""compoundnet train: a folder of pictures to weights, and one clear line for every mistake."""

import contextlib
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compoundnet import load
from compoundnet.cli import main
from compoundnet.cli.settings import changed
from compoundnet.cli.training import stopping
from compoundnet.cli.vetting import announced
from compoundnet.data import for_training
from compoundnet.recipes import Recipe, entry
from compoundnet.signals import stop_on_signal
from compoundnet.training import RunFolder
from compoundnet.training.state import latest_state
from compoundnet.weights.places import are_same

from .training import NETWORK, examples

SET = "epochs=2,batch=16,optimizer.rate=0.05,optimizer.per=16,optimizer.warmup_epochs=0.5"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network's JSON and a folder of 64 pictures in four classes."""
    root = tmp_path_factory.mktemp("given")
    (root / "net.json").write_text(json.dumps({**NETWORK.to_dict(), "classes": 1000}))
    data = examples(64)
    for k, label in enumerate(data.labels):
        folder = root / "data" / ("left", "right", "low", "high")[label]
        folder.mkdir(parents=True, exist_ok=True)
        data.image(k).save(folder / f"{k}.png")
    return root


def command(given: Path, out: Path, *more: str) -> list[str]:
    return ["train", str(given / "net.json"), "--data", str(given / "data"), "--out", str(out), *more]


def test_a_folder_becomes_weights(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([*command(given, tmp_path / "run", "--recipe", "small", "--set", SET, "--json", "--seed", "3")])
    out, err = capsys.readouterr()
    assert (code, err.splitlines()[0]) == (
        0,
        f"compoundnet: {given / 'net.json'}: 4 classes, as the data has, instead of 1,000",
    )
    assert "judged and used, a picture is seen as 16 x 16 pixels, crop then resize, crop 1, bicubic, mean" in err
    found = json.loads(out)
    assert found["epochs"] == 2
    assert found["last"]["steps"] == 2 * (58 // 16)
    pretrained = load(found["model"])
    assert pretrained.weights.classes == ("high", "left", "low", "right")
    assert found["best"]["top1"] == pretrained.weights.metrics["validation_top1"]
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["seed"] == 3
    assert main([*command(given, tmp_path / "run", "--recipe", "small", "--set", SET, "--seed", "3", "--resume")]) == 0
    assert "Top1" in capsys.readouterr().out


def test_training_goes_on_from_those_weights_and_keeps_their_classifier_for_equal_classes_only(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(given, tmp_path / "one", "--recipe", "small", "--set", SET)]) == 0
    weights = str(tmp_path / "one" / "model.safetensors")
    words = ["--recipe", "small", "--set", SET, "--pretrained", weights]
    capsys.readouterr()
    assert main([*command(given, tmp_path / "two", *words)]) == 0
    assert f"{weights}: its classifier goes on: its classes are the data's\n" in capsys.readouterr().err
    shutil.copytree(given / "data", tmp_path / "data")
    (tmp_path / "data" / "low").rename(tmp_path / "data" / "up")
    assert main([*command(given, tmp_path / "three", *words), "--data", str(tmp_path / "data")]) == 0
    err = capsys.readouterr().err
    assert f"{weights}: a fresh classifier, at zero: its classes (['high', 'left', 'low', 'right']) are not the" in err
    assert "'up'" in err


def test_only_equal_classes_in_the_same_order_keep_a_classifier() -> None:
    weights = load("efficientnet_lite0").weights
    ids = [f"n{number:08}" for number in range(1000)]
    assert are_same(weights.classes, weights)
    assert are_same(ids, weights), "ImageNet's folders are its classes"
    assert not are_same(ids[::-1], weights)
    assert not are_same(weights.classes[::-1], weights)
    assert not are_same([str(number) for number in range(1000)], weights)
    assert not are_same(weights.classes, replace(weights, classes=()))


def test_the_side_is_that_of_the_network_also_with_weights_of_another(given: Path, tmp_path: Path) -> None:
    assert main([*command(given, tmp_path / "one", "--recipe", "small", "--set", SET)]) == 0
    larger = json.loads((given / "net.json").read_text()) | {"resolution": 24}
    (tmp_path / "larger.json").write_text(json.dumps(larger))
    weights = str(tmp_path / "one" / "model.safetensors")
    words = ["train", str(tmp_path / "larger.json"), "--data", str(given / "data"), "--out", str(tmp_path / "two")]
    assert main([*words, "--recipe", "small", "--set", SET, "--pretrained", weights]) == 0
    found = load(tmp_path / "two" / "model.safetensors").weights
    assert (found.network.resolution, found.preprocess.size) == (24, (24, 24))
    rows = (tmp_path / "two" / "metrics.csv").read_text().splitlines()
    assert rows[1].split(",")[rows[0].split(",").index("side")] == "24"


def test_a_run_goes_on_with_the_files_it_began_with(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(given / "data", tmp_path / "data")
    words = [*command(given, tmp_path / "run", "--recipe", "small", "--set", SET), "--data", str(tmp_path / "data")]
    assert main(words) == 0
    assert main([*words, "--resume"]) == 0
    assert main([*command(given, tmp_path / "run"), "--data", str(tmp_path / "data"), "--resume"]) == 0
    capsys.readouterr()
    assert main([*command(given, tmp_path / "run", "--recipe", "small"), "--resume"]) == 2
    assert "give --set epochs=2.0 as before, or neither --recipe nor --set, or name" in capsys.readouterr().err
    shutil.copytree(tmp_path / "data", tmp_path / "moved")
    again = [*command(given, tmp_path / "run"), "--data", str(tmp_path / "moved"), "--resume"]
    assert main(again) == 0
    said = f"{tmp_path / 'run'}: goes on with {tmp_path / 'moved'}, and began with data called data"
    assert said in capsys.readouterr().err
    name = for_training(str(tmp_path / "moved")).train.name(0)
    Image.new("RGB", (16, 16)).save(tmp_path / "moved" / name)
    assert main(again) == 2
    other = f"cannot go on, 1 of 58 pictures are other files than it began with, such as {name}; give --data"
    assert other in capsys.readouterr().err
    for path in list((tmp_path / "data" / "left").iterdir()):
        path.rename(path.with_name(f"new{path.name}"))
    capsys.readouterr()
    assert main([*words, "--resume"]) == 2
    assert "cannot go on, the names or the order of the training pictures changed" in capsys.readouterr().err


def test_a_run_that_goes_on_says_where(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def stopping(things: str, *, silent: bool = False) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, total: signal.raise_signal(signal.SIGINT)

    words = command(given, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr("compoundnet.cli.training.progress", stopping)
        assert main([*words, "--recipe", "small", "--set", SET]) == 130
    assert main([*words, "--resume"]) == 0
    assert f"{tmp_path / 'run'}: goes on after step 1 of 6\n" in capsys.readouterr().err


@pytest.mark.slow
def test_of_two_processes_one_speaks(given: Path, tmp_path: Path) -> None:
    words = command(given, tmp_path / "run", "--recipe", "small", "--set", SET, "--devices", "2", "--json")
    script = str(Path(sys.executable).with_name("compoundnet"))
    done = subprocess.run([script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout)["epochs"] == 2


@pytest.mark.slow
def test_ctrl_c_saves_and_says_how_to_go_on(given: Path, tmp_path: Path) -> None:
    words = command(given, tmp_path / "run", "--recipe", "small", "--set", SET.replace("epochs=2", "epochs=900"))
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("compoundnet")), *words], stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "run" / "metrics.csv").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    state = latest_state(tmp_path / "run" / "resume")
    assert state is not None
    assert err.splitlines()[-1] == (
        f"compoundnet: {tmp_path / 'run'}: stopped; step {state.steps} of 2700 is saved; "
        "go on with the same command and --resume"
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("epoch=3", "--set: a recipe has no 'epoch'; did you mean epochs?"),
        ("optimizer.rat=3", "--set: a recipe has no 'optimizer.rat'; did you mean optimizer.rate"),
        ("optimiser.rate=3", "--set: a recipe has no 'optimiser.rate'; did you mean optimizer.rate?"),
        ("rate=0.1", "--set: a recipe has no 'rate'; did you mean optimizer.rate?"),
        (
            "epochs=1",
            "--set: optimizer.warmup_epochs: 5 of 1 epochs; add optimizer.warmup_epochs=0, or give more epochs",
        ),
        ("advprop.steps=3", "--set: a recipe has no 'advprop.steps'; advprop is None; add advprop={} before it"),
        ("epochs.rate=3", "--set: a recipe has no 'epochs.rate'"),
        ("epochs", "--set: 'epochs' is not PATH=VALUE, such as epochs=10"),
        ("epochs=many", "--set: epochs: expected a number, got 'many'"),
        ("batch=0", "--set: batch: 0 is not a whole number of at least 1"),
    ],
)
def test_an_impossible_setting_is_one_line(settings: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        changed(Recipe(), settings)
    assert str(caught.value).startswith(problem)


def test_settings_reach_every_part_of_a_recipe() -> None:
    found = changed(entry("small").recipe, "epochs=3,optimizer.name=adamw,ema_decay=None,advprop={}")
    assert (found.epochs, found.optimizer.name, found.ema_decay) == (3, "adamw", None)
    assert found.advprop is not None
    assert changed(found, "") == found


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--epochs", "0"], "unknown argument --epochs; the recipe has that: --set epochs="),
        (["--epochs=3"], "unknown argument --epochs=3; the recipe has that: --set epochs=3"),
        (["--batch", "32"], "--batch: expected one of 'auto', got '32'; the recipe has that: --set batch=32"),
        (["--rate", "0.1"], "--set optimizer.rate="),
        (["--recip", "small"], "unknown argument --recip; did you mean --recipe"),
    ],
)
def test_a_setting_that_is_given_as_an_option_is_told_its_path(
    words: list[str], problem: str, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(given, tmp_path / "run"), "--recipe", "small", *words]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--recipe", "smal", "--data", "x"], "smal"),
        (["--recipe", "small", "--data", "/no/such"], "/no/such: no such folder; expected one sub-folder"),
        (["--recipe", "small", "--set", "batch=512"], "batch: 512 is more than the 58 training images"),
        (["--recipe", "small", "--set", SET, "--seed=-1"], "seed: -1 is not a whole number of at least 0"),
        (
            ["--recipe", "small", "--set", "augment.policy=randaugment,augment.magnitude=31", "--workers", "1"],
            "--set: augment.magnitude: 31.0 is not a magnitude from 0 to 30",
        ),
        (["--recipe", "small", "--devices", "0"], "devices: 0 is not a whole number"),
        (["--recipe", "small", "--set", SET, "--resume"], "no run to go on with, network.json is missing; leave out"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    words: list[str], problem: str, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command(given, tmp_path / "run"), *words]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("compoundnet: error: ")
    assert problem in last
    assert not (tmp_path / "run").exists()


def test_mistakes_of_the_options_are_named_together_and_before_the_data_are_read(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    words = ["--recipe", "small", "--set", "batch=0", "--workers", "-1", "--data", "/no/such"]
    assert main([*command(given, tmp_path / "run"), *words]) == 2
    folder = f"{tmp_path / 'run'}: is not an empty folder; name another one"
    batch = "--set: batch: 0 is not a whole number of at least 1"
    assert capsys.readouterr().err == f"compoundnet: error: {folder}; and {batch}; and workers: -1 is below 0\n"


class Interrupted(io.StringIO):
    """Standard input that a network is read from when Ctrl-C comes."""

    def __init__(self, number: signal.Signals = signal.SIGINT) -> None:
        super().__init__()
        self.number = number

    def read(self, size: int | None = -1) -> str:
        signal.raise_signal(self.number)
        return ""


def test_ctrl_c_before_the_first_step_says_what_was_written_and_what_goes_on(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Interrupted())
    out = tmp_path / "run"
    words = ["train", "-", "--data", str(given / "data"), "--out", str(out), "--recipe", "small"]

    def said(*more: str) -> str:
        assert main([*words, *more]) == 130
        return capsys.readouterr().err

    assert said() == f"compoundnet: {out}: interrupted before anything was written; the same command begins again\n"
    assert not out.exists()
    facts = {"task": "multiclass", "classes": ["a", "b"], "images": 4, "preprocess": {"size": [32, 32]}}
    RunFolder(out).begin(NETWORK, Recipe(), facts)
    assert said() == f"compoundnet: {out}: interrupted; the run is begun; go on with the same command and --resume\n"
    again = f"compoundnet: {out}: interrupted; what was saved is there; go on with the same command\n"
    assert said("--resume") == again
    monkeypatch.setattr("sys.stdin", Interrupted(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert said("--resume") == again
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_long_look_at_the_pictures_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.9, 2.1, 9.0])
    counts: list[int] = []
    called = announced(lambda done, total: counts.append(done), clock=lambda: next(times))
    for done in (1, 2, 3):
        called(done, 1000)
    assert capsys.readouterr().err == (
        "compoundnet: looking at 1,000 pictures first, for damaged ones and copies; "
        "--unchecked trains without looking\n"
    )
    assert counts == [1, 2, 3]


def test_what_a_signal_asks_for_is_said_at_once_and_once(capfd: pytest.CaptureFixture[str]) -> None:
    with stop_on_signal(stopping) as asked:
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == "compoundnet: stopping after this step; once more stops at once\n"


def test_labels_of_a_run_are_those_of_its_folders(given: Path) -> None:
    found = for_training(str(given / "data"))
    assert (len(found.train), len(found.validation)) == (58, 6)
    assert found.train.classes == found.validation.classes
    assert np.bincount(found.train.labels).min() >= 1
    assert len(for_training(str(given / "data"), str(given / "data")).validation) == 64
