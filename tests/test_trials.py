"""Where trials are kept, against both back ends: what is written is read, claimed once, and shared."""

import json
import math
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.search import Costs, Point
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import Limits, StoreLostError, Study, TrialsError, identity, open_store, work
from compoundnet.search.trials.job import Recorded
from compoundnet.search.trials.leases import SILENT, Beat, Watch
from compoundnet.search.trials.ledger import Claim
from compoundnet.search.trials.process import is_gone, myself
from compoundnet.search.trials.records import normal, record_of, trial_of
from compoundnet.signals import stop_on_signal, terminated

from .postgres import ASKED, Server
from .trial_jobs import IDENTITY, OBJECTIVE, PROBLEM, RECIPE, SPACE, Log, Untried, job, opened, result, task

POINTS = [SPACE.at(index) for index in range(SPACE.size)]


@pytest.fixture(params=["journal", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, of each kind."""
    if request.param == "journal":
        return str(tmp_path / "runs/journal.log")
    server: Server = request.getfixturevalue("database_server")
    return server.database(f"d{random.getrandbits(64)}")


@pytest.fixture
def open_study(where: str, tmp_path: Path) -> Iterator[Callable[..., Study]]:
    """Studies of one store, each opened as another worker would."""
    with ExitStack() as stores:

        def study(name: str = "s") -> Study:
            found = opened(where, name, spill=tmp_path / "unwritten")
            stores.enter_context(found.store)
            return found

        yield study


def claimed(study: Study, index: int = 0, limit: int | None = None) -> Claim:
    claim = study.claim(task(POINTS[index]), POINTS[index], limit)
    assert isinstance(claim, Claim), claim
    return claim


def trial(index: int = 0, accuracy: float | None = None) -> Trial:
    return replace(result(task(POINTS[index]), accuracy), point=POINTS[index])


def recorded(study: Study, index: int = 0) -> Trial:
    found = trial(index)
    assert study.record(claimed(study, index), found, 0.5, None)
    return found


def dead(study: Study, claim: Claim) -> Watch:
    """A watch, as somebody's who has looked for days and seen nothing new of the claim."""
    now = 0.0
    watch = Watch(lambda: now)
    for _ in range(SILENT):
        assert study.reap(watch) == 0
        now += 86_400.0
    return watch


def test_what_is_recorded_is_read_by_others_as_it_was(open_study: Callable[..., Study]) -> None:
    rich = replace(trial(), curve=(0.1, 0.2), costs={"macs": 4e8}, facts={"torch": "2.9"}, worker="a:1", why="")
    one, other = open_study(), open_study()
    assert one.record(claimed(one), rich, 0.5, None)
    other.refresh()
    assert other.trials == [rich]
    assert open_study().trials == [rich]
    assert other.claims == []


def test_a_task_is_claimed_by_one(open_study: Callable[..., Study]) -> None:
    one, other = open_study(), open_study()
    claim = claimed(one)
    assert other.claim(task(POINTS[0]), POINTS[0], None) == "running"
    assert [each.key for each in other.claims] == [claim.key]
    assert other.claims[0].point == POINTS[0]
    assert one.record(claim, trial(), 0.5, None)
    assert other.claim(task(POINTS[0]), POINTS[0], None) == "recorded"


def test_of_two_that_claim_at_once_the_lower_number_wins(open_study: Callable[..., Study]) -> None:
    """The other's claim is written after this one looked whether there is any: the moment that matters."""
    one, other = open_study(), open_study()
    found: list[Claim | str] = []
    write = one._created

    def late(*arguments: object) -> Claim:
        found.append(claimed(other))
        return write(*arguments)  # pyrefly: ignore

    one._created = late  # pyrefly: ignore
    assert one.claim(task(POINTS[0]), POINTS[0], None) == "running"
    assert isinstance(found[0], Claim)
    other.refresh()
    assert [claim.token for claim in other.claims] == [found[0].token]


def test_two_studies_do_not_do_the_same_task_at_once_and_share_its_result(open_study: Callable[..., Study]) -> None:
    one, other = open_study("one"), open_study("other")
    claim = claimed(one)
    assert other.claim(task(POINTS[0]), POINTS[0], None) == "running"
    assert other.elsewhere(claim.key) is None
    assert one.record(claim, trial(), 0.5, None)
    claimed(other)
    assert other.elsewhere(claim.key) == ("one", trial())


@pytest.mark.parametrize(("state", "shared"), [("diverged", True), ("failed", False), ("stopped", False)])
def test_only_what_the_task_alone_determines_is_shared(tmp_path: Path, state: str, shared: bool) -> None:
    one, other = opened(tmp_path / "j.log", "one"), opened(tmp_path / "j.log", "other")
    accuracy = 0.5 if state == "stopped" else None
    ended = replace(trial(), state=state, accuracy=accuracy)  # pyrefly: ignore
    assert one.record(claimed(one), ended, -math.inf, None)
    other.refresh()
    assert (other.elsewhere(ended.key) is not None) == shared


def test_never_more_than_the_limit(open_study: Callable[..., Study]) -> None:
    one, other = open_study(), open_study()
    first, second = claimed(one, 0, limit=2), claimed(other, 1, limit=2)
    assert one.claim(task(POINTS[2]), POINTS[2], 2) == "full"
    other.withdraw(second)
    third = claimed(one, 2, limit=2)
    for claim, index in ((first, 0), (third, 2)):
        assert one.record(claim, trial(index), 0.5, 2)
    assert other.claim(task(POINTS[3]), POINTS[3], 2) == "full"
    assert len(open_study().trials) == 2


def test_a_dead_workers_trial_is_free_again(open_study: Callable[..., Study]) -> None:
    one, other = open_study(), open_study()
    claim = claimed(one)
    other.refresh()
    assert other.reap(dead(other, claim)) == 1
    assert other.deaths(claim.key) == 1
    assert claimed(other).key == claim.key


def test_who_beats_is_alive_and_who_is_silent_for_three_beats_is_not(open_study: Callable[..., Study]) -> None:
    one, other = open_study(), open_study()
    claim = claimed(one)
    now = 0.0
    watch = Watch(lambda: now)
    for count in range(5):
        other.refresh()
        assert other.reap(watch) == 0
        now += 40.0  # less than three promised beats of 15 s
        assert one.beat(claim, Beat(count + 1, 15.0)) == "written"
    assert other.reap(watch) == 0
    other.refresh()
    assert other.reap(watch) == 0
    for ended in (0, 0, 1):
        now += 15.0
        other.refresh()
        assert other.reap(watch) == ended
    assert one.beat(claim, Beat(9, 15.0)) == "ended"


def test_a_worker_that_the_store_kept_from_its_beats_is_not_taken_for_dead(open_study: Callable[..., Study]) -> None:
    """Nobody reached the store for an hour: who looks first afterwards sees everybody's beats an hour old."""
    one, other = open_study(), open_study()
    claim = claimed(one)
    now = 0.0
    watch = Watch(lambda: now)
    other.refresh()
    assert other.reap(watch) == 0
    for count in range(3):
        now += 3_600.0
        other.refresh()
        assert other.reap(watch) == 0
        now += 14.0
        assert one.beat(claim, Beat(count + 1, 15.0)) == "written"
        other.refresh()
        assert other.reap(watch) == 0


def test_a_slow_worker_that_wakes_up_first_is_kept_and_the_other_dropped(open_study: Callable[..., Study]) -> None:
    slow, quick = open_study(), open_study()
    claim = claimed(slow)
    quick.refresh()
    quick.reap(dead(quick, claim))
    again = claimed(quick)
    assert slow.record(claim, trial(0, 0.25), 0.25, None)
    assert not quick.record(again, trial(0, 0.75), 0.75, None)
    assert [each.accuracy for each in open_study().trials] == [0.25]
    assert open_study().claims == []


def test_a_slow_worker_that_wakes_up_last_is_dropped(open_study: Callable[..., Study]) -> None:
    slow, quick = open_study(), open_study()
    claim = claimed(slow)
    quick.refresh()
    quick.reap(dead(quick, claim))
    assert quick.record(claimed(quick), trial(0, 0.75), 0.75, None)
    assert not slow.record(claim, trial(0, 0.25), 0.25, None)
    assert [each.accuracy for each in open_study().trials] == [0.75]
    assert open_study().claims == []


def test_a_slow_workers_result_does_not_exceed_the_limit(open_study: Callable[..., Study]) -> None:
    slow, quick = open_study(), open_study()
    claim = claimed(slow, 0, limit=1)
    quick.refresh()
    quick.reap(dead(quick, claim))
    assert quick.record(claimed(quick, 1, limit=1), trial(1), 0.5, 1)
    assert not slow.record(claim, trial(0), 0.5, 1)
    assert open_study().trials == [trial(1)]


def test_recording_twice_is_recording_once(open_study: Callable[..., Study]) -> None:
    """A commit whose answer was lost is tried again."""
    study = open_study()
    claim = claimed(study)
    assert study.record(claim, trial(), 0.5, None)
    assert study.record(claim, trial(), 0.5, None)
    assert len(open_study().trials) == 1


def test_a_worker_that_died_between_its_last_words_is_believed(open_study: Callable[..., Study]) -> None:
    one, other = open_study(), open_study()
    claim = claimed(one)
    number = one.store.storage.get_study_id_from_name("s")
    frozen = one.store.storage.get_trial_id_from_study_id_trial_number(number, claim.number)
    one.store.storage.set_trial_user_attr(frozen, "record", {"trial": record_of(trial()), "reward": 0.5})
    other.refresh()
    assert other.reap(dead(other, claim)) == 1
    assert other.trials == [trial()]


def test_a_diverged_trial_is_kept_with_the_reward_minus_infinity(
    open_study: Callable[..., Study], tmp_path: Path
) -> None:
    study, found = open_study(), job(Log(tmp_path / "log", accuracy=math.nan))
    assert work(study, found, limits=Limits(trials=2)).recorded == 2
    assert [each.state for each in open_study().trials] == ["diverged"] * 2
    assert {(each.accuracy, each.why) for each in study.trials} == {(None, "the accuracy is nan")}
    assert [found.reward(each) for each in study.trials] == [-math.inf] * 2
    assert [each.reward for each in map(found.outcome, study.trials) if each is not None] == [-math.inf] * 2


def test_a_name_stands_for_one_search(open_study: Callable[..., Study], where: str) -> None:
    study = open_study()
    with pytest.raises(TrialsError, match=r"study 's' in .* was begun with another recipe; choose another name") as one:
        study.store.study("s", {**IDENTITY, "recipe": "other"})
    assert "\n" not in str(one.value)
    other = identity(space=SPACE, objective=replace(OBJECTIVE, target=2e6), data="mine", recipe=RECIPE)
    with pytest.raises(TrialsError, match="another data and objective"):
        study.store.study("s", other)
    assert study.store.study("s2", other).identity == other
    assert study.store.study_names() == ["s", "s2"]


def test_a_killed_search_goes_on_where_it_was(open_study: Callable[..., Study], tmp_path: Path) -> None:
    """One worker asks the same of the same trials: whole, and cut in two, a search makes the same trials."""
    log = Log(tmp_path / "log")
    work(open_study("whole"), job(log, seed=5), limits=Limits(trials=12))
    for trials in (5, 12, 12):
        work(open_study("cut"), job(log, seed=5), limits=Limits(trials=trials))
    assert [each.key for each in open_study("cut").trials] == [each.key for each in open_study("whole").trials]
    assert len(log.lines("begin")) == 12  # the second study took the results of the first
    assert {each.facts.get("taken_from") for each in open_study("cut").trials} == {"whole"}


def interrupted(task: Task, recorded: Recorded) -> Trial:
    signal.raise_signal(signal.SIGINT)
    return result(task)


def test_one_worker_says_too_that_it_finishes_the_trial_that_runs(tmp_path: Path) -> None:
    said: list[str] = []
    with open_store(tmp_path / "journal.log", say=said.append) as store:
        ended = work(store.study("s", IDENTITY), replace(job(Log(tmp_path / "log")), evaluate=interrupted))
    assert (ended.why, ended.recorded) == ("asked", 1)
    assert said == ["finishing the trials that run; Ctrl-C again ends them now"]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_whichever_was_the_first(second: signal.Signals) -> None:
    with terminated(), stop_on_signal() as asked:
        signal.raise_signal(signal.SIGTERM if second is signal.SIGINT else signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(second)


def test_a_result_of_another_study_has_this_ones_costs(open_study: Callable[..., Study], tmp_path: Path) -> None:
    """A latency is that of a device; another study on the same pictures may search for another one."""
    log = Log(tmp_path / "log")
    fast, slow = (replace(job(log), problem=replace(PROBLEM, costs=each)) for each in (costs_here, costs_there))
    work(open_study("fast"), fast, limits=Limits(trials=2))
    work(open_study("slow"), slow, limits=Limits(trials=2))
    assert len(log.lines("end")) == 2  # nothing was done again
    for name, each in (("fast", costs_here), ("slow", costs_there)):
        for trial in open_study(name).trials:
            assert trial.point is not None
            assert trial.costs == each(trial.point)


def costs_here(point: Point) -> Costs:
    return {"macs": 1e6, "latency": 0.001}


def costs_there(point: Point) -> Costs:
    return {"macs": 1e6, "latency": 0.002}


def test_a_space_that_was_tried_ends_the_search(tmp_path: Path) -> None:
    ended = work(opened(tmp_path / "j.log"), job(Log(tmp_path / "log")))
    assert (ended.why, ended.recorded) == ("exhausted", SPACE.size)
    assert ended.standing.done == SPACE.size
    assert work(opened(tmp_path / "j.log"), job(Log(tmp_path / "log"))).recorded == 0


def test_points_that_make_networks_of_others_do_not_end_a_search(tmp_path: Path) -> None:
    """The strategy asks for 27 points of three networks, one after the other; there are nine networks more."""
    log = Log(tmp_path / "log")
    repeating = replace(job(log), strategy=Untried(first=True), task=of_two_classes)
    ended = work(opened(tmp_path / "j.log"), repeating)
    assert (ended.why, ended.recorded, len(log.lines("end"))) == ("exhausted", 12, 12)


def of_two_classes(point: Point) -> Task:
    return task((point[0], 0, point[2]))


@given(st.floats() | st.none())
@settings(max_examples=100)
def test_an_accuracy_is_a_share_or_none(accuracy: float | None) -> None:
    found = normal(replace(trial(), accuracy=accuracy))
    if accuracy is not None and 0 <= accuracy <= 1:
        assert found == trial(0, accuracy)
    else:
        assert found.accuracy is None
        assert found.state == ("diverged" if accuracy is not None and not math.isfinite(accuracy) else "failed")
        assert found.why
    assert trial_of(record_of(found)) == found


def test_a_task_read_back_has_the_key_it_had() -> None:
    """10 epochs are read as 10.0, and are the same work."""
    found = trial()
    again = trial_of(json.loads(json.dumps(record_of(found))))
    assert type(found.task.recipe.epochs) is not type(again.task.recipe.epochs)
    assert again.key == found.key


def test_a_process_that_ended_is_known_to_be_gone_only_where_it_can_be_seen() -> None:
    host, pid, start, place = myself().split(" ")
    assert not is_gone(myself())
    assert is_gone(f"{host} {pid} 1{start} {place}")  # another process got its number
    assert is_gone(f"{host} {2**22 + 1} {start} {place}")
    for elsewhere in ("another boot", "-"):
        assert not is_gone(f"{host} {2**22 + 1} {start} {elsewhere.replace(' ', '/')}")


@pytest.mark.parametrize(
    ("user", "line"),
    [
        (f"{ASKED}:secret", r'password authentication failed for user "asked"'),
        (ASKED, "no password supplied"),
        ("postgres", r'database "nowhere" does not exist'),
    ],
)
def test_a_server_that_refuses_is_not_waited_for(database_server: Server, user: str, line: str) -> None:
    said: list[str] = []
    where = f"postgresql://{user}@127.0.0.1:{database_server.port}/nowhere"
    with pytest.raises(TrialsError, match=rf"refuses \(.*{line}\); mend the address, or let it in there") as raised:
        open_store(where, say=said.append)
    assert not isinstance(raised.value, StoreLostError)
    assert not said
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_address_is_refused_in_one_line(tmp_path: Path) -> None:
    for where, line in (
        ("mysql://a/b", "is no store; give a journal file, or postgresql://user@host/database"),
        ("postgresql://a:b:c:d/e", "is no address"),
        (str(tmp_path), "is a folder; name the journal file in it"),
    ):
        with pytest.raises(TrialsError, match=line) as raised:
            open_store(where)
        assert "\n" not in str(raised.value)
    for name in ("", " a", "a\nb", "a" * 300):
        with pytest.raises(TrialsError, match="is no name for a study"):
            open_store(tmp_path / "j.log").study(name, IDENTITY)
