"""The search of section 4 on tiny pictures: trained, stopped early, gone on with, limited, and refused."""

import json
import math
import pickle
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compoundnet import Device, Network, Roofline, cost
from compoundnet.recipes import Optimizer
from compoundnet.scaling import Rounding
from compoundnet.schema import FieldError, encode
from compoundnet.search import Decision, Design, NothingAdmittedError, Objective, mnasnet, per_stage
from compoundnet.search.architecture import Architectures, ArchitectureSearch
from compoundnet.search.architecture.early import stopped
from compoundnet.search.architecture.found import net_of
from compoundnet.search.architecture.training import EXPECTED
from compoundnet.search.reporting import read_kept, report_of
from compoundnet.search.reporting.writing import files_of
from compoundnet.search.strategies.samplers import Nsga2
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import Limits, Standing, TrialsError
from compoundnet.search.trials.fronts import front_of

from .searching import FINE, SMALL, brief, material

SPACE = per_stage(SMALL, kernels=(3,), rounding=FINE)
SOFT = Objective(cost="macs", target=60e3, limits={"macs": 90e3})
DATA = material()


def search(**changes: Any) -> ArchitectureSearch:
    usual: dict[str, Any] = {"design": SPACE, "material": DATA, "recipe": brief(), "objective": SOFT}
    return ArchitectureSearch(**(usual | {"limits": Limits(trials=4)} | changes))


def run(asked: ArchitectureSearch, out: Path, **options: Any) -> Architectures:
    said: list[str] = []
    usual: dict[str, Any] = {"workers": 1, "say": said.append}
    return asked.run(out, **(usual | options))


def test_a_search_trains_within_limits_keeps_its_front_and_goes_on(tmp_path: Path) -> None:
    said: list[str] = []

    def told(standing: Standing) -> None:
        said.append(str(standing))

    first = run(search(), tmp_path, on_standing=told)
    assert (first.why, first.recorded, len(first.trials)) == ("trials", 4, 4)
    assert said[-1].startswith("4 of 4 trials, 0 running, best accuracy")
    assert all(trial.costs["macs"] <= 90e3 for trial in first.trials)
    assert all(cost(trial.task.network).macs == trial.costs["macs"] for trial in first.trials)
    again = run(search(limits=Limits(trials=6), strategy="evolution", seed=1), tmp_path)
    assert (again.recorded, again.trials[:4]) == (2, first.trials)
    assert run(search(limits=Limits(trials=6)), tmp_path).recorded == 0
    assert again.best == max(again.trials, key=again.reward)
    assert again.best is not None
    net = json.loads((tmp_path / "net.json").read_text())
    assert net == net_of(again.best, SOFT)
    assert Network.from_dict(net["network"]) == again.best.task.network
    told = json.loads((tmp_path / "front.json").read_text())
    assert (told["trials"], len(told["front"])) == (6, len(again.front))
    about = read_kept(str(tmp_path)).about
    assert about is not None, "a report names what was decided"
    assert about.space == SPACE.space
    kept = sorted((tmp_path / "front").iterdir())
    assert [json.loads(path.read_text())["trial"] for path in kept] == [trial.key for trial in again.front]


def test_the_rounding_reaches_the_report_and_a_users_files_beside_the_front_stay(tmp_path: Path) -> None:
    (tmp_path / "front").mkdir()
    for name in ("01-mine.json", "99.json"):
        (tmp_path / "front" / name).write_text("{}")
    run(search(limits=Limits(trials=1)), tmp_path)
    found = run(search(limits=Limits(trials=2), rounding=Rounding(divisor=4)), tmp_path)
    names = {path.name for path in (tmp_path / "front").iterdir()}
    assert names == {"01-mine.json", *(f"{number:02}.json" for number in range(1, len(found.front) + 1))}
    report = report_of(read_kept(str(tmp_path)))
    assert report.rounding == Rounding(divisor=4), "which the search that went on with the study has"
    assert report.network is not None
    net = json.loads(files_of(report)["net.json"])
    assert net == {"network": report.network.to_dict(), "rounding": encode(Rounding(divisor=4))}


def test_what_no_network_can_meet_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    nothing = search(objective=Objective(limits={"macs": 10}))
    with pytest.raises(NothingAdmittedError, match="the smallest found by descent"):
        run(nothing, tmp_path / "out")
    crops = search(recipe=replace(brief(), augment=replace(brief().augment, least_area=0.1)))
    with pytest.raises(FieldError, match="crops and policies need single pictures"):
        run(crops, tmp_path / "out")
    large = search(recipe=replace(brief(), batch=4096))
    with pytest.raises(FieldError, match=r"batch: 4096 is more than the .* training images; give a batch of at most"):
        run(large, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "in"):
        with pytest.raises(ValueError, match=r"cannot be a folder for results .*; choose another place"):
            run(search(), place)
    assert (tmp_path / "file").read_text() == "mine"


def test_nsga2_weighs_the_cost_of_the_objective() -> None:
    for objective, weighed in [
        (Objective(), "macs"),
        (Objective(cost="params", target=1e4), "params"),
        (Objective(limits={"activations": 1e6}), "activations"),
    ]:
        assert search(objective=objective, strategy="nsga2").job.strategy == Nsga2(cost=weighed)


def test_a_space_is_searched_to_its_end(tmp_path: Path) -> None:
    design = Design(name="two", base=SMALL, choices=(Decision(name="stages[1].layers", options=(1, 2)),))
    found = run(search(design=design, objective=Objective(), limits=Limits(trials=9)), tmp_path)
    assert (found.why, found.recorded) == ("exhausted", 2)


def test_a_network_that_diverges_is_no_result(tmp_path: Path) -> None:
    wild = replace(brief(), optimizer=Optimizer(name="sgd", rate=1e30, per=16, decay_kind="cosine", warmup_epochs=0.2))
    found = run(search(recipe=wild, limits=Limits(trials=2)), tmp_path)
    assert (dict(found.states), found.best, found.front) == ({"diverged": 2}, None, ())
    assert all("not finite" in trial.why or "the loss is" in trial.why for trial in found.trials)
    assert not (tmp_path / "net.json").exists()


def test_a_folder_and_a_study_belong_to_one_search(tmp_path: Path) -> None:
    run(search(limits=Limits(trials=1)), tmp_path / "one")
    other = search(recipe=brief(epochs=2.0))
    with pytest.raises(ValueError, match="holds a search with another recipe; name another folder"):
        run(other, tmp_path / "one")
    with pytest.raises(TrialsError, match="was begun with another recipe; choose another name"):
        run(other, tmp_path / "two", store=tmp_path / "one" / "journal.log")
    wider = search(design=replace(SPACE, base=replace(SMALL, activation="relu")))
    with pytest.raises(
        ValueError, match="holds a search with another design;"
    ):  # its options are the same, its networks are not
        run(wider, tmp_path / "one")
    (tmp_path / "one" / "search.json").write_text("{")
    with pytest.raises(ValueError, match="damaged; search in another folder"):
        run(search(), tmp_path / "one")


def test_a_trial_of_another_study_is_not_trained_again(tmp_path: Path) -> None:
    first = run(search(), tmp_path / "one")
    again = run(search(), tmp_path / "two", store=tmp_path / "one" / "journal.log", study="second")
    assert {trial.facts["taken_from"] for trial in again.trials} == {"architecture"}
    assert [trial.key for trial in again.trials] == [trial.key for trial in first.trials]


def test_what_workers_are_sent_is_the_same_job() -> None:
    asked = search(
        design=mnasnet(replace(SMALL, resolution=32)), material=material(32), device=Device(roofline=Roofline())
    )
    sent, rng = pickle.loads(pickle.dumps(asked.job)), random.Random(0)
    points = [asked.problem.space.sample(rng) for _ in range(3)]
    assert [sent.task(point).key for point in points] == [asked.job.task(point).key for point in points]
    assert [sent.problem.costs(point) for point in points] == [asked.problem.costs(point) for point in points]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy": "rigde"}, "unknown strategy 'rigde'; did you mean ridge?"),
        ({"seed": -1}, "seed: -1 is not a whole number of at least 0"),
        ({"stop": "soon"}, "stop: "),
        ({"objective": Objective(cost="latency", target=0.01)}, "give a device"),
        ({"design": per_stage(replace(SMALL, classes=10))}, "10 for data of 4; give a design whose base has 4"),
        ({"design": per_stage(replace(SMALL, in_channels=1))}, "1 for pictures of 3 channels"),
        ({"design": per_stage(replace(SMALL, resolution=20))}, "20 pixels; the pictures have 16"),
        (
            {"design": Design(name="x", base=SMALL, choices=(Decision(name="resolution", options=(8, 24)),))},
            "24 pixels; the pictures have 16",
        ),
        (
            {"design": Design(name="x", base=SMALL, choices=(Decision(name="classes", options=(2, 4)),))},
            "classes is given by the pictures",
        ),
    ],
)
def test_a_search_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", "[?]")):
        search(**changes)


# --- stopping


def trial(number: int, curve: tuple[float, ...], macs: float) -> Trial:
    task = Task(network=replace(SMALL, resolution=12 + 2 * number), recipe=brief(), data="none")
    return Trial(task=task, state="finished", accuracy=curve[-1], seconds=1.0, curve=curve, costs={"macs": macs})


CURVES = [trial(number, (0.5, 0.6, 0.625), 100.0 + number) for number in range(9)]


def test_nothing_stops_before_ten_trials_have_shown_how_far_they_rise() -> None:
    cheap = trial(9, (0.5, 0.75, 0.875), 50.0)
    assert stopped([0.1], {"macs": 500.0}, CURVES, SOFT, "front") is None
    found = stopped([0.1], {"macs": 500.0}, [*CURVES, cheap], SOFT, "front")
    assert found is not None
    assert found.why == f"it could reach 0.4850 at most, and trial {cheap.key[:12]} has 0.8750 at macs 50"
    assert found.expected == pytest.approx(0.225)  # half of the trials rose by 0.125
    assert stopped([0.1], {"macs": 500.0}, [*CURVES, cheap], SOFT, "never") is None


def test_a_cheap_network_goes_on_for_the_front_and_not_for_the_best() -> None:
    known = [*CURVES, trial(9, (0.5, 0.75, 0.875), 50.0)]
    assert stopped([0.1], {"macs": 40.0}, known, SOFT, "front") is None
    found = stopped([0.1], {"macs": 40.0}, known, SOFT, "best")
    assert found is not None
    assert "the best one is" in found.why


shares = st.floats(0, 1)
exponents = st.floats(-2, 0)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(shares, shares, st.sampled_from([1.0, 2.0, 4.0])), min_size=10, max_size=14),
    shares,
    st.sampled_from([0.5, 1.0, 2.0, 3.0]),
    exponents,
    exponents,
)
def test_whatever_the_exponents_a_stopped_end_is_no_better_and_not_in_the_front(
    known: list[tuple[float, float, float]], now: float, macs: float, below: float, above: float
) -> None:
    objective = Objective(cost="macs", target=1.5, below=below, above=above)
    trials = [trial(k, (first, last), cost) for k, (first, last, cost) in enumerate(known)]
    rise = max(0.0, *(last - first for first, last, _ in known))
    end = trial(99, (now, min(1.0, now + rise)), macs)
    rewards = [objective.reward(each.accuracy or 0.0, each.costs) for each in trials]
    mine = objective.reward(end.accuracy or 0.0, end.costs)
    if stopped([now], end.costs, trials, objective, "front"):
        assert end not in front_of([*trials, end], ("macs",))
        assert mine <= max(rewards) + 1e-12
    if stopped([now], end.costs, trials, objective, "best"):
        assert mine < max(rewards)


def test_a_strategy_is_told_the_end_that_was_to_be_expected() -> None:
    job = search().job
    point = next(iter(SPACE.space.neighbours(SPACE.space.at(0))))
    early = replace(CURVES[0], state="stopped", accuracy=0.25, point=point, facts={EXPECTED: 0.5})
    told = job.outcome(early)
    assert told is not None
    assert (told.accuracy, told.reward) == (0.5, SOFT.reward(0.5, early.costs))
    assert job.reward(early) == SOFT.reward(0.25, early.costs)  # what the record says is what was measured


def test_a_hopeless_trial_stops_and_says_why() -> None:
    asked = search(recipe=brief(epochs=3.0))
    task = asked.job.task(SPACE.space.at(0))
    macs = cost(task.network).macs
    known = [replace(trial(k, (0.9, 0.95, 1.0), macs - 1.0), costs={"macs": macs - 1.0}) for k in range(10)]
    found = asked.job.evaluate(task, lambda: known)
    assert (found.state, len(found.curve)) == ("stopped", 1)
    assert found.why.startswith("after 1 of 3 epochs: it could reach ")
    assert found.facts[EXPECTED] == pytest.approx(min(1.0, found.curve[0] + 0.1))
    assert math.isfinite(found.seconds)
