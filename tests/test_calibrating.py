"""calibrate: samples clocked on this machine, a device fitted, stopped runs going on, drift refused."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compoundnet import Device, build, latency, load_device, named
from compoundnet.calibrating import DriftError, Plan, calibrate, recheck, require_here
from compoundnet.calibrating.clocking import clocked
from compoundnet.calibrating.running import steady
from compoundnet.cli.calibrating import latency_note
from compoundnet.devices import Roofline, to_dict
from compoundnet.devices.device import Sample
from compoundnet.devices.samples import MOST_SAMPLES, REFERENCE, samples, wholes
from compoundnet.engines import Setting
from compoundnet.engines.direct import Direct
from compoundnet.engines.forms import Forms
from compoundnet.engines.runtimes import onnxruntime_on
from compoundnet.layers import Activation
from compoundnet.network import Network
from compoundnet.schema import FieldError
from tests.commands import Run, answer, run

__all__ = ["run"]  # a fixture
TINY = Plan(
    engine="torch", count=22, whole=1, held_out=2, passes=2, rounds=1, most_drift=1000.0
)  # tests may run on a busy machine
ALL = Plan(engine="torch")


def steps(*seconds: float) -> Callable[[], float]:
    """A clock on which every call takes the same time, or the given ones in turn."""
    now, durations = 0.0, (seconds[index % len(seconds)] for index in count())
    starts = True

    def clock() -> float:
        nonlocal now, starts
        now += 0.0 if starts else next(durations)
        starts = not starts
        return now

    return clock


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Device:
    """A real calibration, if a small one."""
    return calibrate(TINY, tmp_path_factory.mktemp("calibration") / "part")


def test_a_calibration_says_what_it_is_and_predicts_its_own_samples(device: Device, tmp_path: Path) -> None:
    assert (device.engine, device.threads, device.batch, device.dtype) == ("torch", 1, 1, "float32")
    assert [sample.network for sample in device.samples] == [*samples(22), wholes(3)[2]]
    assert [sample.network for sample in device.held_out] == [*wholes(2)]
    assert all(len(sample.ms) == 2 for sample in (*device.samples, *device.held_out))
    predicted = np.array([latency(sample.network, device) for sample in device.samples])
    measured = np.array([np.median(sample.ms) for sample in device.samples])
    assert np.corrcoef(np.log(predicted), np.log(measured))[0, 1] > 0.8
    assert device.error > 0
    assert device.repeatability > 0
    out = tmp_path / "device.json"
    out.write_text(json.dumps(to_dict(device)))
    assert load_device(out) == device


def test_samples_are_different_and_as_many_as_the_limit_and_networks_held_out_are_none_of_them() -> None:
    assert len(set(ALL.networks)) == len(ALL.networks) == MOST_SAMPLES
    assert set(Plan.quick("torch").networks) <= {*samples(MOST_SAMPLES), *wholes(18)}
    seen = Counter(index for _, members in ALL.groups for index in members)
    assert set(seen) == set(range(MOST_SAMPLES))
    assert set(seen.values()) == {ALL.passes}


@pytest.mark.parametrize("plan", [ALL, Plan.quick("torch")], ids=["all", "quick"])
def test_samples_have_every_kernel_of_the_families(plan: Plan) -> None:
    from compoundnet import MEMBERS
    from compoundnet.devices.fitting import works

    released = [member.network for name, member in MEMBERS.items() if name != "efficientnet_l2"]
    assert set(works(released)[0]) <= set(works(plan.networks[: plan.count])[0])


def test_a_ratio_is_taken_between_the_references_around_it() -> None:
    clock = steps(9.0, 1.0, 3.0, 9.0, 2.0, 6.0)  # warm-up, reference, call, and the same again
    found = clocked(lambda: None, [lambda: None] * 2, 1, clock)
    assert found.ratios == (2.0, 4.0)
    assert found.reference_ms == 1500.0


def test_a_group_whose_reference_drifts_is_refused() -> None:
    calls = [lambda: None]
    assert steady(lambda: None, calls, TINY, []).ratios
    with pytest.raises(ValueError, match=r"the machine drifts: the reference network takes .* longer") as caught:
        steady(lambda: time.sleep(0.001), calls, ALL, [0.1])
    assert str(caught.value).endswith("; stop other work; the same command goes on, what was measured is kept")


@pytest.mark.slow
def test_a_direct_graph_is_the_exporters_to_the_last_bit() -> None:
    one = tuple(replace(stage, layers=1) for stage in named("resnet18").stages[:2])
    same_graph(replace(named("resnet18"), stages=one, resolution=64))
    same_graph(replace(named("tiny"), stages=named("tiny").stages[:2]))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["silu", "relu", "relu6", "hardswish", "gelu"])
@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_edgetpu_s", "mobilenet_v1", "resnet50"])
def test_every_direct_graph_is_the_exporters(name: str, activation: Activation) -> None:
    same_graph(replace(named(name), resolution=64, activation=activation))


def same_graph(network: Network) -> None:
    """Both ways to ONNX give the same logits, and the same kernels in ONNX Runtime."""
    import onnx
    import torch

    model = build(network, generator=torch.Generator().manual_seed(1)).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.bias.data.normal_(0, 0.1, generator=torch.Generator().manual_seed(2))
    shape = Setting(size=(network.resolution, network.resolution + 1), batch=2).shape(network)
    exported, direct = Forms(model, shape), Direct(model, shape)
    onnx.checker.check_model(onnx.load_from_string(direct.onnx))
    images = exported.images.numpy()
    one, other = (onnxruntime_on(form.onnx, 1)(images) for form in (exported, direct))
    assert np.array_equal(one, other)
    assert len({kernels(form.onnx) for form in (exported, direct)}) == 1


def kernels(model: bytes) -> tuple[Any, ...]:
    """What ONNX Runtime makes of a model: the kinds of its nodes, each with its number."""
    import tempfile

    import onnx
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = f"{folder}/optimised.onnx"
        ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    return tuple(sorted(Counter((node.domain, node.op_type) for node in nodes).items()))


def steady_device(reference_ms: float = 1000.0) -> Device:
    """A device of this machine by a clock on which each call takes a second."""
    from compoundnet.engines.choice import cpu
    from compoundnet.engines.table import version

    some = tuple(Sample(network, (reference_ms,)) for network in samples(4))
    known = calibrated_prices()
    return replace(
        known, engine_version=version("torch"), cpu=cpu(), reference_ms=reference_ms, samples=some, held_out=some[:1]
    )


def calibrated_prices() -> Device:
    from compoundnet.devices.device import Price
    from compoundnet.devices.fitting import works
    from compoundnet.devices.kernels import WORK

    kinds, _ = works(samples(120))
    return Device(engine="torch", prices=tuple(Price(kind, (1.0,) * len(WORK)) for kind in kinds))


def test_a_machine_that_keeps_its_speed_passes_and_one_that_drifts_is_refused() -> None:
    assert recheck(steady_device(), steps(1.0)) == 0
    assert recheck(steady_device(1100.0), steps(1.0)) == pytest.approx(-1 / 11)
    assert recheck(Device(roofline=Roofline())) == 0
    remedies = {
        (700.0, "43% slower"): "stop other work and try again, or calibrate again on a quiet machine",
        (1500.0, "33% faster"): "it was busy then: calibrate again on a quiet machine",
    }
    for (reference_ms, what), remedy in remedies.items():
        problem = f"this machine is {what} than when it was calibrated, 25% are allowed; {remedy}"
        with pytest.raises(DriftError) as caught:
            recheck(steady_device(reference_ms), steps(1.0))
        assert str(caught.value) == f"device: {problem}"


def test_a_device_that_was_calibrated_under_load_is_refused_with_what_helps(run: Run, tmp_path: Path) -> None:
    """Each sample took a thousand seconds then, so the machine is a million times as fast now, whatever it does."""
    path = tmp_path / "device.json"
    path.write_text(json.dumps(to_dict(steady_device(1e6))))
    code, text, err = run("solve", "tiny", "--max-latency", "1s", "--device", path)
    assert (code, text, err.count("\n")) == (2, "", 1)
    problem = "this machine is 100% faster than when it was calibrated, 25% are allowed"
    remedies = "it was busy then: calibrate again on a quiet machine"
    trusting = "--no-recheck takes its latencies as they are, which may be off by 100%"
    assert err == f"compoundnet: error: {path}: device: {problem}; {remedies}; {trusting}\n"


@pytest.mark.parametrize("plan", [ALL, Plan.quick("torch")], ids=["all", "quick"])
def test_what_was_fitted_and_what_was_not_is_told_apart(plan: Plan) -> None:
    every = [Sample(network, (1.0,)) for network in plan.networks]
    device = replace(steady_device(), samples=tuple(every[: plan.fitted]), held_out=tuple(every[plan.fitted :]))
    assert latency_note(replace(device, error=0.123)).endswith(
        f"Mean error 12.3% on {plan.held_out} whole networks that were not fitted; "
        f"fitted were {plan.count + plan.whole} networks ({plan.count} of a stage or two, {plan.whole} whole)."
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"cpu": "another, 64 cores"}, "cpu: the device file is for 'another, 64 cores', not for"),
        ({"engine_version": "0.1"}, "engine_version: the device file is for '0.1', not for"),
        ({"engine": "nothing"}, "unknown engine 'nothing'"),
        ({"engine": "compile"}, "engine 'compile' compiles every sample"),
    ],
)
def test_a_device_of_another_machine_version_or_engine_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        require_here(replace(steady_device(), **change))


@pytest.mark.parametrize("asked", [{"engine": "onnxruntime"}, {"threads": 2}, {"batch": 8}, {"dtype": "int8"}])
def test_a_device_for_another_setting_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match=f"{next(iter(asked))}: the device file is for .* calibrate for it"):
        steady_device().require_made_for(**asked)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--dtype", "int8"), "dtype: 'int8'; only float32 can be calibrated"),
        (("--engine", "tensorrt"), "unknown engine 'tensorrt'"),
        (("--engine", "aot"), "engine 'aot' compiles every sample"),
        (("--threads", "0"), "threads: 0 is not a whole number of at least 1"),
        (("--threads", "99999"), "--threads: 99999; this machine has "),
        (("--batch", "two"), "--batch: expected a whole number, got 'two'"),
    ],
)
def test_what_cannot_be_calibrated_is_one_line(
    run: Run, tmp_path: Path, options: tuple[str, ...], problem: str
) -> None:
    code, text, err = run("calibrate", "--out", tmp_path / "device.json", *options)
    assert (code, text) == (2, "")
    assert problem in err
    assert err.count("\n") == 1
    assert [*tmp_path.iterdir()] == []


def test_a_place_that_cannot_be_written_is_found_before_anything_is_measured(run: Run) -> None:
    code, _, err = run("calibrate", "--out", "/no/such/folder/device.json")
    assert code == 2
    assert "/no/such/folder/device.json: cannot be written" in err
    assert run("calibrate")[0] == 2


def test_solve_takes_a_device_of_this_machine_and_its_certificate_holds(run: Run, tmp_path: Path) -> None:
    path, out = tmp_path / "device.json", tmp_path / "net.json"
    path.write_text(json.dumps(to_dict(steady_device())))
    budget = ("--max-latency", "40ms", "--device", path, "--sides", "64:128:32", "--width", "0.5:1", "--depth", "0.5:1")
    data = answer(run, "solve", "mobilenet_v1", *budget, "--no-recheck", "--out", out)
    assert 0 < data["cost"]["latency_ms"] <= 40
    assert data["budget"]["latency_ms"] == 40.0
    assert latency(Network.from_dict(data["network"]), steady_device()) == pytest.approx(data["cost"]["latency_ms"])
    assert answer(run, "verify-solution", out)["holds"]
    code, text, _ = run("solve", "mobilenet_v1", *budget, "--no-recheck")
    assert code == 0
    assert "Latency: torch " in text
    code, _, err = run("solve", "mobilenet_v1", *budget)
    assert code == 2
    assert f"{path}: device: this machine is " in err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--max-latency", "30ms"), "--max-latency and --device go together"),
        (("--device", "roofline"), "--max-latency and --device go together"),
        (("--max-latency", "30", "--device", "roofline"), "the unit is missing; give one of us, ms, s"),
        (("--max-latency", "30min", "--device", "roofline"), "the unit 'min' is not one of us, ms, s"),
        (("--max-latency", "0ms", "--device", "roofline"), "'0ms' is not more than no time"),
        (("--max-latency", "fast", "--device", "roofline"), "is not a time such as 30ms"),
        (("--max-latency", "3ms", "--device", "roofline:fast"), "is not a device file, roofline, or roofline:40:10"),
        (("--max-latency", "3ms", "--device", "nothing.json"), "nothing.json: No such file"),
    ],
)
def test_a_wrong_latency_or_device_is_one_line(run: Run, options: tuple[str, ...], problem: str) -> None:
    code, text, err = run("solve", "tiny", *options)
    assert (code, text) == (2, "")
    assert problem in err
    assert err.count("\n") == 1


def test_the_reference_is_no_sample() -> None:
    assert REFERENCE not in ALL.networks
