"""int8: the sensitive block is found and only it stays float; what was written proves itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from compoundnet import Pretrained
from compoundnet.engines.openvino_core import openvino_core
from compoundnet.export import ArtefactError, golden, verify
from compoundnet.export.proof import _unpacked
from compoundnet.quantizing import Quantized, quantize
from compoundnet.quantizing.correction import correct, input_means
from compoundnet.quantizing.data import Pictures, read
from compoundnet.quantizing.judging import Drop, Jury, jury
from compoundnet.quantizing.machine import here
from compoundnet.quantizing.parts import EngineName, Part
from compoundnet.quantizing.qdq import quantized, scheme
from compoundnet.quantizing.ranges import collect
from compoundnet.quantizing.search import Judges, fallback, sensitivity
from compoundnet.quantizing.study import Asked, Workshop
from tests.quantized import BLOCKS, PICTURES, labelled, model, spoil

ENGINES: tuple[EngineName, ...] = ("onnxruntime", "openvino")
SUFFIX = {"onnxruntime": ".onnx", "openvino": ".xml"}
SPOILT = BLOCKS[1]
GATES = {"max_drop": 10.0, "min_speedup": 0.0}  # of a tiny network, int8 is no faster


def silent(done: int, total: int) -> None:
    assert done <= total


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pretrained, Path]:
    """A model with one block that one scale for a whole map ruins, and pictures that it names rightly."""
    pretrained = model()
    spoil(pretrained, SPOILT)
    return pretrained, labelled(tmp_path_factory.mktemp("labelled"), pretrained)


@pytest.fixture(scope="module")
def made(spoilt: tuple[Pretrained, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Quantized]:
    """The int8 artefact for each engine."""
    folder = tmp_path_factory.mktemp("made")
    return {
        engine: quantize(*spoilt, folder / f"{engine}{SUFFIX[engine]}", engine=engine, **GATES) for engine in ENGINES
    }


# What stays float


def require_spoilt(engine: str, floats: tuple[str, ...]) -> None:
    """Without dot products in the processor ONNX Runtime's sums saturate, so another block may need floats too."""
    assert SPOILT in floats
    assert floats == (SPOILT,) or (engine == "onnxruntime" and not here() and len(floats) == 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_block_that_was_made_sensitive_is_found_and_only_it_stays_float(
    engine: str, made: dict[str, Quantized]
) -> None:
    report = made[engine].report
    first, second = report.sensitivity[:2]
    assert first.part == Part(SPOILT, "layers")
    assert first.sqnr_db < second.sqnr_db - 10
    require_spoilt(engine, tuple(report.float_blocks))
    assert "points" in report.float_blocks[SPOILT]
    assert set(report.int8_blocks) == {"stem", *BLOCKS, "top", "classifier"} - set(report.float_blocks)
    assert report.contenders["naive"].agreement < 50 < 90 <= report.contenders["int8"].agreement


@pytest.mark.slow
def test_a_block_that_was_made_float_in_vain_becomes_int8_again(spoilt: tuple[Pretrained, Path]) -> None:
    pretrained, folder = spoilt
    shop = Workshop(pretrained, Asked(engine="onnxruntime", threads=1, seed=0, **GATES), dot_products=True)
    data, preprocess = read(folder, pretrained.weights, seed=0), pretrained.weights.preprocess
    plain = shop.start(shop.float)
    calibration, held_out = (jury(plain, part, preprocess) for part in (data.calibration, data.held_out))
    ranges = collect(shop.float, data.calibration, preprocess, silent)
    means = input_means(shop.float, data.calibration, preprocess, silent)
    judges = Judges(lambda plan: shop.start(shop.graph(plan, ranges, means)), calibration, held_out, 10.0)
    wrongly_ranked = sorted(shop.layers, key=lambda part: (part.block != "top", part.block != SPOILT))
    trial, reasons = fallback(judges, wrongly_ranked)
    assert trial.plan == {part for part in shop.layers if part.block != SPOILT}
    assert list(reasons) == [SPOILT]


# The graph


@pytest.fixture(scope="module")
def silu() -> tuple[Workshop, Jury]:
    """A network with SiLU and squeeze-and-excitation, and pictures that float answered."""
    pretrained = model("silu")
    asked = Asked(engine="onnxruntime", threads=1, seed=0, **GATES)
    shop = Workshop(pretrained, asked, dot_products=True)
    pixels = golden.varied(3, 64)
    pictures = Pictures(pixels, np.zeros(len(pixels), np.int64))
    return shop, jury(shop.start(shop.float), pictures, pretrained.weights.preprocess)


def graph_of(shop: Workshop, judged: Jury, *kinds: str) -> onnx.ModelProto:
    ranges = collect(shop.float, judged.pictures, judged.preprocess, silent)
    means = input_means(shop.float, judged.pictures, judged.preprocess, silent)
    return shop.graph(frozenset(part for part in shop.parts if part.kind in kinds), ranges, means)


def int8_nodes(proto: onnx.ModelProto) -> set[str]:
    """The names of nodes of which every input is dequantized or constant, and the output quantized."""
    given = {node.output[0] for node in proto.graph.node if node.op_type == "DequantizeLinear"}
    given |= {tensor.name for tensor in proto.graph.initializer}
    taken = {node.input[0] for node in proto.graph.node if node.op_type == "QuantizeLinear"}
    return {node.name for node in proto.graph.node if given.issuperset(node.input) and node.output[0] in taken}


def test_weights_are_int8_with_a_scale_for_each_channel_and_silu_and_gates_are_float(
    silu: tuple[Workshop, Jury],
) -> None:
    shop, judged = silu
    proto = graph_of(shop, judged, "layers")
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    layers = {name for part, names in shop.parts.items() if part.kind == "layers" for name in names}
    assert layers <= int8_nodes(proto)
    matrices = [
        node
        for node in proto.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in held and held[node.input[0]].ndim > 1
    ]
    assert len(matrices) == sum(name.endswith(("/Conv", "/Gemm")) for name in layers)
    for node in matrices:
        weight, scales = held[node.input[0]], held[node.input[1]]
        assert weight.dtype == np.int8
        assert scales.shape == (len(weight),)
        assert len(weight) > 1
    others = {node.name for node in proto.graph.node if node.op_type in ("Sigmoid", "Mul", "ReduceMean")}
    assert others
    assert not others & int8_nodes(proto)
    assert not {name for name in int8_nodes(proto) if ".se" in name}


def test_silu_and_gates_become_int8_when_they_are_asked_for(silu: tuple[Workshop, Jury]) -> None:
    shop, judged = silu
    proto = graph_of(shop, judged, "layers", "activations", "gates")
    wanted = {name for names in shop.parts.values() for name in names}
    assert {name for name in wanted if name.endswith("/Sigmoid")} <= int8_nodes(proto)
    assert wanted <= int8_nodes(proto)


def test_without_vnni_weights_have_7_bits(silu: tuple[Workshop, Jury]) -> None:
    shop, judged = silu
    ranges = collect(shop.float, judged.pictures, judged.preprocess, silent)
    names = [name for part, names in shop.parts.items() if part.kind == "layers" for name in names]
    largest: dict[bool, int] = {}
    for dot_products in (True, False):
        proto = quantized(shop.float, ranges, names, scheme("onnxruntime", dot_products))
        arrays = [numpy_helper.to_array(tensor) for tensor in proto.graph.initializer]
        largest[dot_products] = max(int(np.abs(array.astype(int)).max()) for array in arrays if array.dtype == np.int8)
    assert largest == {True: 127, False: 64}


def test_corrected_biases_bring_the_logits_closer(silu: tuple[Workshop, Jury]) -> None:
    shop, judged = silu
    ranges = collect(shop.float, judged.pictures, judged.preprocess, silent)
    names = [name for part, names in shop.parts.items() if part.kind == "layers" for name in names]
    plain = quantized(shop.float, ranges, names, replace(scheme("onnxruntime", True), per_channel=False))
    before = judged.score(shop.start(plain)).sqnr_db
    correct(plain, shop.float, input_means(shop.float, judged.pictures, judged.preprocess, silent))
    assert judged.score(shop.start(plain)).sqnr_db > before


def test_sensitivity_ranks_every_part_once(silu: tuple[Workshop, Jury]) -> None:
    shop, judged = silu
    ranges = collect(shop.float, judged.pictures, judged.preprocess, silent)
    means = input_means(shop.float, judged.pictures, judged.preprocess, silent)
    found = sensitivity(lambda plan: shop.start(shop.graph(plan, ranges, means)), judged, shop.layers)
    assert sorted(item.part for item in found) == sorted(shop.layers)
    assert [item.sqnr_db for item in found] == sorted(item.sqnr_db for item in found)


# The artefact


def test_the_artefact_answers_the_same_in_plain_onnxruntime(made: dict[str, Quantized]) -> None:
    exported = made["onnxruntime"].exported
    session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    for case in exported.record.cases:
        pictures = golden.raw(case)
        assert pictures is not None
        inputs = golden.normalised(pictures, exported.record.preprocess)
        found = np.concatenate([np.asarray(session.run(None, {"images": one[None]})[0]) for one in inputs])
        assert np.array_equal(found, _unpacked(case.logits, found.shape))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_record_says_that_it_is_int8_and_what_was_measured(engine: str, made: dict[str, Quantized]) -> None:
    record, report = verify(made[engine].exported.path).record, made[engine].report
    assert record.int8 is not None
    assert record.int8.engine == engine
    require_spoilt(engine, record.int8.float_blocks)
    assert record.int8.drop == report.contenders["int8"].drop["points"] <= GATES["max_drop"]
    assert record.int8.speedup == report.contenders["int8"].speedup
    assert record.tensors_sha256 == report.model["tensors_sha256"]
    assert record.read_weights().network == model().weights.network


@pytest.mark.parametrize("engine", ENGINES)
def test_a_flipped_bit_is_found(engine: str, made: dict[str, Quantized], tmp_path: Path) -> None:
    source = made[engine].exported.path
    for part in source.parent.glob(f"{source.stem}.*"):
        (tmp_path / part.name).write_bytes(part.read_bytes())
    path = tmp_path / source.name
    damaged = path.with_suffix(".bin") if engine == "openvino" else path
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(ArtefactError, match="export the model again"):
        verify(path)


def test_openvino_computes_convolutions_in_8_bits(made: dict[str, Quantized]) -> None:
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_core().compile_model(made["openvino"].exported.path, "CPU", hint)
    info = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    ran = [str(node["runtimePrecision"].astype(str)) for node in info if node["layerType"].astype(str) == "Convolution"]
    assert sum(kind in ("u8", "i8") for kind in ran) >= 5
    assert "f32" in ran  # the spoilt block


# The report


@pytest.mark.parametrize("engine", ENGINES)
def test_the_report_says_when_int8_is_slower_and_what_the_pictures_cannot_tell(
    engine: str, made: dict[str, Quantized]
) -> None:
    report = made[engine].report
    slower = [note for note in report.notes if "slower than float on this processor" in note]
    assert len(slower) == (report.contenders["int8"].speedup < 1)
    drop = report.contenders["int8"].drop
    assert drop["n"] == report.data["held_out"] == PICTURES - PICTURES // 3
    low, high = drop["interval"]
    assert low <= drop["points"] <= high
    assert any("cannot rule out" in note for note in report.notes) == (high > GATES["max_drop"])
    assert json.loads(made[engine].report_path.read_text()) == report.to_dict()
    assert report.data["looks"] >= 1
    assert len(report.data["sha256"]) == 64
    assert set(report.seconds) >= {"reading", "calibration", "sensitivity", "search", "clocking"}


def test_a_drop_is_paired_and_its_interval_contains_none_when_as_many_are_gained() -> None:
    even = Drop(n=200, lost=4, gained=4)
    assert even.points == 0
    assert even.interval[0] == pytest.approx(-even.interval[1])
    worse = Drop(n=200, lost=30, gained=2)
    assert worse.points == 14
    assert worse.interval[0] > 8
    assert Drop(n=2000, lost=300, gained=20).interval[0] > worse.interval[0]
