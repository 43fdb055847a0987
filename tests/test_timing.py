"""compoundnet time: its JSON, its tables, its warnings, and one line for every mistake."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from compoundnet import build, by_stage, cost, load, named, save
from compoundnet.cli import main

KEYS = ["network", "engine", "threads", "batch", "median_ms", "low_ms", "spread"]
KEYS += ["gmacs_per_s", "roofline_share", "raw_ms"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COMPOUNDNET_CACHE", str(tmp_path / "cache"))

    def run(*argv: object) -> tuple[int, str, str]:
        code = main(["time", *map(str, argv)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def answer(run: Run, *argv: object) -> list[dict[str, Any]]:
    code, out, _ = run(*argv, "--json")
    assert code == 0
    return json.loads(out)


def test_the_json_is_a_list_with_these_keys(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(named("tiny").to_dict()))
    rows = answer(run, "tiny", path, "--engine", "torch", "--rounds", 4, "--batch", 2)
    assert [list(row) for row in rows] == [KEYS] * 2
    assert [(row["engine"], row["network"]) for row in rows] == [("torch", "tiny"), ("torch", str(path))]
    for row in rows:
        assert (row["threads"], row["batch"], len(row["raw_ms"])) == (1, 2, 4)
        assert min(row["raw_ms"]) <= row["low_ms"] <= row["median_ms"] <= max(row["raw_ms"])
        macs = 2 * cost(named("tiny")).macs
        assert row["gmacs_per_s"] == pytest.approx(macs / row["median_ms"] / 1e6)
        assert 0 < row["roofline_share"] < 1


@pytest.mark.slow
def test_auto_says_on_stderr_which_engine_it_took_and_why(run: Run) -> None:
    code, out, err = run("tiny", "--rounds", 2, "--json")
    [row] = json.loads(out)
    assert code == 0
    assert f"compoundnet: tiny: {row['engine']} is the fastest (" in err
    for name in ("torch", "onnxruntime", "openvino", "measured now"):
        assert name in err
    code, out, err = run("tiny", "--rounds", 2, "--engine", "auto,torch", "--json")
    assert code == 0
    assert "measured before" in err
    assert [found["engine"] for found in json.loads(out)] == list(dict.fromkeys([row["engine"], "torch"]))


def test_the_table_shows_each_network_the_ratio_and_the_limit(run: Run) -> None:
    code, out, _ = run("tiny", "mobilenet_v2", "--engine", "torch", "--rounds", 2)
    assert code == 0
    first, second = (next(line for line in out.splitlines() if line.startswith(n)) for n in ("tiny", "mobilenet_v2"))
    assert first.split()[6] == "1.000"
    assert float(second.split()[6]) > 2
    assert "GMAC/s, a float32 product of 512 x 512 matrices in the same run" in out


def test_preprocessing_on_the_clock_takes_longer(run: Run) -> None:
    [alone] = answer(run, "tiny", "--engine", "torch", "--rounds", 5)
    [whole] = answer(run, "tiny", "--engine", "torch", "--rounds", 5, "--with-preprocess")
    assert whole["low_ms"] > alone["low_ms"]
    assert (
        "decoding, resizing and the network" in run("tiny", "--engine", "torch", "--rounds", 1, "--with-preprocess")[1]
    )


def test_why_lists_the_stages_and_the_rule(run: Run) -> None:
    [row] = answer(run, "tiny", "--engine", "torch", "--rounds", 2, "--why")
    assert {stage["stage"] for stage in row["stages"]} == {name for name, _ in by_stage(named("tiny"))}
    assert all(stage["bound"] in ("compute", "memory", "overhead") for stage in row["stages"])
    code, out, _ = run("tiny", "--engine", "torch", "--rounds", 2, "--why")
    assert code == 0
    for text in ("tiny on torch, stage by stage", "stages.0", "Bound by", "at least half of its time"):
        assert text in out


def test_a_weights_file_with_denormals_is_warned_of_with_the_remedy(run: Run, tmp_path: Path) -> None:
    lite = load("efficientnet_lite0")
    with torch.no_grad():
        lite.model.get_parameter("classifier.weight")[0, :3] = 1e-41
    path = tmp_path / "slow.safetensors"
    save(path, lite.model, lite.weights)
    code, _, err = run(path, "--engine", "torch", "--rounds", 1)
    assert code == 0
    assert f"{path}: 3 denormal weights" in err
    assert "torch.set_flush_denormal(True)" in err
    assert build(named("tiny")).training  # and nothing global was touched
    assert torch.tensor([1e-41]).mul(1.0).item() != 0


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["tiny", "--engine", "onnxrt"], "unknown engine 'onnxrt'; did you mean onnxruntime"),
        (["tiny", "--engine", "torch,"], "'torch,' names no engine"),
        (["tiny", "--threads", "0"], "--threads: 0 is not a whole number of at least 1"),
        (["tiny", "--batch", "-2"], "--batch: -2 is not a whole number of at least 1"),
        (["tiny", "--rounds", "0"], "--rounds: 0 is not a whole number of at least 1"),
        (["tiny", "--rounds", "many"], "--rounds: expected a whole number, got 'many'"),
        (["tiny", "--with_preprocess"], "did you mean --with-preprocess"),
        (["tony"], "unknown network 'tony'; did you mean tiny"),
        (["nothing.safetensors"], "nothing.safetensors"),
        ([], "NETS is missing"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, argv: list[str], problem: str) -> None:
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("compoundnet: error: ")
    assert err.count("\n") == 1
    assert problem in err


def test_a_missing_extra_is_one_line_with_the_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    code, _, err = run("tiny", "--engine", "openvino")
    assert (code, err.count("\n")) == (2, 1)
    assert "pip install 'compoundnet[openvino]'" in err
