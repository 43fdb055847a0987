"""The report of a search, against trials whose effects, costs and noise are known."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import invented as source
from benchmarks.invented import GAINS, NOISE, OBJECTIVE, SPACE, write_journal
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import Network
from compoundnet.search.reporting import Report, read_kept, report_of
from compoundnet.search.reporting.entries import Entry, best, entries_of, front
from compoundnet.search.reporting.noise import Noise, noise, ties
from compoundnet.search.reporting.panel import axis, rounds
from compoundnet.search.reporting.populations import Population, populations
from compoundnet.search.reporting.rows import Row, rows_of
from compoundnet.search.reporting.table import columns, trials_csv
from compoundnet.search.reporting.writing import files_of
from compoundnet.search.trials.records import record_of

SHARES = st.floats(0, 1, allow_nan=False)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 invented trials; a tenth of their networks are trained with three seeds."""
    path = tmp_path_factory.mktemp("invented") / "journal.log"
    write_journal(path, 600)
    return path


@pytest.fixture(scope="module")
def report(journal: Path) -> Report:
    return report_of(read_kept(journal))


@pytest.fixture(scope="module")
def made(report: Report) -> Mapping[str, bytes]:
    """The report's files."""
    return files_of(report)


def row(number: int, accuracy: float, cost: float = 1.0, seed: int = 0, network: int = 0) -> Row:
    task = {"network": {"n": network}, "recipe": {"seed": seed, "epochs": 1}, "data": "d"}
    return Row(
        number=number,
        key=f"{number:064x}",
        state="finished",
        accuracy=accuracy,
        reward=accuracy,
        seconds=1.0,
        epochs=1.0,
        images=10,
        seed=seed,
        resolution=32,
        data="d",
        point=None,
        costs={"macs": cost},
        worker="",
        why="",
        task=task,
    )


def entry(number: int, accuracy: float, cost: float) -> Entry:
    return Entry((row(number, accuracy, cost),), accuracy, accuracy)


PAIRS = st.lists(st.tuples(SHARES, st.floats(1, 1e9)), min_size=1, max_size=40)


@given(PAIRS)
@settings(deadline=None, max_examples=60)
def test_nobody_beats_the_front_and_it_beats_or_equals_everybody(pairs: Sequence[tuple[float, float]]) -> None:
    entries = [entry(number, *pair) for number, pair in enumerate(pairs)]
    found = [(e.accuracy, e.first.costs["macs"]) for e in front(entries, "macs")]
    assert not any(a >= fa and c <= fc and (a, c) != (fa, fc) for fa, fc in found for a, c in pairs)
    assert all(any(fa >= a and fc <= c for fa, fc in found) for a, c in pairs)


@given(st.lists(SHARES, min_size=1, max_size=40), st.lists(SHARES, min_size=2, max_size=20))
@settings(deadline=None, max_examples=60)
def test_the_distribution_rises_from_none_to_all_and_its_quantiles_turn_it_around(
    errors: list[float], places: list[float]
) -> None:
    found = Population(np.sort(np.array(errors)))
    shares = [found.share(place) for place in sorted(places)]
    assert shares == sorted(shares)
    assert (found.share(min(errors)), found.share(max(errors) + 1e-9)) == (0.0, 1.0)
    for share in places:
        quantile = found.quantile(share)
        assert sum(error <= quantile for error in errors) >= share * len(errors) - 1e-6
        assert found.share(quantile) < share or share == 0 or found.share(quantile) <= share + 1e-6


@given(st.lists(st.tuples(st.sampled_from((0.2, 0.4)), st.floats(1, 4)), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60)
def test_the_chosen_network_is_the_cheapest_of_the_best_and_on_the_front(pairs: Sequence[tuple[float, float]]) -> None:
    """Few pictures judge: many networks have one accuracy, and the first of them is beaten by the cheaper ones."""
    entries = [entry(number, *pair) for number, pair in enumerate(pairs)]
    found = best(entries)
    assert found is not None
    assert (-found.reward, found.first.costs["macs"]) == min((-accuracy, macs) for accuracy, macs in pairs)
    assert any(each is found for each in front(entries, "macs"))
    assert ties(entries, Noise(0.01, 0, 1, 5, 1))[0].entry is found


@given(st.lists(st.one_of(SHARES, st.sampled_from((0.2, 0.4))), min_size=1, max_size=250))
@settings(deadline=None, max_examples=60)
def test_the_curve_says_of_each_error_how_many_are_not_above_it(errors: list[float]) -> None:
    at, shares = Population(np.sort(np.array(errors))).steps()
    assert shares == tuple(sum(error <= each for error in errors) / len(errors) for each in at)
    assert (at[0], at[-1], shares[-1]) == (min(errors), max(errors), 1.0)
    assert len(at) == len({*errors}) or len(errors) > 101 >= len(at)


@given(PAIRS)
@settings(deadline=None, max_examples=40)
def test_a_limit_keeps_exactly_the_networks_within_it(pairs: Sequence[tuple[float, float]]) -> None:
    entries = [entry(number, *pair) for number, pair in enumerate(pairs)]
    for population in populations(entries, ["macs"])["macs"]:
        kept = [1 - a for a, c in pairs if population.limit is None or c <= population.limit]
        assert population.errors.tolist() == sorted(kept)


@given(st.lists(SHARES, min_size=1, max_size=30), st.floats(0, 0.3), st.integers(1, 50))
@settings(deadline=None, max_examples=60)
def test_the_tie_set_has_the_best_and_grows_with_the_noise(
    accuracies: list[float], deviation: float, freedom: int
) -> None:
    entries = [entry(number, accuracy, 1.0) for number, accuracy in enumerate(accuracies)]
    small, large = (ties(entries, Noise(each, 0, 1, freedom, 1)) for each in (deviation, 2 * deviation))
    assert small[0].entry.reward == max(accuracies)
    assert {tie.entry.first.number for tie in small} <= {tie.entry.first.number for tie in large}
    assert all(tie.entry.reward == max(accuracies) for tie in ties(entries, Noise(0.0, 0, 0, freedom, 1)))


def test_the_truly_best_is_in_the_tie_set_as_often_as_is_said() -> None:
    """95 % are promised; the best of ten networks that are close to one another, in 300 searches."""
    rng, held = np.random.default_rng(0), 0
    true = np.linspace(0.70, 0.703, 10)
    for _ in range(300):
        rows = [
            row(10 * n + s, float(value), seed=s, network=n)
            for n in range(10)
            for s, value in enumerate(true[n] + rng.normal(0, 0.003, 2))
        ]
        entries = entries_of(rows)
        scatter = noise(entries, lambda each: each.reward)
        assert scatter is not None
        held += any(tie.entry.first.number == 90 for tie in ties(entries, scatter))
    assert held >= 0.95 * 300


def test_seeds_of_one_network_are_one_entry_and_other_trials_are_their_own() -> None:
    rows = [row(0, 0.5, seed=0), row(1, 0.7, seed=1), row(2, 0.6, seed=0, network=1)]
    entries = entries_of(rows)
    assert [[each.number for each in e.rows] for e in entries] == [[0, 1], [2]]
    assert entries[0].accuracy == pytest.approx(0.6)
    scatter = noise(entries, lambda each: each.accuracy)
    assert scatter is not None
    assert scatter.deviation == pytest.approx(0.2 / math.sqrt(2))
    assert scatter.low < scatter.deviation < scatter.high


def test_the_report_finds_the_noise_that_was_put_in(report: Report) -> None:
    found = report.accuracy_noise
    assert found is not None
    assert found.low < NOISE < found.high


def test_the_report_finds_the_effects_that_were_put_in(report: Report) -> None:
    """Decisions are drawn independently: a share is the variance of the means by that of the reward.

    All that is not noise is nearly additive, so that the model explains nearly all but the noise.
    """
    found = report.importance
    assert found is not None
    shares = dict(zip(found.names, found.shares, strict=True))
    rewards = np.array([e.reward for e in report.entries])
    scatter = report.reward_noise
    assert scatter is not None
    assert found.explained.value == pytest.approx(1 - scatter.deviation**2 / rewards.var(), abs=0.06)
    ranked = [found.names[k] for k in found.ranked()]
    assert ranked.index("kernels") < ranked.index("activation")
    assert shares["activation"].low <= 0.002
    assert abs(shares["activation"].value) < 0.01
    for name in ("resolution", "kernels", "se"):
        place = [choice.name for choice in SPACE.choices].index(name)
        chosen = np.array([e.first.point[place] for e in report.entries if e.first.point is not None])
        means = {k: rewards[chosen == k].mean() for k in set(chosen.tolist())}
        alone = np.array([means[k] for k in chosen.tolist()]).var() / rewards.var()
        assert shares[name].value == pytest.approx(alone, abs=0.06), name
        assert shares[name].low <= shares[name].value <= shares[name].high
    effects = dict(found.effects[found.names.index("se")])
    assert (effects["0.25"] > effects["0.0"]) == (GAINS["se"][1] > GAINS["se"][0])


def test_the_chosen_network_has_the_highest_reward_and_its_file_is_a_network(
    report: Report, made: Mapping[str, bytes]
) -> None:
    assert report.chosen is not None
    assert report.chosen.reward == max(e.reward for e in report.entries)
    network = Network.from_dict(json.loads(made["net.json"])["network"])
    assert report.chosen.first.point is not None
    assert network == source.network(report.chosen.first.point)


def test_a_journal_read_without_optuna_is_what_the_store_reads(journal: Path) -> None:
    from compoundnet.recipes import Recipe
    from compoundnet.search.trials import identity, open_store

    same = identity(space=SPACE, objective=OBJECTIVE, data="invented", recipe=Recipe(epochs=10, batch=100))
    with open_store(journal, say=[].append) as store:
        study = store.study("invented", same)
        by_store = {number: record_of(trial) for number, trial in study.numbered.items()}
    kept = read_kept(journal)
    assert {record.number: record.trial for record in kept.records} == by_store
    assert [record.key for record in kept.records] == [trial.key for trial in study.numbered.values()]


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_table_of_trials_is_read_back_as_it_was(report: Report) -> None:
    told = parsed(trials_csv(columns(report)))
    names = list(told[0])
    assert names[:5] == ["number", "key", "state", "accuracy", "reward"]
    assert names[13:15] == ["cost macs", "cost params"]
    assert names[15:] == [f"choice {choice.name}" for choice in SPACE.choices]
    for column in columns(report):
        for value, line in zip(column.values, told, strict=True):
            word = line[column.name]
            if value is None:
                assert word == ""
            else:
                assert (float(word) if isinstance(value, float) else type(value)(word)) == value


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)


@given(st.lists(st.tuples(TEXTS, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=10))
@settings(deadline=None, max_examples=25)
def test_any_texts_and_numbers_survive_the_csv(rows: Sequence[tuple[str, float]]) -> None:
    from compoundnet.search.reporting.table import as_csv

    told = parsed(as_csv(["text", "number"], rows))
    assert [(line["text"], float(line["number"])) for line in told] == list(rows)


def test_the_same_trials_give_the_same_bytes(journal: Path, made: Mapping[str, bytes]) -> None:
    assert files_of(report_of(read_kept(journal))) == made


def test_the_objective_of_the_study_names_the_reward(report: Report) -> None:
    assert report.objective == OBJECTIVE
    found = {cost: [e.first.costs[cost] for e in front] for cost, front in report.fronts.items()}
    assert set(found) == {"macs", "params"}
    assert all(values == sorted(values) for values in found.values())


def test_the_best_over_trials_rises_to_the_best_single_trial(report: Report) -> None:
    rewards = [each.reward or 0.0 for _, each in report.best_so_far]
    assert rewards == sorted(rewards)
    assert rewards[-1] == max(each.reward for each in report.rows if each.reward is not None)


def test_a_study_that_says_nothing_of_itself_is_reported_by_numbers(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal.log", 60, about=False, again=0)
    found = report_of(read_kept(tmp_path / "journal.log"))
    assert found.decisions is not None
    assert found.decisions.source == "points"
    assert found.decisions.names[0] == "choice 1"
    assert any("without its space and objective" in note for note in found.notes)
    assert any("differ in the seed only" in note for note in found.notes)
    assert (found.reward_noise, found.ties) == (None, ())


def test_a_folder_of_trials_is_reported_by_the_fields_that_differ(tmp_path: Path) -> None:
    (tmp_path / "trials").mkdir()
    for each in source.invented(40, again=0):
        file = tmp_path / "trials" / f"{each.trial.key}.json"
        file.write_text(json.dumps(record_of(replace(each.trial, point=None))))
    found = report_of(read_kept(tmp_path))
    assert found.decisions is not None
    assert found.decisions.source == "networks"
    assert {"resolution", "activation", "stages[1].layers"} <= set(found.decisions.names)
    assert found.best_so_far == ()
    assert found.chosen is not None
    assert found.chosen.accuracy == max(e.accuracy for e in found.entries)
    assert [each.key for each in report_of(read_kept(tmp_path / "trials")).rows] == [each.key for each in found.rows]


def test_trials_of_fewer_epochs_are_listed_and_not_compared(tmp_path: Path) -> None:
    lines = list(source.journal_lines(source.invented(30, again=0)))
    cheap = [line for line in lines if line["op_code"] == 8][::2]
    for line in cheap:
        line["user_attr"]["record"]["trial"]["task"]["recipe"]["epochs"] = 1
    found = report_of(read_kept(_written(tmp_path, lines)))
    assert len(found.rows) == 30
    assert {e.first.epochs for e in found.entries} == {10.0}
    assert any("of fewer epochs or other pictures" in note for note in found.notes)


def _written(folder: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    path = folder / "journal.log"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_an_axis_has_round_marks_inside_its_ends(low: float, width: float) -> None:
    found = rounds(low, low + width)
    assert all(low - 1e-6 * width - 1e-6 <= value <= low + width * (1 + 1e-6) + 1e-6 for value in found)
    assert len(found) <= 9


@given(st.lists(st.floats(1e-3, 1e12), min_size=1, max_size=5), st.booleans())
def test_all_values_lie_on_their_axis(values: list[float], log: bool) -> None:
    found = axis("x", values, log=log)
    assert all(0 <= found.share(value) <= 1 for value in values)
    assert len(found.marks()) >= 2
    marks = [value for value in found.marks() if value > 0 or not found.log]
    assert all(-1e-9 <= found.share(value) <= 1 + 1e-9 for value in marks)  # 0.34 is above 0.33999999999999997


def test_rows_know_their_family_by_all_but_the_seed(journal: Path) -> None:
    rows = rows_of(read_kept(journal))
    trials = list(source.invented(600))
    by_task = {replace(each.trial.task, recipe=replace(each.trial.task.recipe, seed=0)).key for each in trials}
    assert len({each.family for each in rows}) == len(by_task)
