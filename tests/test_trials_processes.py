"""Workers as real processes: killed, stopped, skewed, and a database server that is killed under them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from compoundnet.search.trials import Limits, Study, TrialsError, launch
from compoundnet.search.trials.failing import Patience

from .postgres import Server
from .trial_jobs import SPACE, Log, Untried, job, opened, task

LAUNCH = """
import sys
from pathlib import Path
from compoundnet.search.trials import Limits, launch
from compoundnet.search.trials.failing import Patience
from tests.trial_jobs import Log, job, open_store, IDENTITY
if __name__ == "__main__":
    where, folder, seconds, trials, workers = sys.argv[1:6]
    study = open_store(where, spill=Path(folder) / "unwritten", patience=Patience(seconds=60)).study("s", IDENTITY)
    log = Log(Path(folder) / "log", float(seconds))
    options = {"limits": Limits(trials=int(trials)), "front": Path(folder) / "front.json", "beat": 1.0}
    print(launch(study, job(log), workers=int(workers), **options).why)
"""
# A script's own folder is where it looks first: it finds these tests by the path that is given to it.
FINDS_TESTS = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
SKEWED = """
import datetime, sys, time
day = datetime.timedelta(days=int(sys.argv.pop()))
class Skewed(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return super().now(tz) + day
import optuna.storages.journal._storage as storage, optuna.trial._frozen as frozen
storage.datetime = Skewed
frozen.datetime.datetime = Skewed
real = time.time
time.time = lambda: real() + day.total_seconds()
"""


def started(where: str | Path, folder: Path, *, seconds: float, trials: int, workers: int) -> subprocess.Popen[str]:
    script = folder / "launch.py"
    script.write_text(LAUNCH)
    command = [sys.executable, str(script), str(where), str(folder), str(seconds), str(trials), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=FINDS_TESTS)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=240)
    return process.returncode, out.strip(), err


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def require_each_once(study: Study, log: Log, trials: int, lost: int = 0) -> None:
    """Every trial is there, was done once, and only those that were killed were begun again."""
    study.refresh()
    assert Counter(log.lines("end")) == Counter(trial.key for trial in study.trials)
    assert len(study.trials) == trials
    assert len(log.lines("begin")) == trials + lost
    assert study.claims == []


def test_two_workers_do_each_task_once_and_the_front_is_saved(tmp_path: Path) -> None:
    study, log, front = opened(tmp_path / "journal.log"), Log(tmp_path / "log", 0.05), tmp_path / "front.json"
    found = launch(study, job(log), workers=2, limits=Limits(trials=14), front=front)
    assert (found.why, found.recorded, found.standing.done) == ("trials", 14, 14)
    require_each_once(study, log, 14)
    told = json.loads(front.read_text())
    assert (told["trials"], told["axes"], len(told["front"])) == (14, ["macs"], len(found.standing.front))
    assert {trial.worker.split(":")[1] for trial in study.trials} <= {str(pid) for pid in log.pids()}
    assert [path.name for path in tmp_path.glob("front.json.*.part")] == []


def test_a_killed_workers_trial_is_done_again_and_no_finished_one(tmp_path: Path) -> None:
    study, log = opened(tmp_path / "journal.log"), Log(tmp_path / "log", 1.0)
    process = started(tmp_path / "journal.log", tmp_path, seconds=1.0, trials=5, workers=1)
    until(lambda: log.path.exists() and len(log.lines("begin")) == 3)
    killed, before = log.pids()[-1], log.lines("end")
    os.kill(killed, signal.SIGKILL)
    code, why, err = ended(process)
    assert (code, why) == (0, "trials"), err
    assert "a worker was killed by SIGKILL; another takes its place" in err
    require_each_once(study, log, 5, lost=1)
    assert [trial.key for trial in study.trials][:2] == before
    again = [key for key, count in Counter(log.lines("begin")).items() if count == 2]
    assert again == [log.lines("begin")[2]]


@pytest.mark.slow
def test_a_search_killed_whole_goes_on(tmp_path: Path) -> None:
    """The launcher is killed too; its workers notice and end."""
    study, log = opened(tmp_path / "journal.log"), Log(tmp_path / "log", 0.5)
    process = started(tmp_path / "journal.log", tmp_path, seconds=0.5, trials=12, workers=2)
    until(lambda: len(log.lines("end")) >= 4)
    process.send_signal(signal.SIGKILL)
    ended(process)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in log.pids()))
    done = len(log.lines("end"))
    study.refresh()
    assert done == len(study.trials) < 12
    code, why, err = ended(started(tmp_path / "journal.log", tmp_path, seconds=0.0, trials=12, workers=2))
    assert (code, why) == (0, "trials"), err
    require_each_once(study, log, 12)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_finishes_what_runs(tmp_path: Path, number: signal.Signals) -> None:
    study, log = opened(tmp_path / "journal.log"), Log(tmp_path / "log", 1.0)
    process = started(tmp_path / "journal.log", tmp_path, seconds=1.0, trials=50, workers=2)
    until(lambda: len(log.lines("begin")) >= 3)
    process.send_signal(number)
    code, why, err = ended(process)
    assert (code, why) == (0, "asked"), err
    assert "finishing the trials that run; Ctrl-C again ends them now" in err
    require_each_once(study, log, len(log.lines("begin")))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_and_gives_the_claims_up(tmp_path: Path, number: signal.Signals) -> None:
    study, log = opened(tmp_path / "journal.log"), Log(tmp_path / "log")
    process = started(tmp_path / "journal.log", tmp_path, seconds=600, trials=50, workers=2)
    until(lambda: len(log.lines("begin")) == 2)
    process.send_signal(number)
    assert "finishing" in (process.stderr.readline() if process.stderr else "")
    process.send_signal(number)
    code, _, _ = ended(process)
    assert code != 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in log.pids())
    study.refresh()
    assert (study.claims, study.trials) == ([], [])


@pytest.mark.slow
def test_workers_that_crash_too_often_stop_the_search(tmp_path: Path) -> None:
    keys = tuple(task(SPACE.at(index)).key for index in range(SPACE.size))
    study, log = opened(tmp_path / "journal.log"), Log(tmp_path / "log", dies_at=keys)
    with pytest.raises(TrialsError, match=r"workers crashed too often: the last one was killed by SIGKILL; is the mem"):
        launch(study, job(log), workers=1, restarts=1)
    assert len(log.lines("begin")) == 2


@pytest.mark.slow
def test_a_task_in_which_three_workers_died_is_recorded_as_failed(tmp_path: Path) -> None:
    first = task(SPACE.at(0)).key
    study, log = opened(tmp_path / "journal.log"), Log(tmp_path / "log", dies_at=(first,))
    found = launch(study, replace(job(log), strategy=Untried(first=True)), workers=1, limits=Limits(trials=1))
    assert found.why == "trials"
    assert [(trial.state, trial.why) for trial in study.trials] == [("failed", "3 workers died in it")]


@pytest.mark.slow
def test_clocks_that_differ_by_days_change_nothing(tmp_path: Path) -> None:
    journal, log = tmp_path / "journal.log", Log(tmp_path / "log", 0.3)
    script = tmp_path / "skewed.py"
    script.write_text(
        SKEWED
        + LAUNCH.replace(
            "launch(study, job(log), workers=int(workers),", "work(study, job(log), rank=day.days,"
        ).replace("import Limits, launch", "import Limits, work")
    )
    command = [sys.executable, str(script), str(journal), str(tmp_path), "0.3", "12", "1"]
    both = [
        subprocess.Popen([*command, days], stderr=subprocess.PIPE, text=True, env=FINDS_TESTS) for days in ("-3", "3")
    ]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    require_each_once(opened(journal), log, 12)


@pytest.mark.slow
def test_a_worker_stopped_beyond_its_lease_loses_its_trial_but_not_its_work(tmp_path: Path) -> None:
    """Frozen, not dead: others take the trial over, and the one that wakes up later is dropped."""
    study, log = opened(tmp_path / "journal.log"), Log(tmp_path / "log", 3.0)
    frozen = started(tmp_path / "journal.log", tmp_path, seconds=3.0, trials=1, workers=1)
    until(lambda: len(log.lines("begin")) == 1)
    os.kill(log.pids()[0], signal.SIGSTOP)
    code, why, err = ended(started(tmp_path / "journal.log", tmp_path, seconds=0.1, trials=1, workers=1))
    assert (code, why) == (0, "trials"), err
    os.kill(log.pids()[0], signal.SIGCONT)
    code, why, err = ended(frozen)
    assert (code, why) == (0, "trials"), err
    study.refresh()
    assert len(study.trials) == 1
    assert study.trials[0].worker.split(":")[1] == str(log.pids()[1])
    assert study.claims == []


def test_a_job_that_cannot_be_sent_to_a_process_is_refused(tmp_path: Path) -> None:
    study = opened(tmp_path / "journal.log")
    local = replace(job(Log(tmp_path / "log")), task=lambda point: task(point))
    with pytest.raises(TrialsError, match="the job cannot be sent to worker processes") as raised:
        launch(study, local, workers=1)
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match="workers: 0 is not a whole number of at least 1"):
        launch(study, job(Log(tmp_path / "log")), workers=0)


def test_a_killed_database_server_loses_no_finished_trial(tmp_path: Path, database_server: Server) -> None:
    """kill -9 of the server in mid-search; it is started again, and the workers that waited go on."""
    where = database_server.database("killed")
    log = Log(tmp_path / "log", 0.5)
    process = started(where, tmp_path, seconds=0.5, trials=8, workers=2)
    until(lambda: len(log.lines("end")) >= 3)
    database_server.kill()
    before = log.lines("end")
    time.sleep(1.5)
    database_server.start()
    code, why, err = ended(process)
    assert (code, why) == (0, "trials"), err
    assert re.search(r"postgresql://postgres@127\.0\.0\.1:\d+/killed does not answer", err)
    study = opened(where, spill=tmp_path / "unwritten")
    with study.store:
        require_each_once(study, log, 8)
        assert {*before} <= {trial.key for trial in study.trials}


@pytest.mark.slow
def test_results_of_a_database_that_stays_away_are_kept_and_recorded_later(
    tmp_path: Path, database_server: Server
) -> None:
    where = database_server.database("away")
    log = Log(tmp_path / "log", 1.0)
    study = opened(where, patience=Patience(seconds=2.0), spill=tmp_path / "unwritten")
    with study.store:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH.replace("seconds=60", "seconds=2"), where, str(tmp_path), "1.0", "9", "2"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        until(lambda: len(log.lines("end")) >= 2)
        database_server.kill()
        _, err = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "this trial's result is kept in" in err
        done = log.lines("end")
        database_server.start()
        code, why, err = ended(started(where, tmp_path, seconds=0.0, trials=9, workers=1))
        assert (code, why) == (0, "trials"), err
        assert "kept from an earlier search recorded" in err
        study.refresh()
        assert {*done} <= {trial.key for trial in study.trials}
        assert max(Counter(log.lines("end")).values()) == 1
