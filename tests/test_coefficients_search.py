"""The search from candidates to a verdict: it looks once, and is stopped and gone on with."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compoundnet import Network
from compoundnet.schema import FieldError
from compoundnet.search.coefficients import Fidelity, Found, Search, task_of
from compoundnet.search.coefficients.asking import FRESH
from compoundnet.search.coefficients.looking import look
from compoundnet.search.rating import read_observed
from compoundnet.search.reporting import read_kept
from compoundnet.search.trials import open_store
from compoundnet.search.trials.records import record_of
from compoundnet.search.working import Bench

from .searching import SMALL, asked, material, memory, recorded, trials_of


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    folder = tmp_path_factory.mktemp("search")
    return folder, Search(asked(transfer={"macs": 3.0}), material(), memory(64, 2), folder).run()


def test_a_search_tells_every_arm_and_ends_with_a_network(done: tuple[Path, Found]) -> None:
    folder, found = done
    said = found.to_dict()
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    arms = said["comparison"]["arms"]
    assert len(arms) == len(found.comparison.arms) >= 3
    assert all(len(arm["seeds"]) == 2 and arm["low"] <= arm["accuracy"] <= arm["high"] for arm in arms)
    assert all(abs(arm["use"] - 1) <= 0.05 for arm in arms)
    net = found.net()
    assert net is not None
    assert Network.from_dict(net["network"]) == found.comparison.best.network
    assert net["coefficients"] == said["coefficients"]
    assert found.comparison.verdict.sentence + found.comparison.bias == said["sentence"]
    assert found.transfer is not None
    assert found.transfer.arms[0].name == "found"
    trials = trials_of(folder)
    assert {trial.task.recipe.seed for trial in trials} == {0, FRESH, FRESH + 1}
    assert found.seconds == pytest.approx(sum(trial.seconds for trial in trials), abs=1e-3)


def test_the_champion_was_chosen_before_the_test_and_on_other_seeds(done: tuple[Path, Found]) -> None:
    _, found = done
    first, last = ([rank for rank in found.ranks if rank.rung == number] for number in (1, 2))
    assert len(first) == len(last) == len(found.comparison.arms)  # no direction is left out
    best = max(last, key=lambda rank: np.mean([each or 0.0 for each in rank.accuracies]))
    assert found.comparison.verdict.champion == best.arm.name == found.comparison.arms[0].name


def test_the_same_search_again_trains_nothing_and_looks_once(done: tuple[Path, Found]) -> None:
    folder, found = done
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = Search(asked(transfer={"macs": 3.0}), material(), memory(64, 2), folder).run()
    assert again.to_dict() == found.to_dict()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("changes", "named_"), [({"confirm": 3}, "confirm"), ({"budget": {"macs": 2.1}}, "budget.macs")]
)
def test_another_search_does_not_take_the_folder(
    done: tuple[Path, Found], changes: dict[str, Any], named_: str
) -> None:
    folder, _ = done
    with pytest.raises(ValueError, match=rf"holds another search \({named_} differs\); name another folder"):
        Search(asked(transfer={"macs": 3.0}, **changes), material(), memory(64, 2), folder).run()


def test_a_second_look_at_the_test_pictures_is_refused(done: tuple[Path, Found], tmp_path: Path) -> None:
    """By another search, for other networks, on other pictures; and a damaged note counts as a look."""
    folder, _ = done
    note = tmp_path / "test.json"
    note.write_text((folder / "test.json").read_text())
    with pytest.raises(ValueError, match=r"looked at, and no search.json says by which search"):
        Search(asked(), material(), memory(64, 2), tmp_path).run()
    study = open_store(tmp_path / "journal.log").study("s", {})
    bench = Bench({}, study, tmp_path)
    other = task_of(SMALL, SMALL, asked().recipe, Fidelity(1, 96), 0, material())
    with pytest.raises(ValueError, match=r"the test pictures were looked at on .*; a second look would choose by them"):
        look(tmp_path, [other], bench, memory(64, 2))
    note.write_text("{")
    with pytest.raises(ValueError, match=r"damaged .*; the test pictures count as seen"):
        look(tmp_path, [other], bench, memory(64, 2))


@pytest.mark.slow
def test_a_torn_journal_loses_its_last_trial_and_nothing_else(done: tuple[Path, Found], tmp_path: Path) -> None:
    """What is lost is trained again, to the same end."""
    folder, found = done
    shutil.copytree(folder, tmp_path / "torn")
    journal = tmp_path / "torn" / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    last = max(index for index, line in enumerate(lines) if b'"user_attr":{"record":' in line)
    journal.write_bytes(b"".join(lines[:last]) + lines[last][:500])
    again = Search(asked(transfer={"macs": 3.0}), material(), memory(64, 2), tmp_path / "torn").run()
    assert (again.comparison, again.coefficients) == (found.comparison, found.coefficients)
    assert len(trials_of(tmp_path / "torn")) == len(trials_of(folder))


def test_a_folder_of_an_older_version_goes_on(done: tuple[Path, Found], tmp_path: Path) -> None:
    """It kept each trial in a file of its own: nothing is trained again."""
    folder, found = done
    (tmp_path / "trials").mkdir()
    shutil.copy(folder / "test.json", tmp_path / "test.json")
    told = json.loads((folder / "search.json").read_text())
    older = {key: each for key, each in told.items() if key not in ("store", "study")}  # where trials are, was not said
    (tmp_path / "search.json").write_text(json.dumps(older) + "\n")
    for trial in trials_of(folder):
        (tmp_path / "trials" / f"{trial.key}.json").write_text(json.dumps(record_of(trial)))
    again = Search(asked(transfer={"macs": 3.0}), material(), memory(64, 2), tmp_path).run()
    assert again.to_dict() == found.to_dict()
    assert {trial.seconds for trial in trials_of(tmp_path)} == {trial.seconds for trial in trials_of(folder)}
    assert not (tmp_path / "weights").exists()


def test_weights_lie_beside_the_journal_also_of_another_search(tmp_path: Path) -> None:
    def weights(store: str | None) -> Path:
        return Search(asked(), material(), memory(64, 2), tmp_path / "out", store=store).weights

    assert weights(None) == weights("postgresql://u@host/d") == tmp_path / "out/weights"
    assert weights("runs/shared.log") == Path("runs/shared.log.weights")
    assert weights("first/journal.log") == Path("first/weights")


def test_searches_of_one_store_share_their_trials(
    done: tuple[Path, Found], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another search, one seed fewer to confirm: all of its trials are known, and its weights where they were."""
    store, question = tmp_path / "shared.log", asked(confirm=1, candidates="grid", rungs=1)
    monkeypatch.chdir(tmp_path)
    first = Search(question, material(), memory(64, 2), tmp_path / "one", store="shared.log").run()
    monkeypatch.chdir("/")
    trained = recorded(store)
    second = Search(replace(question, margin=0.01), material(), memory(64, 2), tmp_path / "two", store=store).run()
    assert [arm.name for arm in second.comparison.arms] == [arm.name for arm in first.comparison.arms]
    assert second.comparison.verdict.standings == first.comparison.verdict.standings
    assert second.seconds == first.seconds
    with open_store(store) as opened:
        assert len(opened.study_names()) == 2
    assert recorded(store) == 2 * trained
    reported = [read_kept(tmp_path / folder) for folder in ("one", "two")]  # each folder says which study is its own
    assert [len(each.records) for each in reported] == [trained, trained]
    assert reported[0].study != reported[1].study
    assert len(read_observed(str(tmp_path / "one"))) == trained
    with pytest.raises(ValueError, match=r"one: its trials are in .*shared\.log; give that store \(--store\)"):
        Search(question, material(), memory(64, 2), tmp_path / "one").run()
    assert len(list((tmp_path / "shared.log.weights").iterdir())) == len(first.comparison.arms)
    assert capsys.readouterr().err == ""
    for path in (tmp_path / "shared.log.weights").iterdir():
        path.unlink()
    third = Search(replace(question, margin=0.02), material(), memory(64, 2), tmp_path / "three", store=store).run()
    assert third.comparison.verdict.standings == first.comparison.verdict.standings
    assert "without weights in" in capsys.readouterr().err


def test_seeds_are_added_while_the_verdict_is_undecided(tmp_path: Path) -> None:
    """Two seeds of an epoch on 96 pictures tell nothing; each look adds to the one before."""
    question, heard = asked(candidates="grid", rungs=1, up_to=5), list[tuple[int, int]]()
    short = Search(question, material(), memory(64, 2), tmp_path, minutes=1e-4).run()
    assert (short.comparison.seeds, short.comparison.verdict.level) == (2, pytest.approx(0.98))
    assert any("more seeds would take" in note for note in short.notes)
    found = Search(
        question, material(), memory(64, 2), tmp_path, on_done=lambda done, total: heard.append((done, total))
    ).run()
    assert (found.comparison.verdict.kind, found.comparison.seeds) == ("undecided", 5)
    assert found.comparison.arms == short.comparison.arms
    pairs = zip(short.comparison.verdict.standings, found.comparison.verdict.standings, strict=True)
    assert all(later.seeds[:2] == sooner.seeds for sooner, later in pairs)
    assert any(
        note.startswith("5 of up to 5 fresh seeds each; intervals are of 99.00 %, so that") for note in found.notes
    )
    assert heard[-1][0] == heard[-1][1]
    before = recorded(tmp_path)
    again = Search(question, material(), memory(64, 2), tmp_path).run()
    assert (again.to_dict(), recorded(tmp_path)) == (found.to_dict(), before)


@pytest.mark.slow
def test_no_seeds_are_added_to_a_verdict(tmp_path: Path) -> None:
    question = asked(candidates="grid", rungs=1, confirm=5, up_to=20, margin=1.0)
    found = Search(question, material(), memory(64, 2), tmp_path).run()
    assert (found.comparison.verdict.kind, found.comparison.seeds) == ("tie", 5)


def test_a_surrogate_asks_for_as_many_networks_as_it_may(tmp_path: Path) -> None:
    question = asked(candidates="surrogate", trials=5, confirm=1)
    found = Search(question, material(), memory(64, 2), tmp_path).run()
    assert len({rank.arm.network for rank in found.ranks}) == 5
    assert len(found.comparison.arms) == 2
    assert found.comparison.verdict.kind == "undecided"


def test_the_worse_half_of_a_grid_does_not_go_on(tmp_path: Path) -> None:
    found = Search(asked(candidates="grid", confirm=1), material(), memory(64, 2), tmp_path).run()
    counts = [sum(rank.rung == number for rank in found.ranks) for number in (1, 2)]
    assert counts[0] > counts[1] == max(2, math.ceil(counts[0] / 2))
    first = [rank.arm.name for rank in found.ranks if rank.rung == 1]
    assert {rank.arm.name for rank in found.ranks if rank.rung == 2} == set(first[: counts[1]])
    assert [arm.name for arm in found.comparison.arms] == [rank.arm.name for rank in found.ranks if rank.rung == 2][:2]


def test_a_second_budget_that_nothing_meets_is_told_before_any_training(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="budget: none of"):
        Search(asked(transfer={"macs": 1.003}, tolerance=0.001), material(), memory(8), tmp_path).run()
    assert not list(tmp_path.iterdir())


def test_a_sweep_has_no_winner(tmp_path: Path) -> None:
    heard = list[tuple[int, int]]()
    question = asked(candidates="sweep", confirm=1)
    found = Search(
        question, material(), memory(64, 2), tmp_path, on_done=lambda done, total: heard.append((done, total))
    ).run()
    assert (found.best, found.net(), found.coefficients, found.ranks) == (None, None, None, ())
    assert found.sentence.startswith("A sweep compares networks of different costs")
    assert heard[-1][0] == heard[-1][1]
    with pytest.raises(ValueError, match="finds no coefficients"):
        found.scaled({"macs": 4}, 16)


def test_pictures_and_network_must_fit(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"classes: 5 for data of 4; give dataclasses.replace\(network, classes=4\)"):
        Search(asked(network=replace(SMALL, classes=5)), material(), memory(8), tmp_path)
    with pytest.raises(FieldError, match="test: its pictures have another shape"):
        Search(asked(), material(), memory(8, side=20), tmp_path)
    with pytest.raises(FieldError, match="in_channels: 4; pictures are grey"):
        Search(asked(network=replace(SMALL, in_channels=4)), material(), memory(8), tmp_path)
    assert not (tmp_path / "search.json").exists()


@pytest.mark.slow
def test_a_search_killed_in_the_middle_loses_at_most_the_trial_in_flight(tmp_path: Path) -> None:
    """SIGKILL after three trials; the next run keeps them and ends as one that was never killed."""
    program = (
        "from pathlib import Path; import sys; from tests.searching import *; "
        "from compoundnet.search.coefficients import Search; "
        "Search(asked(), material(), memory(64, 2), Path(sys.argv[1])).run()"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "killed")], env=dict(os.environ))
    deadline = time.monotonic() + 250
    while recorded(tmp_path / "killed") < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    kept = trials_of(tmp_path / "killed")
    assert len(kept) >= 3
    found = Search(asked(), material(), memory(64, 2), tmp_path / "killed").run()
    assert trials_of(tmp_path / "killed")[: len(kept)] == kept
    whole = Search(asked(), material(), memory(64, 2), tmp_path / "whole").run()
    assert (found.comparison, found.coefficients) == (whole.comparison, whole.coefficients)
