"""The parts of a data set that evaluate takes, and that the test pictures of a run are looked at once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compoundnet import load
from compoundnet.data import folder, subset
from compoundnet.data.vetting import Seen, Vetting, vet
from compoundnet.recipes import Recipe
from compoundnet.schema import encode
from compoundnet.training import RunFolder
from tests.commands import Run, answer, run
from tests.test_evaluate import pictures, weights

__all__ = ["pictures", "run", "weights"]  # fixtures


@pytest.fixture
def trained(weights: Path, tmp_path: Path) -> Path:
    """The folder of a run: its weights, and what says that it is one."""
    folder = tmp_path / "run"
    facts = {"task": "multiclass", "classes": ["ant"], "images": 4, "preprocess": {"size": [32, 32]}}
    RunFolder(folder).begin(load(weights).weights.network, Recipe(), facts)
    nothing = Seen("", (), ())
    (folder / "vetted.json").write_text(json.dumps(encode(Vetting(nothing, nothing, (), ()))))
    (folder / "last").mkdir()
    for place in (folder, folder / "last"):
        shutil.copy(weights, place / "model.safetensors")
    return folder


def refused(found: tuple[int, str, str]) -> None:
    """A second look: one line, and no figure."""
    code, out, err = found
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "the test set was evaluated on 2" in err
    assert "a second look needs --again" in err


def events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_the_test_pictures_of_a_run_are_looked_at_once(run: Run, trained: Path, pictures: Path) -> None:
    argv = ["evaluate", str(trained), "--data", str(pictures), "--split", "test"]
    code, out, err = run(*argv)
    assert (code, err) == (0, f"compoundnet: {trained}: look 1 at the test set, noted in test.json\n")
    assert "small on 8 pictures" in out
    for model in (trained, trained / "model.safetensors", trained / "last", trained / "last" / "model.safetensors"):
        refused(run("evaluate", str(model), *argv[2:]))
    found = json.loads(run(*argv, "--again", "--json")[1])
    looks = [{key: event[key] for key in ("event", "look", "again", "n", "top1")} for event in events(trained)]
    assert looks == [
        {"event": "test", "look": look, "again": again, "n": 8, "top1": found["top1"]}
        for look, again in ((1, False), (2, True))
    ]
    assert len(json.loads((trained / "test.json").read_text())) == 2


def test_a_look_is_noted_whatever_the_weights_are_called(
    run: Run, trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["--data", str(pictures), "--split", "test"]
    (tmp_path / "newest").symlink_to(trained / "last")
    monkeypatch.chdir(trained / "last")
    code, _, err = run("evaluate", "model.safetensors", *argv)
    assert (code, err.count("look 1 at the test set")) == (0, 1)
    for name in ("model.safetensors", ".", "..", "../model.safetensors", str(tmp_path / "newest")):
        refused(run("evaluate", name, *argv))
    assert [*(trained / "last").iterdir()] == [trained / "last" / "model.safetensors"]


def test_weights_that_are_a_link_to_another_disk_are_their_runs(run: Run, trained: Path, pictures: Path) -> None:
    (trained / "model.safetensors").replace(trained.parent / "large.safetensors")
    (trained / "model.safetensors").symlink_to(trained.parent / "large.safetensors")
    argv = ["--data", str(pictures), "--split", "test"]
    assert run("evaluate", str(trained / "model.safetensors"), *argv)[0] == 0
    refused(run("evaluate", str(trained), *argv))


@pytest.mark.parametrize("inner", ["", "last", "weights"])
def test_the_folder_of_a_stranger_stays_as_it_is(
    run: Run, weights: Path, pictures: Path, tmp_path: Path, inner: str
) -> None:
    folder = tmp_path / "mine"
    (folder / inner).mkdir(parents=True)
    shutil.copy(weights, folder / inner / "model.safetensors")
    for name in ("recipe.json", "network.json", "run.json", "report.json"):
        (folder / name).write_text('{"task": "dinner", "version": 1}')
    (folder / "test.json").write_text("[1, 2]")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for _ in range(2):
        model = str(folder / inner / "model.safetensors")
        code, _, err = run("evaluate", model, "--data", str(pictures), "--split", "test")
        assert (code, err) == (0, "")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_weights_below_a_run_but_not_in_its_last_are_none_of_its(
    run: Run, trained: Path, weights: Path, pictures: Path
) -> None:
    (trained / "others").mkdir()
    shutil.copy(weights, trained / "others" / "model.safetensors")
    model = str(trained / "others" / "model.safetensors")
    assert run("evaluate", model, "--data", str(pictures), "--split", "test")[0] == 0
    assert not (trained / "test.json").exists()


@pytest.mark.slow
def test_other_parts_and_other_weights_claim_nothing(run: Run, trained: Path, weights: Path, pictures: Path) -> None:
    for _ in range(2):
        assert run("evaluate", str(trained), "--data", str(pictures), "--split", "validation")[0] == 0
        assert run("evaluate", str(trained), "--data", str(pictures))[0] == 0
        assert run("evaluate", str(weights), "--data", str(pictures), "--split", "test")[0] == 0
    assert not (trained / "test.json").exists()
    for argv in (["--again"], ["--split", "train", "--again"]):
        code, out, err = run("evaluate", str(trained), "--data", str(pictures), *argv)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "--again: goes with --split test and the folder of a run" in err


def test_what_ended_before_there_were_figures_was_no_look(
    run: Run, trained: Path, pictures: Path, tmp_path: Path
) -> None:
    argv = ["evaluate", str(trained), "--split", "test", "--data"]
    assert run(*argv, str(tmp_path / "none"))[0] == 2
    assert run(*argv, str(pictures), "--engine", "warp")[0] == 2
    assert not (trained / "test.json").exists()
    out = tmp_path / "figures.json"
    assert run(*argv, str(pictures), "--out", str(out))[0] == 0
    assert json.loads(out.read_text())["n"] == 8
    out.unlink()
    assert run(*argv, str(pictures), "--out", str(out))[0] == 2
    assert not out.exists()


FULL = """
import resource, sys
from compoundnet.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_disk_without_room_for_the_figures_uses_up_no_look(
    run: Run, trained: Path, pictures: Path, tmp_path: Path
) -> None:
    """A limit on the size of files stands in for the disk: scores fit, figures do not."""
    out = tmp_path / "figures.json"
    argv = ["evaluate", str(trained), "--split", "test", "--data", str(pictures), "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", FULL, *argv], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert "File too large" in done.stderr
    assert not out.exists()
    assert not (trained / "test.json").exists()
    assert not (trained / "events.jsonl").exists()
    assert run(*argv)[0] == 0
    assert len(out.read_bytes()) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_figures_that_nobody_could_read_use_up_no_look(
    run: Run, trained: Path, pictures: Path, form: list[str]
) -> None:
    argv = ["evaluate", str(trained), "--split", "test", "--data", str(pictures), *form]
    gone, pipe = os.pipe()
    os.close(gone)
    script = "import sys; from compoundnet.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, *argv], stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(pipe)
    assert (done.returncode, "the figures could not be shown; this was no look" in done.stderr) == (141, True)
    assert not (trained / "test.json").exists()
    assert run(*argv)[0] == 0
    refused(run(*argv))
    assert [event["event"] for event in events(trained)] == ["test", "test_withdrawn", "test"]
    folder = RunFolder(trained)
    times = json.loads((trained / "test.json").read_text())
    folder.claim_test(again=True)
    folder.withdraw_test()
    assert json.loads((trained / "test.json").read_text()) == times


def test_a_look_outlives_a_resumption_and_damaged_notes_count_as_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.log("start")
    size = folder.logged()
    folder.log("epoch", epoch=1)
    folder.claim_test(n=8)
    folder.log("epoch", epoch=2)
    folder.forget_after(size)
    assert [event["event"] for event in events(tmp_path)] == ["start", "test"]
    folder.forget_after(size)
    assert [event["event"] for event in events(tmp_path)] == ["start", "test"]
    for damaged in ('"once"', "[17", "{}"):
        (tmp_path / "test.json").write_text(damaged)
        with pytest.raises(ValueError, match="no list of times; the test set counts as evaluated"):
            folder.claim_test(again=True)


def test_a_look_outlives_a_line_that_a_kill_cut_short_before_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.log("start")
    size = folder.logged()
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "epo')
    folder.claim_test(n=8)
    assert (tmp_path / "events.jsonl").read_text().splitlines()[1] == '{"event": "epo'
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"time": 1, "event": "test", "look": 2}\n{"event": "tes')  # as another writer has its keys
    folder.forget_after(size)
    assert [(event["event"], event.get("look")) for event in events(tmp_path)] == [
        ("start", None),
        ("test", 1),
        ("test", 2),
    ]
    folder.log("resume")
    assert [event["event"] for event in events(tmp_path)] == ["start", "test", "test", "resume"]


def test_pictures_that_a_run_has_seen_do_not_test_it(run: Run, trained: Path, pictures: Path, tmp_path: Path) -> None:
    examples = folder(pictures)
    dogs, bees = (subset(examples, np.flatnonzero(examples.labels == label).tolist()) for label in (1, 0))
    (trained / "vetted.json").write_text(json.dumps(encode(vet(dogs, bees))))
    renamed = tmp_path / "renamed"
    for name in ("dog", "bee"):
        shutil.copytree(pictures / name, renamed / name)
        for path in (renamed / name).iterdir():
            path.rename(path.with_name(f"copy {path.name}"))
    for data in (pictures, renamed):
        code, out, err = run("evaluate", str(trained), "--data", str(data), "--split", "test")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "8 of 8 pictures trained it or judged it, such as bee/" in err
    assert not (trained / "test.json").exists()
    assert run("evaluate", str(trained), "--data", str(pictures))[0] == 0
    for path in renamed.rglob("*.png"):
        if path.name != "copy 0.png":
            Image.new("RGB", (40, 40), (len(path.name), int(path.stem[-1]), 9)).save(path)
    code, _, err = run("evaluate", str(trained), "--data", str(renamed), "--split", "test")
    assert (code, err.count("look 1 at the test set")) == (0, 1)
    assert f"warning: {trained}: 2 of 8 pictures trained it or judged it, such as bee/copy 0.png; the figures" in err


def test_of_a_run_that_did_not_look_at_its_pictures_nobody_can_say(run: Run, trained: Path, pictures: Path) -> None:
    (trained / "vetted.json").write_text("{}")
    code, _, err = run("evaluate", str(trained), "--data", str(pictures), "--split", "test")
    assert (code, err) == (2, f"compoundnet: error: {trained / 'vetted.json'}: malformed; remove it\n")
    (trained / "vetted.json").unlink()
    code, _, err = run("evaluate", str(trained), "--data", str(pictures), "--split", "test")
    assert (code, err.splitlines()[0]) == (
        0,
        f"compoundnet: warning: {trained}: no vetted.json, so nobody can say whether these pictures trained it or "
        "judged it",
    )


def test_split_takes_a_part_of_the_data_under_any_of_its_names(
    run: Run, weights: Path, pictures: Path, tmp_path: Path
) -> None:
    for part, name in (("train", "bee"), ("valid", "dog")):
        shutil.copytree(pictures / name, tmp_path / part / name)
    argv = ["evaluate", str(weights), "--data", str(tmp_path), "--json"]
    assert answer(run, *argv, "--split", "train")["n"] == 3
    assert answer(run, *argv, "--split", "validation")["n"] == 5
    code, out, err = run(*argv, "--split", "test")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "holds train and validation but no test pictures; name data that has them" in err
    code, _, err = run(*argv)
    assert (code, err.count("\n")) == (2, 1)
    assert "has the parts train and validation; say which with --split" in err


@pytest.mark.usefixtures("clothes")
def test_a_data_set_of_two_parts_asks_which(run: Run, weights: Path) -> None:
    code, _, err = run("evaluate", str(weights), "--data", "fashion_mnist")
    assert (code, err.count("\n")) == (2, 1)
    assert "say which with --split" in err
