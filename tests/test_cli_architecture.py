"""compoundnet search architecture: a network and pictures to a front, net.json, and one line for every mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compoundnet import Network, cost
from compoundnet.cli import main
from compoundnet.cli.spaces import amount, design_around
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.search import per_stage

from .searching import FINE, SMALL, given_pictures

QUICK = "epochs=1,batch=16,optimizer.per=16,optimizer.warmup_epochs=0.2"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return given_pictures(tmp_path_factory.mktemp("given"))


def command(given: Path, out: Path, *more: str, networks: str | None = None) -> list[str]:
    start = ["search", "architecture", networks or str(given / "net.json"), "--data", str(given / "data")]
    limited = ["--target", "60k", "--limit", "macs=90k,params=5k"] if "--target" not in more else []
    return [*start, "--out", str(out), "--settings", QUICK, *limited, *more]


def test_pictures_become_a_front_and_the_same_command_goes_on(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, options = tmp_path / "out", ["--divisor", "2", "--workers", "1"]
    assert main(command(given, out, "--trials", "3", *options)) == 0
    said, err = capsys.readouterr()
    assert "4 classes, as the data has, instead of 1,000" in err
    assert "has no test part: 19 of its pictures are held out as one" in err
    assert "per_stage: 6 choices, 324 points; " in err
    assert "reward accuracy x (macs / 60,000) ^ -0.07; strategy ridge, seed 0, 3 trials in all" in err
    assert "3 trials (3 finished), 3 trials by this call" in said
    assert f"the largest reward: {out / 'net.json'}" in said
    net = json.loads((out / "net.json").read_text())
    assert cost(Network.from_dict(net["network"])).macs == net["costs"]["macs"] <= 90e3
    assert net["rounding"]["divisor"] == 2
    for file in (out / "net.json", out / "front" / "01.json"):
        assert main(["cost", str(file), "--json"]) == 0
    capsys.readouterr()
    assert main(command(given, out, "--trials", "5", "--strategy", "random", *options, "--json")) == 0
    said, err = capsys.readouterr()
    report = json.loads(said)
    assert (report["recorded"], report["trials"], report["axes"]) == (2, {"finished": 5}, ["macs", "params"])
    assert "study architecture in " in err
    assert "3 trials recorded before; going on" in err
    assert main(command(given, out, "--trials", "5", "--target", "70k", *options)) == 2
    assert "holds a search with another objective; name another folder" in capsys.readouterr().err


def test_trials_that_all_diverge_are_said(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = f"{QUICK},optimizer.name=sgd,optimizer.rate=1e30,optimizer.clip_norm=null"
    assert main(command(given, tmp_path, "--workers", "1", "--trials", "2", "--settings", wild)) == 1
    out = capsys.readouterr().out
    assert "2 trials (2 diverged)" in out
    assert "no trial has an accuracy: " in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--limit", "macs=10"], "0 of 200 networks drawn are within the limits; the smallest found by descent: macs "),
        (["--limit", "mac=1M"], "--limit: 'mac=1M' is not NAME=LIMIT, such as macs=400M; did you mean macs?"),
        (["--target", "sixty"], "--target: 'sixty' is not a count"),
        (["--target", "60 k m"], "--target: '60 k m' is not a count such as 300M or 1.8G"),
        (["--target", "64MB", "--cost", "memry"], "'memry' is no cost; did you mean memory"),
        (["--target", "9ms", "--cost", "latency"], "latency is not counted; give a device"),
        (["--strategy", "rigde"], "unknown strategy 'rigde'; did you mean ridge?"),
        (["--trials", "0"], "--trials: 0 is not a whole number of at least 1"),
        (["--time", "1"], "--time: '1': the unit is missing; give one of s, m, h"),
        (["--workers", "0"], "--workers: 0 is not a whole number of at least 1"),
        (["--resolution", "40"], "has 16 pixels on its shorter side; ask for at most as many"),
        (["--pictures", "1000"], "pictures: 1,000 of"),
        (["--settings", "epoch=1"], "--settings: a recipe has no 'epoch'; did you mean epochs?"),
        (["--settings", "augment.least_area=0.1"], "crops and policies need single pictures"),
        (["--stop", "soon"], "--stop: expected one of"),
        (["--store", "mysql://host/trials"], "is no store; give a journal file, or postgresql://"),
        (["--study", " "], "is no name for a study"),
        (["--base", "tiny"], "is a network itself; --base is for per_stage and mnasnet"),
        (["--store", "postgresql://u@127.0.0.1:9/x", "--patience", "1s"], "did not answer for 1 s"),
    ],
)
def test_a_mistake_is_one_clear_line(
    more: list[str], said: str, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(given, tmp_path / "out", "--workers", "1", "--trials", "1", *more)) == 2
    err = capsys.readouterr().err
    errors = [line for line in err.splitlines() if line.startswith("compoundnet: error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert "Traceback" not in err
    assert not (tmp_path / "out" / "net.json").exists()


def test_a_space_is_named_or_read_or_made_around_a_network(tmp_path: Path) -> None:
    net, space = tmp_path / "net.json", tmp_path / "space.json"
    net.write_text(json.dumps(SMALL.to_dict()))
    around = per_stage(SMALL, rounding=Rounding(divisor=2))
    assert design_around(str(net), None, 2) == (around, FINE)
    assert design_around("per_stage", str(net), 2) == (around, FINE)
    space.write_text(json.dumps(around.to_dict()))
    assert design_around(str(space), None) == (around, RELEASED)
    assert design_around("mnasnet", None)[0].name == "mnasnet"
    with pytest.raises(ValueError, match=r"--divisor: .* says its widths"):
        design_around(str(space), None, 2)
    with pytest.raises(ValueError, match="per_stage varies a network; give it"):
        design_around("per_stage", None)
    with pytest.raises(ValueError, match="unknown network 'mnasent'"):
        design_around("mnasent", None)


def test_amounts_are_in_counts_bytes_and_seconds() -> None:
    assert [amount("macs", "1M", "x"), amount("memory", "2kB", "x"), amount("latency", "5ms", "x")] == [1e6, 2e3, 5e-3]


# --- real processes


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(given: Path, tmp_path: Path) -> Iterator[Start]:
    """Begin the command in a process of its own, by its options; none outlives the test."""
    begun: list[subprocess.Popen[str]] = []

    def start(*more: str) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "compoundnet", *command(given, tmp_path, *more)]
        begun.append(subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def front(out: Path) -> int:
    """How many trials the saved front is of."""
    file = out / "front.json"
    return json.loads(file.read_text())["trials"] if file.exists() else 0


def until(holds: Callable[[], bool], seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def children(pid: int) -> list[int]:
    """The worker processes of a search."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in text if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text()]


@pytest.mark.slow
def test_two_workers_one_of_them_killed_lose_nothing(start: Start, tmp_path: Path) -> None:
    process = start("--workers", "2", "--trials", "12", "--json")
    until(lambda: front(tmp_path) >= 2)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert "a worker was killed by SIGKILL; another takes its place" in err
    report = json.loads(out)
    assert (report["ended"], report["trials"]) == ("trials", {"finished": 12})
    assert front(tmp_path) == 12


@pytest.mark.slow
def test_ctrl_c_finishes_what_runs_and_the_same_command_goes_on(start: Start, tmp_path: Path) -> None:
    process = start("--workers", "2", "--trials", "40")
    until(lambda: front(tmp_path) >= 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 130, err
    assert "finishing the trials that run; Ctrl-C again ends them now" in err
    assert "stopped; the same command goes on with the trials that are finished" in err
    kept = front(tmp_path)
    assert 2 <= kept < 40
    assert f"{kept} trials ({kept} finished)" in out
    again = start("--workers", "1", "--trials", str(kept), "--json")
    out, err = again.communicate(timeout=900)
    assert json.loads(out)["recorded"] == 0, err


@pytest.mark.slow
def test_a_search_that_is_killed_whole_keeps_its_trials(start: Start, tmp_path: Path) -> None:
    process = start("--workers", "1", "--trials", "40")
    until(lambda: front(tmp_path) >= 3)
    process.kill()
    process.communicate()
    kept = front(tmp_path)
    again = start("--workers", "1", "--trials", str(kept + 1), "--json")
    out, err = again.communicate(timeout=900)
    assert again.returncode == 0, err
    assert json.loads(out)["recorded"] <= 1  # the last one may have been recorded just before the kill
