"""Measured time: turns, statistics and limits, with a clock that the tests wind."""

import statistics
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from compoundnet import Head, MBConv, Measurement, Network, Setting, Stage, Stem, build, by_stage, measure, named
from compoundnet.measuring import denormals
from compoundnet.measuring.limits import copying, matmuls
from compoundnet.measuring.rounds import quantile
from compoundnet.measuring.stages import why
from compoundnet.measuring.traffic import by_stage as bytes_by_stage

TIMES = st.lists(st.floats(0.001, 1e4), min_size=1, max_size=50)


class Clock:
    """Seconds that pass only when a call says so, and the order of the calls."""

    def __init__(self) -> None:
        self.now = 0.0
        self.called: list[str] = []

    def __call__(self) -> float:
        return self.now

    def call(self, name: str, *seconds: float) -> Callable[[], None]:
        left = list(seconds)

        def run() -> None:
            self.called.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return run


def test_calls_take_turns_and_each_round_starts_with_another() -> None:
    clock = Clock()
    measure({name: clock.call(name, 1.0) for name in "abc"}, rounds=4, warmup=0, clock=clock)
    assert "".join(clock.called) == "abcbcacababc"


def test_warm_up_is_thrown_away_and_raw_times_are_kept_in_order() -> None:
    clock = Clock()
    calls = {"slow start": clock.call("", 9.0, 9.0, 0.003, 0.001, 0.002), "steady": clock.call("", 0.5)}
    found = measure(calls, rounds=3, warmup=2, clock=clock)
    assert found["slow start"].raw_ms == pytest.approx((3.0, 1.0, 2.0))
    assert found["steady"].raw_ms == pytest.approx((500.0,) * 3)


def test_a_call_can_be_led_by_calls_off_the_clock() -> None:
    clock = Clock()
    calls = {"a": clock.call("a", 9.0, 0.001, 9.0, 0.002), "b": clock.call("b", 0.5)}
    found = measure(calls, rounds=2, warmup=0, lead=1, clock=clock)
    assert "".join(clock.called) == "aabbbbaa"
    assert found["a"].raw_ms == pytest.approx((1.0, 2.0))


def test_progress_counts_rounds_without_warm_up() -> None:
    seen: list[tuple[int, int]] = []
    measure({"a": lambda: None}, rounds=3, on_done=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@given(TIMES)
def test_quantiles_are_those_of_the_standard_library(times: list[float]) -> None:
    found = Measurement(tuple(times))
    assert found.median_ms == statistics.median(times)
    assert min(times) <= found.low_ms <= found.median_ms * (1 + 1e-12)
    if len(times) > 1:
        quartiles = statistics.quantiles(times, n=4, method="inclusive")
        assert [quantile(found.raw_ms, share) for share in (0.25, 0.5, 0.75)] == pytest.approx(quartiles)
        assert found.spread == pytest.approx((quartiles[2] - quartiles[0]) / found.median_ms, abs=1e-9)


def test_a_machine_is_noisy_when_the_quartiles_are_a_tenth_of_the_median_apart() -> None:
    assert not Measurement((95.0, 100.0, 104.0)).noisy
    assert Measurement((90.0, 100.0, 112.0)).noisy
    assert not Measurement((100.0,) * 9 + (900.0,)).noisy


@pytest.mark.parametrize("rounds", [0, -1, True, 1.5])
def test_less_than_one_round_is_refused(rounds: int) -> None:
    with pytest.raises(ValueError, match=r"rounds: .* is not a whole number of at least 1"):
        measure({"a": lambda: None}, rounds=rounds)


def test_a_measurement_without_times_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one time"):
        Measurement(())


# Denormal weights


@pytest.mark.parametrize(("dtype", "small"), [(torch.float32, 1e-40), (torch.float64, 1e-310), (torch.float16, 1e-6)])
def test_denormals_are_counted_in_weights_and_statistics_also_when_the_processor_flushes_them(
    dtype: torch.dtype, small: float
) -> None:
    norm = nn.BatchNorm2d(4).to(dtype)
    assert norm.running_var is not None
    values = torch.tensor([small, -small, 0.0, 1.0], dtype=dtype)
    norm.weight = nn.Parameter(values)
    norm.running_var.copy_(values)
    assert denormals(norm) == 4
    torch.set_flush_denormal(True)
    try:
        assert denormals(norm) == 4
    finally:
        torch.set_flush_denormal(False)


def test_a_fresh_model_has_no_denormals() -> None:
    assert denormals(build(named("tiny"))) == 0


# Limits and stages


def test_bytes_are_those_of_weights_and_maps() -> None:
    """By hand, on 8 x 8 images: what each layer reads and writes."""
    network = Network(
        stem=Stem(channels=4, stride=1),
        stages=(Stage(operator=MBConv(expand=1, se=0), layers=1, channels=4),),
        head=Head(),
        classes=2,
        resolution=8,
    )
    pixels, wide = 64, 4 * 64
    stem = (3 * pixels + wide) + 2 * wide
    depthwise, project = 2 * wide + 2 * wide, 2 * wide
    block = depthwise + project + 3 * wide
    head = (wide + 4) + (4 + 2)
    weights = {"stem": 9 * 3 * 4 + 4, "stages.0": (9 * 4 + 4) + (4 * 4 + 4), "head": 4 * 2 + 2}
    for batch in (1, 5):
        maps = {"stem": stem * batch, "stages.0": block * batch, "head": head * batch}
        expected = [(row, 4 * (maps[row] + weights[row])) for row in weights]
        assert bytes_by_stage(network, (8, 8), batch) == expected


@pytest.mark.parametrize("name", ["tiny", "efficientnet_lite0", "resnet18", "mobilenet_v2"])
def test_bytes_have_the_rows_of_costs_and_at_least_their_weights(name: str) -> None:
    network = named(name)
    rows = bytes_by_stage(network, (65, 97), 1)
    costs = by_stage(network, (65, 97))
    assert [row for row, _ in rows] == [row for row, _ in costs]
    for (_, moved), (_, cost) in zip(rows, costs, strict=True):
        assert moved > 4 * (cost.activations + 0.9 * cost.params)


def test_a_padded_copy_is_written_and_read() -> None:
    same, symmetric = (
        Network(stem=Stem(channels=4), stages=(Stage(operator=MBConv(), layers=1, channels=4),), padding=padding)
        for padding in ("same", "symmetric")
    )
    more = bytes_by_stage(same, (8, 8), 1)[0][1] - bytes_by_stage(symmetric, (8, 8), 1)[0][1]
    assert more == 4 * 2 * 3 * 9 * 9


def test_the_limits_are_finite_and_run() -> None:
    moved, copy = copying(10, threads=1)
    assert moved == 8_000_000
    found = measure({**matmuls(1), "copy": copy}, rounds=2)
    assert all(value.median_ms > 0 for value in found.values())


def test_the_stages_of_why_are_all_there_longest_first_and_add_up() -> None:
    model = build(named("tiny")).eval()
    rows = why(model, Setting(size=(32, 48), batch=2), rounds=2)
    assert {row.stage for row in rows} == {row for row, _ in by_stage(model.network)}
    assert [row.ms for row in rows] == sorted((row.ms for row in rows), reverse=True)
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert {row.stage: row.macs for row in rows} == {
        row: 2 * cost.macs for row, cost in by_stage(model.network, (32, 48))
    }
    assert all(row.intensity == row.macs / row.bytes for row in rows)
