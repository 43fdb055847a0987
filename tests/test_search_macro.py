"""The benchmark on NAS-Bench-Macro: its table as a problem, and its arithmetic. The table itself is not committed."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.macro_table import SPACE, Macro, index, read
from benchmarks.search_macro import LONG, TRIALS, finished, intervals, reached


@pytest.fixture
def macro() -> Macro:
    """Invented: the more layers are real, the more accurate and the dearer."""
    layers = np.array([sum(SPACE.at(place)) for place in range(SPACE.size)], np.float64)
    accuracies = 0.5 + 0.02 * layers[:, None] + np.array([-0.01, 0.0, 0.01])
    return Macro(accuracies, 1e6 * (1 + layers), 1e5 * (1 + layers))


def test_points_and_places_are_each_others_inverse() -> None:
    assert [index(SPACE.at(place)) for place in range(SPACE.size)] == list(range(6561))


def test_the_best_within_the_limit_has_no_regret_and_others_what_they_lack(macro: Macro) -> None:
    most = macro.limit("median")
    assert most == macro.limit("middle") == 9e6
    problem = macro.problem(most)
    assert all(problem.admits(point) for point in macro.admissible(most))
    assert len(macro.admissible(most)) == sum(map(problem.admits, map(SPACE.at, range(SPACE.size))))
    assert macro.regret((1,) * 8, most) == pytest.approx(0)
    assert macro.regret((1,) * 7 + (0,), most) == pytest.approx(2)


def test_a_trial_is_one_of_three_trainings_and_stays_the_same_in_a_repeat(macro: Macro) -> None:
    point = (0, 1, 2, 0, 1, 2, 0, 1)
    seen = {macro.trained(point, repeat).accuracy for repeat in range(40)}
    assert seen == set(macro.accuracies[index(point)].tolist())
    assert macro.trained(point, 3) == macro.trained(point, 3)


def test_how_many_trials_random_needs_lies_between_those_looked_at() -> None:
    means = np.linspace(0.5, 0.05, len(LONG))
    assert reached(means, 0.6) == LONG[0]
    assert reached(means, 0.475) == 35
    assert reached(means, float(means[-1])) == LONG[-1]
    assert reached(means, 0.01) is None


def test_intervals_hold_the_mean() -> None:
    rng = np.random.default_rng(1)
    rows = intervals([{"observed": rng.random(len(LONG)).tolist()} for _ in range(60)], "observed")
    assert len(rows) == len(TRIALS)
    assert all(low < mean < high and high - low < 0.2 for mean, low, high in rows)


def test_another_table_is_refused_and_a_line_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("arch,acc_seed0,acc_seed1,acc_seed2,params,flops\n00000000,1,1,1,1,1\n")
    with pytest.raises(ValueError, match="not the 6,561 networks"):
        read(tmp_path / "table.csv")
    (tmp_path / "kept.jsonl").write_text('{"repeat": 1}\n{"repe')
    assert finished(tmp_path / "kept.jsonl") == [{"repeat": 1}]
    assert finished(tmp_path / "none.jsonl") == []
