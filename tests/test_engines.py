"""Engines: the same logits on all of them, an automatic choice that is remembered, clear errors."""

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import nn

from compoundnet import Measurement, Setting, build, load, named, prepare
from compoundnet.engines import ENGINES, choice, choose, folded, installed, to_onnx, version
from compoundnet.engines.forms import Forms
from compoundnet.engines.pytorch import Runner
from compoundnet.engines.table import Engine
from compoundnet.measuring import denormals
from compoundnet.modules import ConvNet

from .parity import built, difference

QUICK = [name for name, engine in ENGINES.items() if not engine.patient]
PATIENT = [name for name, engine in ENGINES.items() if engine.patient]
CASES = [
    ("tiny", 3, (65, 97)),
    ("efficientnet_lite0", 1, (97, 66)),
    ("resnet18", 3, (65, 97)),
    ("mobilenet_v2", 1, (65, 97)),
]
# Of the largest logit, in float32. Runtimes sum in other orders, and some convolve by Winograd's method.
TOLERANCE = 1e-4


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMPOUNDNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@cache
def model_of(name: str) -> ConvNet:
    return load(name).model if name == "efficientnet_lite0" else built(named(name), seed=0)


def pictures(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def worst(model: ConvNet, forms: Forms, engine: str, threads: int = 1) -> float:
    """The engine's largest error, relative to the model's largest logit."""
    images = pictures(forms.shape)
    with torch.inference_mode():
        expected = model(torch.from_numpy(images)).numpy()
    assert expected.std() > 1e-3
    got = ENGINES[engine].start(forms, threads)(images)
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    return float(np.abs(got - expected).max() / np.abs(expected).max())


@pytest.mark.some(1)
@pytest.mark.parametrize(("name", "batch", "size"), CASES)
def test_every_engine_gives_the_logits_of_the_model(name: str, batch: int, size: tuple[int, int]) -> None:
    model = model_of(name)
    forms = Forms(model, (batch, 3, *size))
    assert {engine: worst(model, forms, engine) > TOLERANCE for engine in QUICK} == dict.fromkeys(QUICK, False)


@pytest.mark.slow
@pytest.mark.parametrize("engine", PATIENT)
def test_the_compiling_engines_give_the_logits_of_the_model(engine: str) -> None:
    model = model_of("tiny")
    assert worst(model, Forms(model, (2, 3, 33, 48)), engine) < TOLERANCE


@pytest.mark.slow
def test_on_two_threads_logits_are_the_same_and_stay_and_pytorchs_own_number_is_left_alone() -> None:
    model = model_of("tiny")
    forms = Forms(model, (1, 3, 32, 32))
    images = pictures(forms.shape)
    before = torch.get_num_threads()
    with torch.inference_mode():
        expected = model(torch.from_numpy(images)).numpy()
    for engine in QUICK:
        run = ENGINES[engine].start(forms, 2)
        first = run(images)
        run(images * 2)
        assert np.abs(first - expected).max() < TOLERANCE * np.abs(expected).max(), engine
        assert torch.get_num_threads() == before


@pytest.mark.some(1)
@pytest.mark.parametrize("engine", QUICK)
def test_several_threads_at_once_get_each_their_own_logits(engine: str) -> None:
    model = model_of("tiny")
    prepared = prepare(model, Setting(size=(32, 32), streams=3), engine)
    images = [pictures((1, 3, 32, 32)) * (1 + index) for index in range(12)]
    with torch.inference_mode():
        expected = [model(torch.from_numpy(image)).numpy() for image in images]
    with ThreadPoolExecutor(3) as pool:
        for got, want in zip(pool.map(prepared, images), expected, strict=True):
            assert np.abs(got - want).max() < TOLERANCE * np.abs(want).max()


@pytest.mark.parametrize("name", ["tiny", "efficientnet_edgetpu_s", "mobilenet_v1", "resnet18", "resnet50"])
def test_folding_leaves_no_norm_and_the_same_logits_and_the_model_as_it_was(name: str) -> None:
    model = built(named(name), seed=1)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    twin = folded(model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in twin.modules())
    assert difference(model, twin, 65, 80) < 1e-5
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


def test_folding_a_model_in_training_mode_gives_what_it_computes_in_eval_mode() -> None:
    model = built(named("tiny"), seed=2).train()
    twin = folded(model)
    assert model.training
    assert difference(model.eval(), twin, 32, 32) < 1e-5


def test_engines_compute_with_no_denormal_weights() -> None:
    model = build(named("tiny"))
    with torch.no_grad():
        model.get_parameter("classifier.weight")[0, :5] = 1e-40
    assert denormals(model) == 5
    assert denormals(folded(model)) == 0


def test_images_may_be_read_only_or_a_view() -> None:
    model = model_of("tiny")
    ready = prepare(model, Setting(size=(32, 48)), "torch")
    images = pictures((1, 3, 32, 48))
    view = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    locked = images.copy()
    locked.flags.writeable = False
    for given in (view, locked):
        np.testing.assert_allclose(ready(given), ready(images), rtol=0, atol=1e-5)


def test_the_default_is_one_image_at_the_networks_own_size() -> None:
    ready = prepare(model_of("tiny"), engine="torch")
    side = named("tiny").resolution
    assert (ready.shape, ready.setting.threads, ready.choice) == ((1, 3, side, side), 1, None)


def test_the_onnx_file_holds_the_folded_graph(tmp_path: Path) -> None:
    import onnx

    to_onnx(model_of("tiny"), Setting(size=(32, 32)), tmp_path / "tiny.onnx")
    graph = onnx.load(tmp_path / "tiny.onnx").graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert [value.name for value in (*graph.input, *graph.output)] == ["images", "logits"]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["tiny.onnx"]


# The automatic choice


@pytest.mark.slow
def test_auto_takes_the_fastest_and_the_second_time_remembers_it(own_cache: Path) -> None:
    model = model_of("tiny")
    setting = Setting(size=(32, 32))
    ready = prepare(model, setting)
    made = ready.choice
    assert made is not None
    assert set(made.ms) == set(QUICK)
    assert ready.engine == made.engine == min(made.ms, key=lambda name: made.ms[name])
    assert not made.from_cache
    assert f"{ready.engine} is the fastest" in str(made)
    assert "measured now" in str(made)
    again = choose(model, setting)
    assert (again.engine, again.ms, again.from_cache) == (made.engine, made.ms, True)
    assert "measured before" in str(again)
    assert len(list(own_cache.rglob("*"))) == 2  # a folder and a file, nothing half-written


@pytest.mark.slow
def test_a_patient_choice_tries_the_compiling_engines_too_and_is_kept_apart() -> None:
    model, setting = model_of("tiny"), Setting(size=(32, 32))
    made = choose(model, setting, patient=True)
    assert set(made.ms) == set(ENGINES)
    assert not made.failed
    assert not choose(model, setting).from_cache
    assert choose(model, setting, patient=True).from_cache
    ready = prepare(model, setting, patient=True)
    assert ready.engine == made.engine
    assert np.isfinite(ready(pictures(ready.shape))).all()


def fake_engines(monkeypatch: pytest.MonkeyPatch, calls: list[str], broken: str = "") -> None:
    """Engines that take no time to start, so that the choice itself is what is tested."""

    def engine(name: str) -> Engine:
        def start(forms: Forms, threads: int, streams: int = 1) -> Runner:
            calls.append(name)
            if name == broken:
                raise RuntimeError("no kernel\nfor this operator")
            return np.copy

        return Engine(name=name, start=start)

    table: Mapping[str, Engine] = MappingProxyType({name: engine(name) for name in ("torch", "onnxruntime")})
    monkeypatch.setattr(choice, "ENGINES", table)


def raced(monkeypatch: pytest.MonkeyPatch, ms: dict[str, float]) -> None:
    def times(calls: Mapping[str, object], *_: object, **__: object) -> dict[str, Measurement]:
        return {name: Measurement((ms[name],)) for name in calls}

    monkeypatch.setattr(choice, "measure", times)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"engine": "tensorrt"}', '{"key": {}, "engine": "gpu", "ms": {}, "failed": {}}']
)
def test_a_corrupt_cache_is_ignored_with_one_line_and_replaced(
    text: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake_engines(monkeypatch, [])
    raced(monkeypatch, {"torch": 2.0, "onnxruntime": 1.0})
    setting = Setting(size=(32, 32))
    choose(model_of("tiny"), setting)
    [path] = own_cache.rglob("*.json")
    good = path.read_text()
    path.write_text(text)
    assert choose(model_of("tiny"), setting).from_cache is False
    [record] = caplog.records
    assert str(path) in record.getMessage()
    assert "\n" not in record.getMessage()
    assert json.loads(path.read_text()) == json.loads(good)


def test_the_cache_knows_network_size_batch_threads_and_versions(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fake_engines(monkeypatch, calls)
    raced(monkeypatch, {"torch": 1.0, "onnxruntime": 2.0})
    settings = [Setting(size=(32, 32)), Setting(size=(32, 33)), Setting(size=(32, 32), batch=2)]
    settings += [Setting(size=(32, 32), threads=2), Setting(size=(32, 32), streams=2)]
    for model in (model_of("tiny"), build(named("mobilenet_v2"))):
        assert not any(choose(model, setting).from_cache for setting in settings)
    monkeypatch.setattr(choice, "version", {"torch": "0.0", "onnxruntime": "0.0"}.get)
    assert not choose(model_of("tiny"), settings[0]).from_cache
    assert choose(model_of("tiny"), settings[0]).from_cache
    assert len(list(own_cache.rglob("*.json"))) == 11


def test_an_engine_that_fails_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_engines(monkeypatch, [], broken="onnxruntime")
    made = choose(model_of("tiny"), Setting(size=(32, 32)))
    assert made.engine == "torch"
    assert made.failed == {"onnxruntime": "RuntimeError: no kernel for this operator"}
    assert "onnxruntime failed: RuntimeError" in str(made)


def test_a_cache_that_cannot_be_written_costs_only_the_memory(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake_engines(monkeypatch, [])
    raced(monkeypatch, {"torch": 1.0, "onnxruntime": 2.0})
    own_cache.write_text("a file where the folder should be")
    assert choose(model_of("tiny"), Setting(size=(32, 32))).engine == "torch"
    assert "not kept" in caplog.text


# Bad input


@pytest.mark.parametrize("shape", [(1, 3, 32, 31), (2, 3, 32, 32), (3, 32, 32), (1, 1, 32, 32)])
def test_images_of_another_shape_are_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    ready = prepare(model_of("tiny"), Setting(size=(32, 32)), "torch")
    with pytest.raises(ValueError, match="images: expected float32") as caught:
        ready(pictures(shape))
    assert "(1, 3, 32, 32)" in str(caught.value)
    assert str(shape) in str(caught.value)


def test_images_of_another_type_are_refused_with_both_types() -> None:
    ready = prepare(model_of("tiny"), Setting(size=(32, 32)), "torch")
    with pytest.raises(ValueError, match=r"expected float32 .* got uint8"):
        ready(np.zeros((1, 3, 32, 32), np.uint8))  # type: ignore[arg-type]


def test_an_unknown_engine_is_told_near_names() -> None:
    for call in (installed, version, partial(prepare, model_of("tiny"), None)):
        with pytest.raises(ValueError, match="unknown engine 'onnx-runtime'; did you mean onnxruntime"):
            call("onnx-runtime")


@pytest.mark.parametrize(
    ("engine", "module", "extra"), [("onnxruntime", "onnxscript", "export"), ("openvino", "openvino", "openvino")]
)
def test_a_missing_extra_is_one_line_with_the_command(
    engine: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert not installed(engine)
    with pytest.raises(ValueError, match=f"needs {module}") as caught:
        prepare(model_of("tiny"), engine=engine)
    assert f"pip install 'compoundnet[{extra}]'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_compiler_is_said_before_anything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match=r"needs the C\+\+ compiler g\+\+"):
        prepare(model_of("tiny"), engine="aot")


@pytest.mark.parametrize(
    ("values", "named_in_error"),
    [
        ({"size": (0, 32)}, r"size\[0\]"),
        ({"size": (32, 32), "batch": 0}, "batch"),
        ({"size": (32, 32), "threads": 0}, "threads"),
    ],
)
def test_counts_below_one_are_refused(values: dict[str, object], named_in_error: str) -> None:
    with pytest.raises(ValueError, match=f"{named_in_error}: 0 is not a whole number"):
        Setting(**values)  # type: ignore[arg-type]


def test_images_too_small_for_the_network_are_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match=r"size\[1\]: 16 is below the total stride 32"):
        prepare(build(named("resnet18")), Setting(size=(32, 16)), "torch")


SIGNALLED = """
import signal, threading
from compoundnet import Setting, build, named, prepare
engines = [prepare(build(named("tiny")), Setting(size=(32, 32)), "openvino")]
gone = threading.Thread(target=engines.clear)
gone.start()
gone.join()
signal.signal(signal.SIGINT, lambda *_: print("heard"))
signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.slow
def test_a_signal_after_openvino_in_another_thread_went_away_is_heard() -> None:
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", SIGNALLED], check=True, capture_output=True)
    assert done.stdout == b"heard\n"
