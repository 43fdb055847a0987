"""What failed is done again by the next search, so often and no more; networks of a user's own operators are read."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.layers import Node
from compoundnet.operators import OPERATORS, Site
from compoundnet.schema import FieldError, decode
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import Limits, Study, Tasks, TrialsError, launch, open_store, work
from compoundnet.search.trials.job import Recorded
from compoundnet.search.trials.ledger import Claim
from compoundnet.search.trials.reading import read_journal
from compoundnet.search.trials.records import record_of, trial_of
from compoundnet.search.trials.study import TRIES

from .trial_jobs import IDENTITY, SHORT, SPACE, Log, Untried, job, opened, result, task

POINTS = [SPACE.at(index) for index in range(SPACE.size)]
TASKS = tuple(task(point) for point in POINTS[:3])


@dataclass(frozen=True)
class Breaking:
    """An evaluation that raises for some tasks as long as a file is there."""

    log: Log
    keys: tuple[str, ...]
    broken: Path

    def __call__(self, task: Task, recorded: Recorded) -> Trial:
        found = self.log(task, recorded)
        if task.key in self.keys and self.broken.exists():
            raise MemoryError("no room for the batch")
        return found


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A user's operator: one convolution."""

    kernel: int = 3

    def unfold(self, site: Site) -> Node:
        return site.conv_norm_act(site.inputs, site.outputs, self.kernel, site.stride)


@pytest.fixture
def breaking(tmp_path: Path) -> Breaking:
    (tmp_path / "broken").touch()
    return Breaking(Log(tmp_path / "log"), (TASKS[1].key,), tmp_path / "broken")


def states(study: Study) -> list[str]:
    return [trial.state for trial in study.trials]


def test_what_failed_is_done_again_by_the_next_search(tmp_path: Path, breaking: Breaking) -> None:
    study, listed = opened(tmp_path / "j.log"), Tasks(tasks=TASKS, evaluate=breaking)
    ended = work(study, listed)
    assert (ended.why, ended.recorded, states(study)) == ("exhausted", 3, ["finished", "failed", "finished"])
    assert study.trials[1].why == "MemoryError: no room for the batch"
    breaking.broken.unlink()
    again = opened(tmp_path / "j.log")
    assert work(again, listed).recorded == 1
    assert states(again) == ["finished"] * 3
    assert breaking.log.lines("begin") == [*(each.key for each in TASKS), TASKS[1].key]
    assert [trial.key for trial in opened(tmp_path / "j.log").trials] == [trial.key for trial in again.trials]
    study.refresh()  # one that saw the failure before sees its end too
    assert states(study) == ["finished"] * 3


def test_it_is_done_so_often_and_no_more(tmp_path: Path, breaking: Breaking) -> None:
    for _ in range(TRIES + 2):
        study = opened(tmp_path / "j.log")
        work(study, Tasks(tasks=TASKS, evaluate=breaking))
        assert sorted(states(study)) == ["failed", "finished", "finished"]
    assert breaking.log.lines("begin").count(TASKS[1].key) == TRIES
    assert len(breaking.log.lines("begin")) == 2 + TRIES


def test_a_search_of_a_space_begins_with_what_failed(tmp_path: Path, breaking: Breaking) -> None:
    """Also when it had all of its trials: the failed one counts no more."""
    asking = replace(job(Log(tmp_path / "unused")), evaluate=replace(breaking, keys=(task(POINTS[0]).key,)))
    asking = replace(asking, strategy=Untried(first=True))
    assert work(opened(tmp_path / "j.log"), asking, limits=Limits(trials=2)).recorded == 2
    assert states(opened(tmp_path / "j.log")) == ["failed", "finished"]
    breaking.broken.unlink()
    study = opened(tmp_path / "j.log")
    ended = work(study, asking, limits=Limits(trials=2))
    assert (ended.why, ended.recorded, states(study)) == ("trials", 1, ["finished", "finished"])
    assert {trial.point for trial in study.trials} == {*POINTS[:2]}


def test_what_diverged_has_its_result(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", accuracy=math.nan)
    for _ in range(2):
        work(opened(tmp_path / "j.log"), Tasks(tasks=TASKS[:2], evaluate=log))
    assert states(opened(tmp_path / "j.log")) == ["diverged"] * 2
    assert len(log.lines("begin")) == 2


def test_workers_may_die_in_it_as_often_again(tmp_path: Path) -> None:
    """Three deaths make a failure; the next search begins to count anew."""
    study, first = opened(tmp_path / "j.log"), TASKS[0]
    from optuna.trial import TrialState

    for _ in range(3):
        claim = study.claim(first, None, None)
        assert isinstance(claim, Claim)
        study._end(claim, TrialState.FAIL)
    log = Log(tmp_path / "log")
    work(study, Tasks(tasks=(first,), evaluate=log))
    assert [trial.why for trial in study.trials] == ["3 workers died in it"]
    assert not log.lines("begin")
    work(opened(tmp_path / "j.log"), Tasks(tasks=(first,), evaluate=log))
    assert states(opened(tmp_path / "j.log")) == ["finished"]


def test_a_list_takes_what_other_studies_have_unless_it_shall_not(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    for name, shared, begun in (("one", True, 3), ("two", True, 3), ("three", False, 6)):
        study = opened(tmp_path / "j.log", name)
        assert work(study, Tasks(tasks=TASKS, evaluate=log, shared=shared)).recorded == 3
        assert [study.trial(each.key) for each in TASKS] == study.trials
        assert len(log.lines("begin")) == begun
    assert opened(tmp_path / "j.log").trial(TASKS[0].key) is None


@pytest.mark.slow
def test_worker_processes_do_a_list_and_what_failed_in_it(tmp_path: Path, breaking: Breaking) -> None:
    listed = Tasks(tasks=TASKS, evaluate=breaking)
    assert launch(opened(tmp_path / "j.log"), listed, workers=2).recorded == 3
    breaking.broken.unlink()
    study = opened(tmp_path / "j.log")
    assert launch(study, listed, workers=2).recorded == 1
    assert states(study) == ["finished"] * 3


def test_a_record_of_an_older_version_is_read_and_of_a_newer_one_refused() -> None:
    """Journals had no version once; files of single trials had one."""
    found = replace(result(TASKS[0]), curve=(0.5,), facts={"torch": "2.9"})
    record = record_of(found)
    assert record["version"] == 1
    assert trial_of({name: value for name, value in record.items() if name != "version"}) == found
    with pytest.raises(FieldError, match="version: 2 is not supported"):
        trial_of({**record, "version": 2})


@settings(deadline=None)
@given(
    accuracy=st.none() | st.sampled_from([0.5, 1]),
    point=st.none() | st.lists(st.integers(0, 3)).map(tuple),
    costs=st.dictionaries(st.sampled_from(["macs", "params"]), st.integers(1, 9) | st.floats(1, 9)),
    curve=st.lists(st.floats(0, 1)).map(tuple),
    state=st.sampled_from(["finished", "diverged"]),
)
def test_the_quick_way_to_read_a_record_gives_what_the_careful_one_does(**told: Any) -> None:
    record = json.loads(json.dumps(record_of(replace(result(TASKS[0]), **told))))
    rest = {name: value for name, value in record.items() if name not in ("version", "task")}
    careful = decode(Trial, {**rest, "task": TASKS[0]})
    assert trial_of(record) == careful
    assert repr(trial_of(record).costs) == repr(careful.costs)
    for name, wrong in (("state", "lost"), ("point", [1.5]), ("costs", {"macs": "9"}), ("why", 3), ("more", 1)):
        with pytest.raises(FieldError, match=name):
            trial_of({**record, name: wrong})


def own() -> Task:
    network = TASKS[0].network
    stages = (replace(network.stages[0], operator=Plain(kernel=5)), *network.stages[1:])
    return replace(TASKS[0], network=replace(network, stages=stages))


def kinds() -> dict[str, type]:
    return {**OPERATORS, "Plain": Plain}


def test_networks_of_own_operators_are_refused_before_they_are_trained(tmp_path: Path) -> None:
    study, log = opened(tmp_path / "j.log"), Log(tmp_path / "log")
    with pytest.raises(TrialsError, match=r"stages\[0\].operator: 'Plain' is not known here; give the classes") as one:
        work(study, Tasks(tasks=(own(),), evaluate=log))
    assert "\n" not in str(one.value)
    assert (log.lines("begin"), study.trials) == ([], [])


@pytest.mark.parametrize("processes", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_trials_of_own_operators_are_read_by_who_knows_them(tmp_path: Path, processes: int) -> None:
    said: dict[str, Any] = {"say": print, "patience": SHORT}
    listed = Tasks(tasks=(own(), TASKS[0]), evaluate=Log(tmp_path / "log"))
    with open_store(tmp_path / "j.log", operators=kinds(), **said) as store:
        study = store.study("s", IDENTITY)
        assert (launch(study, listed, workers=1) if processes else work(study, listed)).recorded == 2
        assert study.trials[0].task == own()
    stranger = opened(tmp_path / "j.log")
    with pytest.raises(TrialsError, match=r"j.log: trial 0 of study 's': task.*'Plain' is not known here; give the"):
        list(stranger.trials)
    other = opened(tmp_path / "j.log", "other")  # other studies of the store are not hindered
    assert work(other, Tasks(tasks=(TASKS[0],), evaluate=Log(tmp_path / "log"))).recorded == 1
    assert other.trials[0].facts["taken_from"] == "s"


def test_a_report_counts_the_result_that_the_search_counts(tmp_path: Path) -> None:
    """Two workers may end one task, if one was taken for dead: what finished counts before what failed."""
    study = opened(tmp_path / "j.log")
    for state in ("failed", "finished"):
        claim = study._created(TASKS[0].key, None, f"by {state}", 15.0)
        found = {"trial": record_of(replace(result(TASKS[0]), state=state)), "reward": 0.5}
        assert study._complete(claim, found)
    read = read_journal(tmp_path / "j.log").studies["s"]
    assert states(study) == ["finished"]
    assert [record["trial"]["state"] for record in read.records.values()] == ["finished"]
    assert list(read.records) == list(study.numbered)
