"""A transfer that is killed or interrupted: nothing half-written is left, and the same command goes on."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from compoundnet import load
from compoundnet.cli import main
from compoundnet.transferring.place import opened
from compoundnet.weights import Pretrained, save

from .labelled import digits, in_folders


@pytest.fixture(scope="module")
def given(parent: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of pictures and small weights that nobody trained."""
    root = tmp_path_factory.mktemp("given")
    in_folders(digits(300), root / "data")
    save(root / "parent.safetensors", parent.model, parent.weights)
    return root


def words(given: Path, out: Path) -> list[str]:
    options = ["--data", str(given / "data"), "--model", str(given / "parent.safetensors"), "--threads", "1"]
    return ["transfer", *options, "--budget", "39s", "--out", str(out)]


def stopped(given: Path, out: Path, when: Callable[[], bool], how: signal.Signals) -> tuple[int, str]:
    """The command's exit code and errors, when it gets a signal once something is there."""
    program = str(Path(sys.executable).with_name("compoundnet"))
    process = subprocess.Popen(
        [program, *words(given, out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not when():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.002)
    process.send_signal(how)
    return process.wait(60), process.communicate()[1]


def remains(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


@pytest.mark.slow
def test_a_killed_and_an_interrupted_transfer_go_on_and_leave_nothing_half_written(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    work, model = out / ".work", out / "model.safetensors"
    assert stopped(given, out, lambda: any(work.glob("pixels_*.part")), signal.SIGKILL)[0] == -signal.SIGKILL
    assert remains(out) == {".work"}
    code, err = stopped(given, out, lambda: any(work.glob("pixels_*.npy")), signal.SIGINT)
    assert code == 130
    assert err.splitlines()[-1].startswith(f"compoundnet: {out}: interrupted; ")
    assert "Traceback" not in err
    assert stopped(given, out, lambda: (work / "state.pt").exists(), signal.SIGKILL)[0] == -signal.SIGKILL
    assert load(model).weights.classes == ("digit 0", "digit 1", "digit 2")
    (out / ".report.json.1.part").write_text('{"half')  # as if it had been killed while it wrote
    trained = (work / "state.pt").stat().st_mtime_ns
    code, err = stopped(given, out, lambda: (work / "state.pt").stat().st_mtime_ns > trained, signal.SIGINT)
    assert code == 130
    assert [line for line in err.splitlines() if "about" not in line] == [  # lines of progress left out
        f"compoundnet: {out}: interrupted; the best so far is there; the same command goes on with it"
    ]
    assert remains(out) == {".work", "model.safetensors", "vetted.json"}
    assert main([*words(given, out), "--json"]) == 0
    done, said = capsys.readouterr()
    assert "going on after epoch" in said
    assert json.loads(done)["pictures"]["found"] == 300
    assert remains(out) == {"model.safetensors", "vetted.json", "report.html", "report.json"}


def test_what_was_killed_as_it_began_or_ended_is_nothing(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (begun / ".work").mkdir(parents=True)
    (begun / ".work" / ".identity.json.1.part").write_text("{")
    place = opened(begun, {"a": 1})
    assert opened(begun, {"a": 1}) == place
    (place.work / "pooled_32x32.npy").write_bytes(b"1")
    place.model.write_bytes(b"2")
    shutil.copytree(place.work, begun / ".work.over")
    shutil.rmtree(place.work)
    with pytest.raises(ValueError, match="not empty; name a new folder"):
        opened(begun, {"a": 1})
    assert remains(begun) == {"model.safetensors"}


def test_a_work_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / ".notes.part").write_text("mine")
    with pytest.raises(ValueError, match="not empty; name a new folder"):
        opened(tmp_path, {"a": 1})
    assert (tmp_path / ".work" / ".notes.part").read_text() == "mine"
