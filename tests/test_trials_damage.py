"""A journal that was hurt, a disk that is full, a database that does not answer."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.search.trials import Limits, StoreLostError, Study, TrialsError, open_store, work
from compoundnet.search.trials.damage import cut_torn_tail
from compoundnet.search.trials.failing import Patience
from compoundnet.search.trials.ledger import Claim
from compoundnet.search.trials.spilling import keep, restore

from .postgres import free_port
from .trial_jobs import IDENTITY, SHORT, SPACE, Log, job, opened, result, task


def searched(path: Path, trials: int = 3) -> Study:
    study = opened(path)
    work(study, job(Log(path.with_name("log"))), limits=Limits(trials=trials))
    return study


def said_at_opening(path: Path) -> list[str]:
    said: list[str] = []
    open_store(path, say=said.append).study("s", IDENTITY)
    return said


@pytest.mark.parametrize(
    "tail", [b'{"op_code":8,"worker_id":"a","tri', b"{", b"\0" * 300, b'{"op_code":8,"wo\n', b"\xff\n"]
)
def test_a_half_written_last_record_is_cut_off_aloud(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "journal.log"
    study = searched(path)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert said_at_opening(path) == [
        f"journal.log ended in a half-written record: {len(tail)} bytes cut off, all others are whole"
    ]
    assert path.read_bytes() == whole
    assert said_at_opening(path) == []
    assert opened(path).trials == study.trials


def test_a_record_that_was_half_written_meanwhile_does_not_spoil_the_next(tmp_path: Path) -> None:
    """Another worker died in mid-write while this one was training."""
    path = tmp_path / "journal.log"
    study = searched(path)
    with path.open("ab") as file:
        file.write(b'{"op_code":8,"wor')
    work(study, job(Log(tmp_path / "log")), limits=Limits(trials=5))
    assert len(opened(path).trials) == 5


@pytest.mark.parametrize("text", ["{}", '{"version":1}\n', "spilled coffee", '{\n "version": 1\n}', "a,b\n1,2\n", "\n"])
def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    """Its last line is no record either, and was cut off for one."""
    path = tmp_path / "net.json"
    path.write_text(text)
    with pytest.raises(TrialsError, match=r"net\.json is no journal of trials: line 1 is no record; name another file"):
        opened(path)
    assert path.read_text() == text


@pytest.mark.parametrize("place", ["file/journal.log", "file/deeper/journal.log"])
def test_a_place_that_cannot_be_written_is_not_waited_for(tmp_path: Path, place: str) -> None:
    """Sixty seconds do not make a folder of a file, nor a read-only disk one that is not."""
    (tmp_path / "file").write_text("mine")
    said: list[str] = []
    with pytest.raises(TrialsError, match=r"cannot be written \(.*\); name another file") as raised:
        open_store(tmp_path / place, patience=Patience(seconds=30), say=said.append)
    assert not isinstance(raised.value, StoreLostError)
    assert said == [], "nothing was tried again"


@given(cut=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_wherever_a_journal_is_cut_the_trials_before_are_there(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "cut"
    source = folder / "journal.log"
    if not source.exists():
        folder.mkdir()
        searched(source)
    whole = source.read_bytes()
    path = folder / "copy.log"
    path.write_bytes(whole[: cut % (len(whole) + 1)])
    lines = path.read_bytes().splitlines(keepends=True)
    cut_torn_tail(path)
    assert path.read_bytes() == b"".join(line for line in lines if line.endswith(b"\n"))
    finished = sum(json.loads(line)["op_code"] == 6 for line in path.read_bytes().splitlines())
    assert opened(path).trials == opened(source).trials[:finished]


@pytest.mark.parametrize("wrong", [b"spilled coffee\n", b"[]\n", b'{"op_code":99,"worker_id":"a"}\n', b"\n"])
def test_damage_in_the_middle_is_refused_with_its_line(tmp_path: Path, wrong: bytes) -> None:
    path = tmp_path / "journal.log"
    searched(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4:4] = [wrong]
    path.write_bytes(b"".join(lines))
    with pytest.raises(TrialsError, match=r"journal\.log: line 5 is no record; take out that line") as raised:
        opened(path)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == b"".join(lines)


def test_records_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    searched(path)
    with path.open("a") as file:
        file.write('{"op_code":4,"worker_id":"a"}\n{"op_code":4,"worker_id":"a"}\n')
    with pytest.raises(TrialsError, match="its records contradict each other"):
        opened(path)


def test_optuna_reads_the_same_file(tmp_path: Path) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    study = searched(tmp_path / "journal.log")
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    found = optuna.load_study(study_name="s", storage=storage)
    rewards = [job(Log(tmp_path / "log")).reward(trial) for trial in study.trials]
    assert [trial.value for trial in found.trials] == rewards
    assert found.best_value == max(rewards)


FULL = """
import resource, sys
from pathlib import Path
from compoundnet.search.trials import Limits, TrialsError, work
from tests.trial_jobs import Log, job, opened
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    study = opened(folder / "journal.log")
    resource.setrlimit(resource.RLIMIT_FSIZE, (25_000, 25_000))
    try:
        work(study, job(Log(folder / "log")), limits=Limits(trials=30))
    except TrialsError as error:
        sys.exit(str(error))
"""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """The system lets the process write no file beyond 25,000 bytes."""
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1
    assert re.search(r"did not answer for 1 s \(OSError: .*File too large\)", done.stderr), done.stderr
    journal = (tmp_path / "journal.log").read_bytes()
    assert len(journal) <= 25_000
    assert journal.endswith(b"\n")
    finished = Log(tmp_path / "log").lines("end")
    kept = "this trial's result is kept in" in done.stderr
    before = [trial.key for trial in opened(tmp_path / "journal.log").trials]
    assert len(before) == len(finished) - kept
    study = opened(tmp_path / "journal.log")
    work(study, job(Log(tmp_path / "log")), limits=Limits(trials=len(finished)))
    assert {trial.key for trial in study.trials} == {*finished}
    assert Log(tmp_path / "log").lines("end") == finished  # nothing was done twice


def test_a_result_that_could_not_be_written_is_written_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    study = opened(path, patience=Patience(seconds=0.2, pause=0.05))

    def evaluated(*arguments: object) -> object:
        found = Log(tmp_path / "log")(*arguments)  # pyrefly: ignore
        path.rename(tmp_path / "away.log")
        path.mkdir()  # what was a journal cannot be written any more
        return found

    broken = replace(job(Log(tmp_path / "log")), evaluate=evaluated)  # pyrefly: ignore
    with pytest.raises(StoreLostError, match=r"this trial's result is kept in .* and recorded then") as raised:
        work(study, broken, limits=Limits(trials=1))
    assert "\n" not in str(raised.value)
    path.rmdir()
    (tmp_path / "away.log").rename(path)
    other = open_store(path, patience=SHORT, say=[].append).study("other", IDENTITY)
    work(other, job(Log(tmp_path / "log2"), seed=9), limits=Limits(trials=1))
    assert len([*(tmp_path / "journal.log.unwritten").glob("*.json")]) == 1  # it is not this study's
    said: list[str] = []
    again = open_store(path, patience=SHORT, say=said.append).study("s", IDENTITY)
    work(again, job(Log(tmp_path / "log")), limits=Limits(trials=1))
    assert [trial.key for trial in again.trials] == Log(tmp_path / "log").lines("end")
    assert said == ["1 result kept from an earlier search recorded"]
    assert [*(tmp_path / "journal.log.unwritten").glob("*.json")] == []


def test_a_kept_result_is_recorded_by_whatever_path_its_journal_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, (named, moved) in enumerate([("runs/j.log", tmp_path / "runs/j.log"), ("runs/j.log", "away/j.log")]):
        study, point = opened(named), SPACE.at(number)
        claim = study.claim(task(point), point, None)
        assert isinstance(claim, Claim)
        keep(study, claim, result(task(point)), 0.5)
        if number == 1:
            (tmp_path / "runs").rename("away")
        again = opened(moved)
        assert restore(again, None) == 1
        assert again.trial(claim.key) is not None


def test_results_kept_for_others_in_the_same_folder_are_left(tmp_path: Path) -> None:
    """Results of all databases lie in one folder: who cannot read another's operators need not."""
    mine, other = (
        opened(tmp_path / "a.log", spill=tmp_path / "kept"),
        opened(tmp_path / "b.log", spill=tmp_path / "kept"),
    )
    claim = other.claim(task(SPACE.at(0)), SPACE.at(0), None)
    assert isinstance(claim, Claim)
    path = keep(other, claim, result(task(SPACE.at(0))), 0.5)
    path.write_text(path.read_text().replace('"MBConv"', '"Unknown"'))
    assert restore(mine, None) == 0
    assert path.is_file()
    with pytest.raises(TrialsError, match="Unknown"):
        restore(other, None)


def test_a_kept_result_that_is_damaged_is_named(tmp_path: Path) -> None:
    study = opened(tmp_path / "journal.log")
    (tmp_path / "journal.log.unwritten").mkdir()
    (tmp_path / "journal.log.unwritten/a.json").write_text('{"study":')
    with pytest.raises(TrialsError, match=r"a\.json is no result that was kept .*; move it away"):
        work(study, job(Log(tmp_path / "log")), limits=Limits(trials=1))


def test_a_database_that_nobody_serves_is_tried_and_then_named_without_its_password() -> None:
    said: list[str] = []
    where = f"postgresql://me:secret@127.0.0.1:{free_port()}/trials"
    with pytest.raises(StoreLostError, match=r"127\.0\.0\.1:\d+/trials did not answer for 0\.3 s") as raised:
        open_store(where, patience=Patience(seconds=0.3, pause=0.05), say=said.append)
    assert len(said) == 1
    assert "secret" not in str(raised.value) + said[0]
    assert "\n" not in str(raised.value) + said[0]


def test_trials_that_fail_are_recorded_and_three_in_a_row_stop_the_worker(tmp_path: Path) -> None:
    study = opened(tmp_path / "journal.log")

    def evaluated(*arguments: object) -> object:
        raise RuntimeError("no such data")

    broken = replace(job(Log(tmp_path / "log")), evaluate=evaluated)  # pyrefly: ignore
    with pytest.raises(TrialsError, match="the last 3 trials failed, the last one with: RuntimeError: no such data"):
        work(study, broken)
    assert [(trial.state, trial.why) for trial in study.trials] == [("failed", "RuntimeError: no such data")] * 3


def test_an_interrupted_trial_is_given_up_at_once(tmp_path: Path) -> None:
    study = opened(tmp_path / "journal.log")

    def evaluated(*arguments: object) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(study, replace(job(Log(tmp_path / "log")), evaluate=evaluated))  # pyrefly: ignore
    again = opened(tmp_path / "journal.log")
    assert (again.trials, again.claims) == ([], [])


def test_another_tasks_trial_is_not_recorded_as_this_ones(tmp_path: Path) -> None:
    wrong = result(task(SPACE.at(7), seed=99))
    broken = replace(job(Log(tmp_path / "log")), evaluate=lambda *arguments: wrong)
    study = opened(tmp_path / "journal.log")
    work(study, broken, limits=Limits(trials=1))
    assert study.trials[0].state == "failed"


def test_without_optuna_a_line_names_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'optuna' else real(name, *rest)\n"
        "from compoundnet.search.trials import open_store\n"
        "assert 'optuna' not in sys.modules\n"
        "try: open_store(sys.argv[1])\n"
        "except ValueError as error: sys.exit(str(error))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "j.log")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.stderr == "a search needs optuna: pip install 'compoundnet[search]'\n"


def test_optunas_notes_are_silent_and_its_level_is_the_users(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import logging

    import optuna  # noqa: F401 - it sets its level when it is imported

    before = logging.getLogger("optuna").level
    searched(tmp_path / "journal.log")
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("optuna").level == before


def test_a_claim_is_a_claim(tmp_path: Path) -> None:
    claim = opened(tmp_path / "j.log").claim(task(SPACE.at(0)), SPACE.at(0), None)
    assert isinstance(claim, Claim)
    assert claim.name == "s#0"
