"""Step 1: candidates of exactly one cost, and the search from them to a verdict, stopped and gone on with."""

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
from statistics import geometric_mean
from typing import Any

import numpy as np
import pytest
from benchmarks import coefficients as protocol
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import COMPOUND, RULES, Budget, Network, Rounding, Scaling, cost, named
from compoundnet.schema import FieldError
from compoundnet.search.coefficients import (
    Fidelity,
    Found,
    Search,
    chosen,
    directions,
    grid,
    grown,
    iso,
    lattice,
    per_doubling,
    reach,
    step2,
    sweep,
    task_of,
)
from compoundnet.search.coefficients.asking import FRESH
from compoundnet.search.coefficients.depths import uneven
from compoundnet.search.coefficients.guided import foreseen, next_index, terms
from compoundnet.search.coefficients.iso import Arm, Iso
from compoundnet.search.coefficients.looking import look
from compoundnet.search.coefficients.sets import spread_out, spread_places
from compoundnet.search.trials import open_store
from compoundnet.search.trials.records import record_of
from compoundnet.search.working import Bench
from compoundnet.solving import Ranges
from compoundnet.solving.surface import surface

from .searching import FINE, SMALL, asked, material, memory, recorded, trials_of

FAMILIES = ("mobilenet_v1", "mobilenet_v2", "resnet18", "efficientnet_b0", "efficientnet_lite0")


# The iso-cost set


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_networks_of_exactly_the_budget(name: str) -> None:
    base = named(name)
    budget = grown(base, {"macs": 2})
    found = iso(base, budget, reach(base, budget, 320))
    assert len(found) > 3
    for index in range(0, len(found), max(1, len(found) // 8)):
        arm = found.at(index)
        assert abs(cost(arm.network).macs / (2 * cost(base).macs) - 1) <= 0.01
        assert arm.use == pytest.approx(cost(arm.network).macs / (2 * cost(base).macs), rel=1e-6)
        assert arm.scaling.resolution == arm.network.resolution / base.resolution
        assert arm.scaling.depth == arm.network.blocks / base.blocks
        pairs = zip(arm.network.stages, base.stages, strict=True)
        assert arm.scaling.width == pytest.approx(geometric_mean(new.channels / old.channels for new, old in pairs))


def test_the_set_is_all_of_the_surface_that_has_the_cost() -> None:
    base, budget = named("tiny"), Budget(macs=2 * cost(named("tiny")).macs)
    ranges = Ranges(depth=(1, 2.2), width=(1, 1.6), sides=(32, 36, 40, 44))
    found, whole = iso(base, budget, ranges, tolerance=0.05), surface(base, ranges)
    share = whole.costs["macs"] / (2 * cost(base).macs)
    assert len(found) == int((np.abs(share - 1) <= 0.05).sum())
    assert found.counted == len(whole)


def test_several_costs_bind_by_the_tightest() -> None:
    budget = grown(SMALL, {"macs": 2.0, "params": 1.5})
    found = iso(SMALL, budget, reach(SMALL, budget, 16), FINE, tolerance=0.05, by_stage=True)
    for index in range(len(found)):
        counted = cost(found.at(index).network)
        shares = counted.macs / (2 * cost(SMALL).macs), counted.params / (1.5 * cost(SMALL).params)
        assert max(shares) == pytest.approx(float(found.use[index]), rel=0.01)
        assert abs(max(shares) - 1) <= 0.06


def test_below_the_base_nothing_grows() -> None:
    base = named("mobilenet_v2")
    budget = grown(base, {"macs": 0.5})
    ranges = reach(base, budget, 224)
    assert ranges.depth[1] == ranges.width[1] == 1
    assert max(ranges.sides) == 224
    assert len(iso(base, budget, ranges)) > 3


def test_no_side_is_beyond_the_pictures() -> None:
    base = named("tiny")
    assert max(reach(base, grown(base, {"macs": 3}), 36).sides) == 36
    with pytest.raises(FieldError, match="resolution: 32 pixels; the pictures have 28, and more adds cost"):
        reach(base, grown(base, {"macs": 2}), 28)


def test_an_empty_set_says_what_comes_nearest_and_what_to_try() -> None:
    budget = grown(SMALL, {"macs": 2.0})
    with pytest.raises(FieldError, match=r"none of [\d,]+ networks takes .* the nearest takes [\d.]+ % of it; take a"):
        iso(SMALL, budget, Ranges(depth=(1, 1), width=(1, 1), sides=(12,)), FINE, tolerance=0.001)
    with pytest.raises(FieldError, match=r"ranges: .* networks; narrow"):
        iso(named("efficientnet_b7"), Budget(macs=10**11), Ranges(depth=(0.25, 8), width=(0.25, 8)))
    with pytest.raises(FieldError, match="nothing is limited"):
        grown(SMALL, {})


@given(low=st.floats(0.3, 1), high=st.floats(1, 2.5), layers=st.lists(st.integers(1, 4), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_depths_by_stage_lie_within_a_layer_of_one_factor(low: float, high: float, layers: list[int]) -> None:
    stages = tuple(replace(SMALL.stages[0], layers=each) for each in layers)
    found = uneven(replace(SMALL, stages=stages), low, high)
    assert len(set(found.values)) == len(found.values)
    assert tuple(layers) in found.values
    for factor, values in zip(found.factors, found.values, strict=True):
        assert low <= factor <= high
        assert factor == sum(values) / sum(layers)
        least = max((got - 1) / had for got, had in zip(values, layers, strict=True))
        most = min((got + 1) / had for got, had in zip(values, layers, strict=True))
        assert least < most  # some factor is within one layer of every stage


# The protocol's base and arms (E1): counts that were published with it


def test_the_protocols_base_and_budget_are_what_it_says() -> None:
    base = cost(protocol.FM0)
    assert (base.macs, base.params, base.activations) == (1_012_864, 46_154, 46_090)
    first, second = protocol.budget("first").macs, protocol.budget("second").macs
    assert first == 2_278_144
    assert second is not None
    assert first / base.macs == pytest.approx(2.249, abs=1e-3)
    assert second / base.macs == pytest.approx(3.06, abs=5e-3)


def test_the_protocols_arms_take_the_budget() -> None:
    arms = protocol.fixed("first", protocol.ARMS)
    assert list(arms) == ["B", "R", "W", "D", "C-EN", "C-dwr", "C-dWr"]
    assert (arms["R"].network, arms["R"].use) == (replace(protocol.FM0, resolution=24), 1.0)
    assert arms["W"].scaling.width == pytest.approx(1.57, abs=0.02)
    assert [stage.channels for stage in arms["W"].network.stages] == [12, 26, 38, 62]
    assert [stage.layers for stage in arms["D"].network.stages] == [3, 4, 5, 4]
    assert all(abs(arm.use - 1) <= 0.01 for name, arm in arms.items() if name != "B")
    assert len({arm.network for arm in arms.values()}) == 7


# Sets


def test_the_grid_is_the_papers() -> None:
    found = lattice()
    assert all(abs(each.depth * each.width**2 * each.resolution**2 - 2) <= 0.1 for each in found)
    assert all(min(each.depth, each.width, each.resolution) >= 1 for each in found)
    assert COMPOUND in lattice(0.05)
    with pytest.raises(FieldError, match="step: 0 is not"):
        lattice(0)


def b0_at_two() -> Iso:
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 2})
    return iso(base, budget, reach(base, budget, 600))


def test_directions_are_what_they_are_called() -> None:
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 4})
    arms, _ = directions(iso(base, budget, reach(base, budget, 700)))
    by_name = {arm.name: arm.scaling for arm in arms}
    assert list(by_name) == ["depth", "width", "resolution", "compound", "dwr", "dWr"]
    assert (by_name["resolution"].depth, by_name["resolution"].width) == (1, 1)
    assert by_name["width"].depth == by_name["width"].resolution == 1
    shares = {name: math.log(each.depth) / math.log(each.flops_factor) for name, each in by_name.items()}
    assert shares["depth"] > 0.9 > 0.3 > shares["compound"] > 0.0 == shares["width"]


def test_a_direction_that_the_pictures_do_not_have_is_said() -> None:
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 2})
    _, notes = directions(iso(base, budget, reach(base, budget, 224)))
    assert any(note.startswith("resolution: no network of the budget lies that way") for note in notes)


def test_each_network_of_the_grid_and_of_a_spread_stands_once() -> None:
    space = b0_at_two()
    arms = grid(space, 2.0)
    assert len({arm.network for arm in arms}) == len(arms) == len({arm.name for arm in arms}) > 8
    spread = spread_out(space, 8)
    assert len({arm.network for arm in spread}) == 8
    assert len(spread_out(space, 10**6)) <= len(space)


def test_networks_of_a_small_sweep_have_names_of_their_own() -> None:
    """At 1.05 times B0 two widths are 1.04; answers are kept by name."""
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 1.05})
    arms = sweep(base, budget, reach(base, budget, 300))
    assert len({arm.network for arm in arms}) == len({arm.name for arm in arms}) == len(arms) > 3


def test_a_sweep_goes_one_way_from_the_base_to_the_budget() -> None:
    base = named("efficientnet_b0")
    budget = grown(base, {"macs": 2})
    arms = sweep(base, budget, reach(base, budget, 600), count=4)
    assert arms[0].name == "base"
    for arm in arms:
        moved = [name for name in ("depth", "width", "resolution") if getattr(arm.scaling, name) != 1]
        assert len(moved) <= 1
        assert 0.49 <= arm.use <= 1.01
    assert {arm.name.split()[0] for arm in arms} == {"base", "depth", "width", "resolution"}


def test_a_surrogate_finds_the_best_of_a_smooth_bowl() -> None:
    space = b0_at_two()
    target = space.logs[len(space) // 3]
    truth = 0.8 - ((space.logs - target) ** 2).sum(axis=1)
    tried = spread_places(space, 8)
    while len(tried) < 20:
        index = next_index(space, tried, [float(truth[each]) for each in tried])
        assert index is not None
        assert index not in tried
        tried.append(index)
    assert truth.max() - truth[tried].max() < 0.002 < truth.max() - np.median(truth)
    assert truth[tried[8:]].mean() > truth[tried[:8]].mean()
    mean, deviation = foreseen(space.logs, tried, [float(truth[each]) for each in tried])
    assert terms(space.logs).shape == (len(space), 10)
    assert np.corrcoef(mean, truth)[0, 1] > 0.9
    assert (deviation >= 0).all()


def test_nothing_is_left_to_try_when_all_was() -> None:
    budget = grown(SMALL, {"macs": 2.0})
    space = iso(SMALL, budget, reach(SMALL, budget, 16), FINE, tolerance=0.05, by_stage=True)
    assert next_index(space, list(range(len(space))), [0.5] * len(space)) is None


# Step 2


def test_found_coefficients_scale_to_other_budgets_on_the_true_cost() -> None:
    question = asked(network=named("efficientnet_b0"), rounding=Rounding(), by_stage=False, tolerance=0.01)
    for times in (4, 8):
        arm = step2(question, COMPOUND, {"macs": times}, 600)
        assert abs(cost(arm.network).macs / (times * cost(question.network).macs) - 1) <= 0.01
        found = per_doubling(question.network, arm)
        assert found.flops_factor == pytest.approx(2, rel=0.03)
        for axis, wanted in (("depth", 1.2), ("width", 1.1), ("resolution", 1.15)):
            assert getattr(found, axis) == pytest.approx(wanted, abs=0.025)


# The search


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
    assert found.comparison.verdict.sentence == said["sentence"]
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
    for name in ("search.json", "test.json"):
        shutil.copy(folder / name, tmp_path / name)
    for trial in trials_of(folder):
        (tmp_path / "trials" / f"{trial.key}.json").write_text(json.dumps(record_of(trial)))
    again = Search(asked(transfer={"macs": 3.0}), material(), memory(64, 2), tmp_path).run()
    assert again.to_dict() == found.to_dict()
    assert {trial.seconds for trial in trials_of(tmp_path)} == {trial.seconds for trial in trials_of(folder)}
    assert not (tmp_path / "weights").exists()


def test_searches_of_one_store_share_their_trials(
    done: tuple[Path, Found], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another search, one seed fewer to confirm: all of its trials are known, and its weights where they were."""
    store, question = tmp_path / "shared.log", asked(confirm=1, candidates="grid", rungs=1)
    first = Search(question, material(), memory(64, 2), tmp_path / "one", store=store).run()
    trained = recorded(store)
    second = Search(replace(question, margin=0.01), material(), memory(64, 2), tmp_path / "two", store=store).run()
    assert [arm.name for arm in second.comparison.arms] == [arm.name for arm in first.comparison.arms]
    assert second.comparison.verdict.standings == first.comparison.verdict.standings
    assert second.seconds == first.seconds
    with open_store(store) as opened:
        assert len(opened.study_names()) == 2
    assert recorded(store) == 2 * trained
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


def test_candidates_say_how_many_there_were() -> None:
    found = chosen(asked(), 16)
    assert found.iso is not None
    assert found.notes[0].startswith(f"{len(found.iso)} of ")
    assert RULES["depth"].scaling == Scaling(2.0, 1.0, 1.0)
    assert all(isinstance(arm, Arm) for arm in found.arms)


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
