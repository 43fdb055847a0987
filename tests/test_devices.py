"""Devices: what a calibration fits, what it predicts, what it refuses."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import MEMBERS, Budget, cost, devices, named, scale
from compoundnet.cli.units import duration
from compoundnet.devices import Device, Roofline, Timed, fit, latency, load_device, timed
from compoundnet.devices.device import Price, Sample
from compoundnet.devices.fitting import nonnegative, works
from compoundnet.devices.kernels import WORK
from compoundnet.devices.samples import samples
from compoundnet.rules import RULES
from compoundnet.schema import FieldError
from compoundnet.solving import Ranges, largest_phi, solve, surface, verify
from compoundnet.solving.certificate import to_dict
from compoundnet.solving.front import front
from compoundnet.solving.solver import judged

SAMPLES = samples(150, seed=3)
SMALL = Ranges(depth=(0.3, 2.0), width=(0.3, 1.2), sides=(64, 96, 100, 160))
FAMILIES = ["efficientnet_b0", "efficientnet_lite0", "efficientnet_edgetpu_s", "mobilenet_v1", "mobilenet_v2"]
FAMILIES += ["resnet18", "resnet50"]


def known() -> Device:
    """A machine whose prices we made up."""
    rng = np.random.default_rng(5)
    kinds, _ = works(SAMPLES)
    scale = np.array([9000.0, 0.02, 0.4, 0.6, 0.1])[: len(WORK)]
    prices = tuple(Price(kind, tuple((scale * rng.uniform(0.5, 2, len(WORK))).tolist())) for kind in kinds)
    return Device(engine="torch", engine_version="1", cpu="made up", overhead_ms=0.25, prices=prices, error=0.02)


KNOWN = known()
ROOF = Device(roofline=Roofline())


def test_the_fit_of_an_additive_machine_predicts_any_network_exactly() -> None:
    found = fit(SAMPLES, [latency(network, KNOWN) for network in SAMPLES])
    again = Device(engine="torch", overhead_ms=found.overhead_ms, prices=found.prices)
    for network in SAMPLES:
        assert latency(network, again) == pytest.approx(latency(network, KNOWN), rel=1e-6)
    for name in FAMILIES:
        assert latency(named(name), again) == pytest.approx(latency(named(name), KNOWN), rel=5e-3)


def test_a_time_far_off_does_not_move_the_fit() -> None:
    times = [latency(network, KNOWN) for network in SAMPLES]
    times[7] *= 3
    found = fit(SAMPLES, times)
    again = Device(engine="torch", overhead_ms=found.overhead_ms, prices=found.prices)
    for name in FAMILIES:
        assert latency(named(name), again) == pytest.approx(latency(named(name), KNOWN), rel=0.02)


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_no_coefficient_is_negative_and_none_could_do_better_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, target = rng.standard_normal((12, 5)), rng.standard_normal(12)
    found = nonnegative(rows, target)
    gain = rows.T @ (target - rows @ found)
    assert (found >= 0).all()
    assert np.abs(gain[found > 0]).max(initial=0) < 1e-7
    assert gain.max() < 1e-7


@pytest.mark.parametrize("device", [KNOWN, ROOF], ids=["table", "roofline"])
@pytest.mark.parametrize("name", FAMILIES)
def test_latency_on_the_surface_is_that_of_the_network(name: str, device: Device) -> None:
    member = MEMBERS[name]
    space = surface(member.base, SMALL, member.rounding, device)
    for place in np.random.default_rng(0).integers(0, len(space), 25):
        w, d, r = (int(axis) for axis in np.unravel_index(place, space.shape))
        found = space.cost((w, d, r))
        assert isinstance(found, Timed)
        assert found.latency_ms == pytest.approx(latency(space.at((w, d, r)), device), rel=1e-9)
        assert {**found.to_dict(), "latency_ms": 0} == {**cost(space.at((w, d, r))).to_dict(), "latency_ms": 0}


@pytest.mark.parametrize("device", [KNOWN, ROOF], ids=["table", "roofline"])
def test_more_repeats_never_take_less_time(device: Device) -> None:
    space = surface(named("efficientnet_b0"), SMALL, device=device)
    assert (np.diff(space.costs["latency_ms"], axis=1) > 0).all()
    assert (np.diff(space.costs["latency_ms"], axis=2) > 0).all()


def test_a_limit_on_latency_admits_what_it_names_and_nothing_above() -> None:
    found = timed(named("efficientnet_b0"), KNOWN)
    assert Budget(latency_ms=found.latency_ms).admits(found)
    assert not Budget(latency_ms=found.latency_ms * 0.999).admits(found)
    assert Budget(latency_ms=found.latency_ms).use(found) == 1
    # Sums in another order differ in their last digits, and only there.
    assert Budget(latency_ms=found.latency_ms * (1 - 1e-12)).admits(found)
    assert not Budget(latency_ms=found.latency_ms * (1 - 1e-8)).admits(found)


@pytest.mark.slow
def test_a_network_exactly_at_its_limit_is_found_whoever_adds_its_latency_up() -> None:
    """The surface, the front, the ray and the scalar path add in different orders, and admit the same networks."""
    base, rng = named("efficientnet_b0"), np.random.default_rng(3)
    space = surface(base, SMALL, device=KNOWN)
    for place in rng.integers(len(space), size=40):
        index = tuple(int(axis) for axis in np.unravel_index(int(place), space.shape))
        alone = timed(space.at(index), KNOWN).latency_ms
        for last in (alone, np.nextafter(alone, 0), float(space.costs["latency_ms"][index])):
            budget = Budget(latency_ms=float(last))
            assert judged(space, budget)[1][index]
            assert budget.admits(timed(space.at(index), KNOWN))
            assert not budget.over(space.cost(index))
    budget = Budget(latency_ms=float(space.costs["latency_ms"].min()))
    assert len(front(space, space.costs["macs"], budget=budget)) == 1
    solve(base, budget, RULES["efficientnet"], SMALL, space=space, device=KNOWN)
    reached = largest_phi(base, RULES["efficientnet"], Budget(latency_ms=60.0), device=KNOWN)
    again = largest_phi(
        base,
        RULES["efficientnet"],
        Budget(latency_ms=timed(reached.network, KNOWN).latency_ms * (1 - 1e-12)),
        device=KNOWN,
    )
    assert again.network == reached.network


def test_a_limit_on_latency_without_a_device_is_refused() -> None:
    with pytest.raises(FieldError, match="latency_ms: a limit on latency needs a device"):
        solve(named("tiny"), Budget(latency_ms=3.0), RULES["efficientnet"], SMALL)
    with pytest.raises(FieldError, match="latency_ms: a limit on latency needs a device"):
        Budget(latency_ms=3.0).admits(cost(named("tiny")))


@pytest.mark.parametrize("limit", [0, -1.5, float("nan"), float("inf"), True, "3"])
def test_a_latency_is_a_positive_number(limit: float) -> None:
    with pytest.raises(FieldError, match=r"latency_ms: .* is not a positive number of milliseconds"):
        Budget(latency_ms=limit)


def test_the_solver_uses_a_latency_limit_and_its_certificate_holds() -> None:
    base = named("mobilenet_v1")
    found = solve(base, Budget(latency_ms=3.0), RULES["efficientnet"], SMALL, device=KNOWN)
    best = found.best
    assert isinstance(best.cost, Timed)
    assert 0.95 * 3 < best.cost.latency_ms <= 3
    assert best.cost.latency_ms == pytest.approx(latency(best.network, KNOWN), rel=1e-9)
    assert found.active == ("latency_ms",)
    data = to_dict(found)
    assert data["cost"]["latency_ms"] == best.cost.latency_ms
    assert verify(data).holds
    data["certificate"]["device"] = devices.to_dict(ROOF)
    assert not verify(data).holds


def test_the_largest_phi_keeps_a_latency_limit() -> None:
    found = largest_phi(named("efficientnet_b0"), RULES["efficientnet"], Budget(latency_ms=9.0), device=KNOWN)
    assert latency(found.network, KNOWN) <= 9 < found.broken["latency_ms"]
    scaled = scale(named("efficientnet_b0"), RULES["efficientnet"].scaling ** found.phi)
    assert scaled == found.network


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "device.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_device_is_read_as_it_was_written(tmp_path: Path) -> None:
    full = replace(KNOWN, samples=tuple(Sample(network, (1.0, 2.5)) for network in SAMPLES[:9]))
    assert load_device(written(tmp_path, json.dumps(devices.to_dict(full)))) == full
    assert load_device(written(tmp_path, json.dumps(devices.to_dict(ROOF)))) == ROOF
    assert full.bare == KNOWN


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("threads", 0, "threads: 0 is not a whole number of at least 1"),
        ("dtype", "int8", "dtype: 'int8'; only float32 is measured"),
        ("version", 2, "version: 2 is not supported; this compoundnet reads 1"),
        ("overhead_ms", -1.0, "overhead_ms: -1.0 is not a number of at least 0"),
        ("error", 0.001, "seal: the device was changed after it was written; calibrate again"),
        ("prices", [], "prices: a device has prices or a roofline, one of them"),
        ("prices", [{"kind": "add", "ns": [1.0]}], "prices[0].ns: 1 number; one for each of calls"),
        ("speed", 3, "speed: unknown field of Device"),
        ("seal", None, "seal: the device was changed"),
    ],
)
def test_a_device_file_that_was_changed_is_refused(tmp_path: Path, key: str, value: object, problem: str) -> None:
    path = written(tmp_path, json.dumps(devices.to_dict(KNOWN) | {key: value}))
    with pytest.raises(ValueError, match=re.escape(f"{path}: {problem}")):
        load_device(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "malformed JSON"),
        ("hello", "malformed JSON"),
        (json.dumps(devices.to_dict(KNOWN))[:-40], "malformed JSON"),
        ("[1, 2]", "a device is an object, as calibrate writes it"),
        ("{}", "no device, but an object with nothing"),
        ('{"version": 1, "roofline": {}}', "seal: missing; calibrate again"),
        ('{"roofline": {}}', "version: missing; this compoundnet reads 1"),
        ('{"version": NaN}', "NaN is not a JSON number"),
        (b"\xff\xfe\x00", "malformed JSON"),
        ("[" * 100_000, "nested too deeply"),
        (b" " * 10_000_001, "more than 10,000,000 bytes"),
    ],
    ids=["empty", "text", "cut", "list", "nothing", "no seal", "no version", "NaN", "bytes", "deep", "huge"],
)
def test_what_is_no_device_file_is_one_line(tmp_path: Path, text: str | bytes, problem: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=problem) as caught:
        load_device(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_kernel_that_was_not_measured_is_refused() -> None:
    few = replace(KNOWN, prices=tuple(price for price in KNOWN.prices if price.kind != "maxpool"))
    with pytest.raises(FieldError, match="device: no price for maxpool; calibrate again, without --quick"):
        latency(named("resnet18"), few)


def test_a_roofline_takes_the_longer_of_arithmetic_and_traffic() -> None:
    fast, slow = (Device(roofline=Roofline(gmacs_per_s=rate, gb_per_s=1e6)) for rate in (20, 10))
    net = named("resnet18")
    assert latency(net, slow) == pytest.approx(2 * latency(net, fast), rel=1e-3)
    near, far = (Device(roofline=Roofline(gmacs_per_s=1e6, gb_per_s=rate)) for rate in (10, 5))
    assert latency(net, far) == pytest.approx(2 * latency(net, near), rel=1e-3)
    assert ROOF.error == 0.3


@pytest.mark.parametrize(("text", "ms"), [("30ms", 30.0), ("1.5s", 1500.0), ("250 us", 0.25), ("0.1ms", 0.1)])
def test_a_duration_is_read_with_its_unit(text: str, ms: float) -> None:
    assert duration(text, "--max-latency") == ms
