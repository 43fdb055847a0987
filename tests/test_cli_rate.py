"""compoundnet search rate: trials whose accuracies are made up, so that what deserves trust is known."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compoundnet.cli import main
from compoundnet.families import named
from compoundnet.network import Network
from compoundnet.recipes import Optimizer, Recipe
from compoundnet.schema import FieldError
from compoundnet.search.keeping import TrialFolder
from compoundnet.search.proxies import counts, noise, proxies
from compoundnet.search.rating import rate, read_observed, score_networks, trained
from compoundnet.search.trial import Task, Trial
from compoundnet.search.trials import open_store
from compoundnet.search.trials.study import Study

TINY = named("tiny")
PLAIN = Optimizer(warmup_epochs=0)
WIDTHS = tuple(range(4, 24))


def network(width: int) -> Network:
    return replace(TINY, stem=replace(TINY.stem, channels=width), classes=4)


def trials(epochs: int = 8, seeds: int = 2, noise_of: float = 0.0, data: str = "d") -> Iterator[Trial]:
    """Wider is better; a training's own curve ranks only in its later half."""
    rng = np.random.default_rng(epochs)
    for width in WIDTHS:
        for seed in range(seeds):
            accuracy = 0.3 + 0.02 * width + noise_of * rng.normal()
            curve = [rng.uniform(0.2, 0.8) if k < epochs // 2 - 1 else accuracy for k in range(epochs)]
            yield Trial(
                task=Task(
                    network=network(width), recipe=Recipe(epochs=epochs, batch=8, optimizer=PLAIN, seed=seed), data=data
                ),
                state="finished",
                accuracy=accuracy,
                seconds=float(epochs),
                point=(width - 4,),
                costs=counts(network(width)),
                curve=tuple(curve),
            )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trials")
    keep = TrialFolder(path / "trials")
    for each in (*trials(8), *trials(1, seeds=1, noise_of=0.002)):
        keep.put(each)
    diverged = next(trials(8, data="other"))
    keep.put(replace(diverged, state="diverged", accuracy=None, why="no number"))
    return path


def test_predictors_and_cheap_trainings_are_rated_by_the_longest(folder: Path) -> None:
    table = trained(read_observed(str(folder)))
    assert len(table.networks) == 20, "seeds are averaged"
    assert table.accuracies == pytest.approx([each.accuracy for each in table.networks])
    found = rate(table)
    assert found.predictors.rankings[found.predictors.best].tau.value > 0.9
    by_name = {each.name: each for each in found.fidelities}
    assert [*by_name] == [
        "1 epoch",
        "epoch 1 of 8, the same training",
        "epoch 2 of 8, the same training",
        "epoch 4 of 8, the same training",
    ]
    assert by_name["1 epoch"].saving == pytest.approx(8)
    assert by_name["1 epoch"].ranking.tau.value > 0.9
    assert by_name["epoch 4 of 8, the same training"].saving == pytest.approx(2)
    assert by_name["epoch 4 of 8, the same training"].ranking.tau.value == 1
    assert by_name["epoch 1 of 8, the same training"].ranking.tau.value < 0.6
    assert "20 networks; at least 30" in by_name["1 epoch"].why


@pytest.mark.slow
def test_the_command_prints_one_table_and_json(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = tmp_path / "scores.jsonl"
    more = ["--networks", "10", "--pictures", "6", "--scores", str(keep)]
    assert main(["search", "rate", str(folder), *more]) == 0
    out = capsys.readouterr().out
    for row in ("predictor ridge", "predictor boosting", "count params", "proxy zico", "proxy naswot", "1 epoch"):
        assert any(line.startswith(row) for line in out.splitlines()), row
    assert "20 networks trained" in out
    assert "Proxies looked at 10 of them." in out
    assert "a ridge's tau out of sample by" in out
    assert len(keep.read_text().splitlines()) == 10
    assert main(["search", "rate", str(folder), *more, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(keep.read_text().splitlines()) == 10, "none is looked at twice"
    assert [each["name"] for each in told["proxies"]["ratings"]] == [
        *("params", "macs", "depth", "synflow", "naswot", "zico")
    ]
    assert told["proxies"]["ratings"][2]["whole"]["tau"]["value"] is None, "all have one depth"
    assert told["fidelities"][0]["trusted"] is False


def test_a_store_is_read_by_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = tmp_path / "journal.log"
    with open_store(where) as store:
        for name, epochs in (("first", 8), ("second", 2)):
            study = store.study(name, {"data": name})
            for each in trials(epochs, seeds=1):
                recorded(study, each)
    one = read_observed(str(where), "first")
    assert {each.fidelity[0] for each in one} == {8}
    assert {each.name for each in one} == {each.name for each in read_observed(str(where), "second")}
    assert main(["search", "rate", str(where)]) == 2
    assert "holds 2 studies; choose one with --study: 'first', 'second'" in capsys.readouterr().err
    assert main(["search", "rate", str(where), "--study", "frist"]) == 2
    assert "holds no study 'frist'; did you mean first?" in capsys.readouterr().err


def test_rating_changes_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A journal whose last record is half-written, perhaps by a worker at this moment, and a file that is none."""
    where, net = tmp_path / "journal.log", tmp_path / "net.json"
    with open_store(where) as store:
        study = store.study("s", {"data": "d"})
        for each in trials(8, seeds=1):
            recorded(study, each)
    whole = len(read_observed(str(where)))
    with where.open("ab") as file:
        file.write(b'{"op_code":8,"wor')
    before = where.read_bytes()
    assert len(read_observed(str(where))) == whole == len(WIDTHS)
    assert "journal.log ends in a half-written record: 17 bytes left out" in capsys.readouterr().err
    assert where.read_bytes() == before
    net.write_text(json.dumps(TINY.to_dict(), indent=1))
    assert main(["search", "rate", str(net)]) == 2
    err = capsys.readouterr().err
    assert "line 1 is no record" in err
    assert err.count("\n") == 1
    assert json.loads(net.read_text()) == TINY.to_dict()


def recorded(study: Study, trial: Trial) -> None:
    claim = study.claim(trial.task, trial.point, None)
    assert not isinstance(claim, str)
    assert study.record(claim, trial, trial.accuracy or -math.inf, None)


def table(path: Path, rows: list[Mapping[str, Any]]) -> Path:
    path.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n")
    return path


def row(width: int, epochs: int = 8, **changes: object) -> Mapping[str, Any]:
    found = {"number": width, "state": "finished", "accuracy": 0.3 + 0.02 * width, "seconds": epochs, "epochs": epochs}
    return {**found, "cost macs": 1e6 * width, "choice kernel": 3 + 2 * (width % 2), **changes}


def test_a_table_is_read_by_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*map(row, WIDTHS), *(row(width, 1) for width in WIDTHS), row(99, state="failed", accuracy="")]
    path = table(tmp_path / "trials.csv", rows)
    found = trained(read_observed(str(path)))
    assert len(found.networks) == 20
    assert found.features.shape == (20, 3), "a column for either kernel, and the multiply-adds"
    assert [each.name for each in found.fidelities()] == ["1 epoch"]
    assert main(["search", "rate", str(path)]) == 0
    out = capsys.readouterr().out
    assert "A table holds no networks" in out
    assert "predictor gaussian" in out
    assert "proxy" not in out


def test_what_is_not_defined_is_a_dash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The best quarter has one accuracy, so nothing ranks it."""
    path = table(tmp_path / "trials.csv", [row(width, accuracy=min(0.3 + 0.02 * width, 0.6)) for width in WIDTHS])
    assert main(["search", "rate", str(path)]) == 0
    out = capsys.readouterr().out
    assert "nan" not in out
    assert re.search(r"^predictor ridge +[-0-9.]+ \[.*\] +- +[0-9]+ %", out, re.MULTILINE)


@pytest.mark.parametrize(("seed", "positive"), [(3, False), (0, True)])
def test_a_predictor_that_ranks_nothing_is_not_recommended(
    seed: int, positive: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(seed)
    path = table(tmp_path / "trials.csv", [row(width, accuracy=rng.uniform(0.2, 0.8)) for width in WIDTHS])
    assert main(["search", "rate", str(path), "--json"]) == 0
    rankings = json.loads(capsys.readouterr().out)["predictors"]["rankings"]
    assert all(each["tau"]["low"] <= 0 for each in rankings.values())
    assert any(each["tau"]["value"] > 0 for each in rankings.values()) is positive
    assert main(["search", "rate", str(path)]) == 0
    assert (
        "No predictor ranks these networks better than chance: no tau's interval is above 0." in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([], [], "there is no such file; give a trial journal"),
        ([{"a": 1}], [], "no column named accuracy; known: a"),
        ([row(4, accuracy=70)], [], "line 2: accuracy 70 is no share in [0, 1]"),
        ([row(4, accuracy="x")], [], "line 2: accuracy: 'x' is no number"),
        ([row(4, accuracy="nan")], [], "line 2: accuracy: nan is not finite"),
        ([row(w) for w in range(5)], [], "5 finished networks of one length; a rating needs 8"),
        ([row(w, accuracy=0.5) for w in range(9)], [], "all accuracies are equal"),
        ([row(4)], ["--study", "x"], "--study x: a table has no studies"),
        ([row(4)], ["--networks", "3"], "--networks: 3 is below 8"),
        ([row(4)], ["--width", "0"], "--width: 0 is no share"),
    ],
)
def test_bad_input_is_one_line(
    rows: list[Mapping[str, Any]], more: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trials.csv"
    if rows:
        table(path, rows)
    assert main(["search", "rate", str(path), *more]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_damaged_and_empty_folders_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a folder without trials"):
        read_observed(str(tmp_path))
    file = tmp_path / f"{'0' * 64}.json"
    file.write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        read_observed(str(tmp_path))
    with pytest.raises(ValueError, match="a folder of trials has no studies"):
        read_observed(str(folder), "first")


def test_scores_go_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    keep, nets = tmp_path / "scores.jsonl", [network(4), network(5)]
    whole = score_networks(nets, pictures=4, keep=keep)
    assert whole[1] == proxies(nets[1], noise(nets[1], 4))
    keep.write_text(keep.read_text()[:-9])
    done: list[tuple[int, int]] = []

    def note(count: int, total: int) -> None:
        done.append((count, total))

    assert score_networks(nets, pictures=4, keep=keep, on_done=note) == whole
    assert done == [(1, 1)]
    assert score_networks(nets, pictures=4, keep=keep, on_done=note) == whole
    assert done == [(1, 1)], "the line after the torn one is whole"
    with pytest.raises(ValueError, match="cannot be read"):
        score_networks(nets, keep=tmp_path)


def test_trials_without_times_or_choices_rate_what_they_can() -> None:
    from compoundnet.search.rating import Observed

    rows = [
        Observed(name=f"{w}", choices=(), costs={"macs": float(w)}, accuracy=w / 50, seconds=0, fidelity=(e, 0, ""))
        for w in WIDTHS
        for e in (1.0, 4.0)
    ]
    found = trained(rows)
    assert found.fidelities() == (), "nothing is saved where no time was taken down"
    with pytest.raises(FieldError, match="neither choices nor costs"):
        _ = trained([replace(each, costs={}) for each in rows]).features
