"""What workers are made of: replayed states, fronts, beats, limits, and what is said meanwhile."""

import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.cli.progress import _changes
from compoundnet.schema import FieldError
from compoundnet.search import Outcome, Point, Problem
from compoundnet.search.objective import Objective
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import Limits, joined, leases, save_front, work
from compoundnet.search.trials.fronts import Front, front_of
from compoundnet.search.trials.leases import Beat, Written, beating
from compoundnet.search.trials.replaying import Replay
from compoundnet.search.trials.standing import Standings

from .trial_jobs import SPACE, Log, Untried, job, opened, result, task

NUMBERS = st.lists(st.integers(0, 200), unique=True, max_size=120)


@dataclass(frozen=True)
class Telling:
    """A strategy whose state is what it was told, and that counts how often."""

    told: list[int]
    name: str = "telling"

    def start(self, problem: Problem, seed: int) -> tuple[int, ...]:
        return ()

    def ask(self, state: tuple[int, ...], pending: object, rng: random.Random) -> Point:
        raise NotImplementedError

    def tell(self, state: tuple[int, ...], outcome: Outcome) -> tuple[int, ...]:
        self.told.append(int(outcome.reward))
        return (*state, int(outcome.reward))


def outcomes(numbers: list[int]) -> Mapping[int, Outcome]:
    return {number: Outcome((0, 0, 0), number, 0.5) for number in sorted(numbers)}


@settings(deadline=None)
@given(NUMBERS)
def test_a_state_is_the_fold_over_numbers_however_trials_came_in(arrivals: list[int]) -> None:
    replay: Replay[tuple[int, ...]] = Replay(replace(job(Log(Path("unused"))), strategy=Telling([])))
    for count in range(len(arrivals) + 1):
        assert replay.at(outcomes(arrivals[:count])) == tuple(sorted(arrivals[:count]))


def test_a_trial_that_was_overtaken_by_some_costs_their_telling_again_and_no_more() -> None:
    strategy = Telling([])
    replay: Replay[tuple[int, ...]] = Replay(replace(job(Log(Path("unused"))), strategy=strategy))
    replay.at(outcomes([*range(990), *range(991, 1000)]))
    strategy.told.clear()
    assert replay.at(outcomes([*range(1000)])) == tuple(range(1000))
    assert strategy.told == [*range(990, 1000)]


def trials(values: list[tuple[int, int, int]]) -> list[Trial]:
    """Trials of (accuracy in tenths, macs, parameters)."""
    made = [(index, *each) for index, each in enumerate(values)]
    tasks = [task(SPACE.at(index % SPACE.size), seed=index) for index in range(len(values))]
    return [
        replace(result(tasks[index], accuracy / 10), costs={"macs": float(macs), "params": float(params)})
        for index, accuracy, macs, params in made
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.integers(1, 5), st.integers(1, 3)), max_size=30))
def test_nobody_in_a_front_is_beaten_and_everybody_outside_is(values: list[tuple[int, int, int]]) -> None:
    found = trials(values)
    front = front_of(found, ("macs", "params"))

    def covers(one: Trial, other: Trial) -> bool:
        better = (one.accuracy or 0) >= (other.accuracy or 0)
        return better and all(one.costs[axis] <= other.costs[axis] for axis in ("macs", "params"))

    for trial in front:
        assert not any(covers(other, trial) for other in front if other is not trial)
    for trial in found:
        assert any(covers(other, trial) for other in front)
    assert front_of(front, ("macs", "params")) == front
    assert [trial.costs["macs"] for trial in front] == sorted(trial.costs["macs"] for trial in front)


@pytest.mark.parametrize("state", ["stopped", "diverged", "failed"])
def test_only_finished_trials_are_in_a_front(state: str) -> None:
    (trial,) = trials([(5, 1, 1)])
    assert joined((), trial, ("macs",)) == (trial,)
    assert joined((), replace(trial, state=state), ("macs",)) == ()  # pyrefly: ignore
    assert joined((), trial, ("latency",)) == ()


def test_an_older_front_never_replaces_a_newer_one(tmp_path: Path) -> None:
    path, found = tmp_path / "out/front.json", trials([(5, 1, 1), (6, 2, 2)])
    newer: Front = front_of(found, ("macs",))
    save_front(path, newer, ("macs",), study="s", trials=2)
    save_front(path, newer[:1], ("macs",), study="s", trials=1)
    assert len(json.loads(path.read_text())["front"]) == 2
    save_front(path, newer[:1], ("macs",), study="another", trials=1)
    assert len(json.loads(path.read_text())["front"]) == 1
    path.write_text("{")
    save_front(path, newer, ("macs",), study="s", trials=2)
    assert json.loads(path.read_text())["trials"] == 2


def test_the_front_of_a_study_that_was_begun_anew_is_its_own(tmp_path: Path) -> None:
    """The journal was deleted, its front was not: of more trials, it would stay."""
    front, limits = tmp_path / "front.json", Limits(trials=5)
    work(opened(tmp_path / "old.log"), job(Log(tmp_path / "log")), limits=limits, front=front)
    assert json.loads(front.read_text())["trials"] == 5
    anew = opened(tmp_path / "new.log")
    work(anew, job(Log(tmp_path / "log")), limits=Limits(trials=2), front=front)
    assert json.loads(front.read_text())["trials"] == 2
    before = front.read_bytes()
    work(anew, job(Log(tmp_path / "log")), limits=Limits(trials=2), front=front)
    assert front.read_bytes() == before


def test_a_front_stays_when_failed_trials_are_to_be_done_again(tmp_path: Path) -> None:
    """Fewer trials count then than its file says, and yet it is the study's own."""
    study, front = opened(tmp_path / "j.log"), tmp_path / "front.json"
    calls: list[int] = []

    def evaluated(asked: Task, recorded: object) -> Trial:
        calls.append(len(calls))
        if len(calls) in (2, 4):
            raise RuntimeError("no such data")
        return result(asked)

    some = replace(job(Log(tmp_path / "log")), evaluate=evaluated)
    work(study, some, limits=Limits(trials=5), front=front)
    assert [each.state for each in study.trials].count("failed") == 2
    before = front.read_bytes()
    for _ in range(2):
        assert work(study, some, limits=Limits(trials=5), stop=lambda: True, front=front).recorded == 0
        assert front.read_bytes() == before
    assert len(study.trials) == 3
    work(study, some, limits=Limits(trials=4), front=front)
    assert json.loads(front.read_text())["trials"] == 4, "written anew after each trial, of fewer too"


def test_beats_are_counted_until_the_trial_ends() -> None:
    beats: list[Beat] = []

    def write(beat: Beat) -> Written:
        beats.append(beat)
        return "written"

    with beating(write, every=0.01):
        while len(beats) < 3:
            time.sleep(0.005)
    count = len(beats)
    time.sleep(0.1)
    assert len(beats) == count
    assert [beat.count for beat in beats] == [*range(1, count + 1)]
    assert all(beat.promise >= 0.01 for beat in beats)


def test_beats_end_when_the_claim_is_lost() -> None:
    beats: list[Beat] = []

    def write(beat: Beat) -> Written:
        beats.append(beat)
        return "ended"

    with beating(write, every=0.01):
        time.sleep(0.2)
    assert len(beats) == 1


def test_after_a_lost_beat_the_next_comes_within_the_promise_that_others_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store was lost from 600 s to 2,400 s of a trial; others judge by what they read last."""
    now, written, tried = 0.0, [(0.0, 15.0)], list[int]()

    class Waited(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal now
            now += timeout or 0.0
            return now > 5_000

    def write(beat: Beat) -> Written:
        tried.append(beat.count)
        if 600 < now < 2_400:
            return "lost"
        written.append((now, beat.promise))
        return "written"

    monkeypatch.setattr(leases, "threading", SimpleNamespace(Event=Waited, Thread=threading.Thread))
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: now))
    with beating(write, every=15.0):
        pass
    back = next(at for at, _ in written if at >= 2_400)
    known = [promise for at, promise in written if at <= 600][-1]
    assert back - 2_400 <= known
    assert written[-1][1] > 300, "and later the promise grows with the trial again"
    assert tried == [*range(1, len(tried) + 1)], "no two of its beats look the same"


def test_no_trial_is_begun_after_the_time(tmp_path: Path) -> None:
    found = work(opened(tmp_path / "j.log"), job(Log(tmp_path / "log", 0.1)), limits=Limits(seconds=0.25))
    assert found.why == "seconds"
    assert 1 <= found.recorded <= 3
    assert found.standing.seconds_left == 0


@pytest.mark.parametrize(
    ("limits", "line"), [({"trials": 0}, "trials: 0"), ({"seconds": 0}, "seconds: 0 is not a time")]
)
def test_limits_are_possible(limits: dict[str, int], line: str) -> None:
    with pytest.raises(FieldError, match=line):
        Limits(**limits)


def test_a_standing_says_how_far_the_search_is(tmp_path: Path) -> None:
    study, now = opened(tmp_path / "j.log"), 0.0
    found, limits = job(Log(tmp_path / "log")), Limits(trials=8)
    work(study, found, limits=Limits(trials=2))
    standings = Standings(study, found, limits, lambda: now)
    assert standings.now().seconds_left is None
    work(study, found, limits=Limits(trials=4))
    now = 7200.0
    standing = standings.now()
    assert (standing.done, standing.running, standing.per_hour, standing.seconds_left) == (4, 0, 1.0, 14400.0)
    best = max(study.trials, key=found.reward)
    assert (standing.best, standing.reward) == (best, found.reward(best))
    assert standing.front == front_of(study.trials, ("macs",))
    text = f"4 of 8 trials, 0 running, best accuracy {best.accuracy:.4f} (reward {standing.reward:.4f})"
    assert str(standing) == f"{text}, front of {len(standing.front)}, 1 trials/hour, about 14,400 s left"


def test_of_equal_rewards_the_cheapest_is_the_best_meanwhile_too(tmp_path: Path) -> None:
    """It is what net.json holds where a search is killed."""
    study = opened(tmp_path / "j.log")
    found = replace(job(Log(tmp_path / "log", accuracy=0.4), seed=1), objective=Objective())
    standing = work(study, found, limits=Limits(trials=8)).standing
    costs = [trial.costs["macs"] for trial in study.trials]
    assert costs[0] > min(costs), "the first is not the cheapest"
    assert standing.best is not None
    assert standing.best.costs["macs"] == min(costs)
    assert standing.front == (standing.best,)


def test_elsewhere_than_on_a_terminal_a_line_is_said_where_something_changed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    say = _changes(lambda: now)
    for now, line in ((0.0, "a"), (1.0, "b"), (6.0, "a"), (7.0, "c"), (8.0, "c")):  # noqa: B007
        say(line)
    assert capsys.readouterr().err == "compoundnet: a\ncompoundnet: c\n"


def test_asking_is_a_function_of_the_state(tmp_path: Path) -> None:
    """The strategy of these tests keeps the protocol: pending points are not asked again."""
    strategy, problem = Untried(), job(Log(tmp_path)).problem
    state = strategy.start(problem, 0)
    asked = [strategy.ask(state, (), random.Random(3)) for _ in range(2)]
    assert asked[0] == asked[1]
    assert strategy.ask(state, asked, random.Random(3)) not in asked
