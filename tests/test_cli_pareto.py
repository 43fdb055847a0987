"""pareto on the command line: table, CSV, JSON, pictures, and one line for every mistake."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from compoundnet import Budget, Network, Scaling, accuracy_law, cost, member, named, scale
from compoundnet.accuracy import factors
from compoundnet.devices import Device, Roofline, latency, to_dict
from compoundnet.rules import RULES
from tests.commands import Run, answer, names, run

__all__ = ["run"]  # a fixture

SMALL = ("--width", "0.5:1.5", "--depth", "0.5:2", "--sides", "128:256:32")


def test_the_csv_is_the_whole_front_and_the_table_a_part_of_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "front.csv"
    code, out, err = run("pareto", "mobilenet_v2", *SMALL, "--rows", "5", "--csv", path)
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert out.startswith(f"mobilenet_v2: {len(rows):,} of ")
    macs, top1 = ([float(row[name]) for row in rows] for name in ("macs", "top1"))
    assert macs == sorted(set(macs))
    assert top1 == sorted(set(top1))
    listed = [line.split() for line in out.splitlines()[3:8]]
    assert [line[3] for line in (listed[0], listed[-1])] == [f"{int(macs[0]):,}", f"{int(macs[-1]):,}"]
    assert f"\nWritten to {path}" in out
    law, origin = accuracy_law("mobilenet_v2"), member("mobilenet_v2")
    for row in rows[:: len(rows) // 10]:
        side = int(row["resolution"])
        network = scale(origin.base, Scaling(float(row["depth"]), float(row["width"]), side / 224), origin.rounding)
        counted = cost(network)
        assert [int(row[name]) for name in ("macs", "params", "activations")] == [
            counted.macs,
            counted.params,
            counted.activations,
        ]
        found = law.predict(*factors(network, origin.base), counted.macs)
        assert float(row["top1"]) == pytest.approx(float(found.mean), abs=1e-4)
        assert float(row["low"]) < float(row["top1"]) < float(row["high"])


def test_the_json_has_the_front_the_rule_and_the_released_networks(run: Run) -> None:
    given = ("--depth", "0.8:1.4", "--width", "0.8:1.3", "--sides", "200:300:20", "--rows", "4")
    data = answer(run, "pareto", "efficientnet_b0", *given)
    assert len(data["points"]) == 4 < data["front"] < data["enumerated"] == data["admissible"]
    for point in data["points"]:
        assert point["macs"] == cost(scale(named("efficientnet_b0"), Scaling(**point["scaling"]))).macs
        assert set(point["predicted_top1"]) == {"mean", "low", "high", "outside"}
    released = {each["name"]: each for each in data["released"]}
    assert set(released) == {f"efficientnet-b{k}" for k in range(4)}
    assert [released[f"efficientnet-b{k}"]["published_top1"] for k in range(4)] == [77.1, 79.1, 80.1, 81.6]
    for k in range(4):
        assert released[f"efficientnet-b{k}"]["macs"] == cost(named(f"efficientnet_b{k}")).macs
    ruled = {each["phi"]: each["macs"] for each in data["rule"]["networks"]}
    assert ruled[2] == cost(scale(named("efficientnet_b0"), RULES["efficientnet"] ** 2)).macs


def test_by_multiply_adds_the_released_networks_lie_on_the_front_as_far_as_the_law_can_tell(run: Run) -> None:
    data = answer(run, "pareto", "efficientnet_b0", "--depth", "1:3.2", "--width", "1:2", "--sides", "200:600:20")
    assert len(data["released"]) == 8
    for each in data["released"]:
        top1 = each["predicted_top1"]
        assert top1["mean"] - 1e-3 <= each["front_top1"] < top1["high"]
        assert top1["low"] < each["published_top1"] < top1["high"]


def test_any_scaled_network_is_predicted_as_its_familys_base_scaled(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(named("efficientnet_b3").to_dict()))
    alone = ("--depth", "1", "--width", "1", "--sides", "300")
    b3 = named("efficientnet_b3")
    found = accuracy_law("efficientnet").predict(*factors(b3, named("efficientnet_b0")), cost(b3).macs)
    for net in ("efficientnet_b3", path):
        [point] = answer(run, "pareto", net, *alone)["points"]
        assert point["predicted_top1"]["mean"] == pytest.approx(float(found.mean), abs=1e-4)


def test_a_network_of_no_published_family_has_the_pooled_law_and_no_released_ones(run: Run) -> None:
    data = answer(run, "pareto", "resnet18", *SMALL)
    assert (data["law"], data["released"]) == ("", [])
    code, out, _ = run("pareto", "resnet18", *SMALL)
    assert code == 0
    assert "pooled over all families" in out
    assert "Released" not in out


@pytest.mark.some(1)
@pytest.mark.parametrize("name", ["params", "activations", "memory", "training-memory"])
def test_every_cost_is_weighed_as_the_budget_counts_it(run: Run, name: str) -> None:
    given = ("--dtype", "float16", "--batch", "4", "--optimizer", "adam")
    data = answer(run, "pareto", "mobilenet_v2", "--cost", name, *given, *SMALL)
    key = name.replace("-", "_")
    budget = Budget(**{key: 10**12}, dtype="float16", batch=4, optimizer="adam")
    for point in data["points"][::5]:
        network = scale(named("mobilenet_v2"), Scaling(**point["scaling"]), member("mobilenet_v2").rounding)
        assert budget.needs(cost(network)) == {key: point[key]}
    rising = [(point[key], point["predicted_top1"]["mean"]) for point in data["points"]]
    assert rising == sorted(rising)


def test_latency_is_weighed_with_a_device(run: Run, tmp_path: Path) -> None:
    device = Device(roofline=Roofline(gmacs_per_s=40, gb_per_s=10))
    path = tmp_path / "device.json"
    path.write_text(json.dumps(to_dict(device)))
    plot = tmp_path / "front.svg"
    given = ("--cost", "latency", "--device", path, "--plot", plot, *SMALL)
    data = answer(run, "pareto", "mobilenet_v2", *given)
    for point in data["points"]:
        network = scale(named("mobilenet_v2"), Scaling(**point["scaling"]), member("mobilenet_v2").rounding)
        assert point["latency_ms"] == pytest.approx(latency(network, device))
    words = plot.read_text()
    assert ">latency<" in words
    assert "10 ms<" in words
    path.write_text("{}")
    code, _, err = run("pareto", "mobilenet_v2", *given)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"compoundnet: error: {path}: no device, but an object with nothing; a device is what ")


def test_limits_hold_on_the_whole_front(run: Run) -> None:
    data = answer(run, "pareto", "mobilenet_v2", "--max-params", "3M", "--max-memory", "20MB", *SMALL)
    assert data["admissible"] < data["enumerated"]
    budget = Budget(params=3_000_000, memory=20_000_000)
    for point in data["points"]:
        assert budget.admits(
            cost(scale(named("mobilenet_v2"), Scaling(**point["scaling"]), member("mobilenet_v2").rounding))
        )


@pytest.mark.slow
def test_own_points_move_the_front_and_a_file_can_be_limited(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("depth,width,resolution,macs,top1\n1,1,224,300774272,68.0\n1,0.75,160,107000000,60.0\n")
    given = ("--max-file-size", "8MB", "--dtype", "float16", "--rows", "3", *SMALL)
    before, after = (answer(run, "pareto", "mobilenet_v2", *given, *more) for more in ((), ("--points", path)))
    assert before["admissible"] == after["admissible"] < after["enumerated"]
    budget = Budget(file_size=8_000_000, dtype="float16")
    for each, own in zip(before["points"], after["points"], strict=True):
        assert own["predicted_top1"]["mean"] < each["predicted_top1"]["mean"] - 2
        network = scale(named("mobilenet_v2"), Scaling(**own["scaling"]), member("mobilenet_v2").rounding)
        assert budget.admits(cost(network))
    assert (
        "Accuracy law: mobilenet_v2, with 2 own points;" in run("pareto", "mobilenet_v2", *SMALL, "--points", path)[1]
    )
    path.write_text("depth,width\n1,1\n")
    code, out, err = run("pareto", "mobilenet_v2", *SMALL, "--points", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"compoundnet: error: {path}: ")


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG"), (".html", b"<!doctype html>")])
def test_a_picture_is_written_whole(run: Run, tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / f"front{suffix}"
    assert run("pareto", "mobilenet_v2", *SMALL, "--plot", path)[0] == 0
    assert path.read_bytes().startswith(start)
    assert names(tmp_path) == [path.name]


def test_a_json_file_has_a_front_too(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(named("tiny").to_dict()))
    data = answer(run, "pareto", path, "--sides", "32:64:8")
    assert Network.from_dict(json.loads(path.read_text())).resolution == 32
    assert data["points"][0]["resolution"] == 32


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ("--cost flops", "--cost: expected one of 'macs', 'params'"),
        (
            "--cost latency",
            "--cost latency and --max-latency need a device; give --device, a file that calibrate wrote",
        ),
        ("--device /no/such/file", "/no/such/file: No such file or directory"),
        ("--plot front.jpg", "front.jpg: a picture ends in .svg, .png or .html"),
        ("--plot /no/such/folder/front.svg", "/no/such/folder/front.svg: cannot be written (No such file"),
        ("--csv /no/such/folder/front.csv", "/no/such/folder/front.csv: cannot be written (No such file"),
        ("--csv one.svg --plot one.svg", "one.svg: --csv and --plot name one file; give each its own"),
        ("--max-macs 10", "budget: none of"),
        ("--max-macs 5B", "--max-macs: '5B': the unit 'B' is not one of"),
        ("--rows 0", "rows: 0 is not a whole number of at least 1"),
        ("--points /no/such.csv", "/no/such.csv: No such file or directory"),
        ("--points 20", "20: No such file or directory"),
        ("--max-file-size 20", "--max-file-size: '20': the unit is missing"),
        ("--rule nope", "unknown rule 'nope'"),
        ("--width 2:1", "width: from 2 to 1 is an empty range"),
        ("--sides 8:16:8", "sides: none of 8 to 16 is a side"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(run: Run, argv: str, problem: str) -> None:
    code, out, err = run("pareto", "tiny", "--sides", "32:64:8", *argv.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"compoundnet: error: {problem}")
    assert err.count("\n") == 1


def test_what_fails_leaves_no_file(run: Run, tmp_path: Path) -> None:
    files = ("--csv", tmp_path / "front.csv", "--plot", tmp_path / "front.png")
    assert run("pareto", "tiny", "--sides", "32:64:8", "--max-macs", "10", *files)[0] == 2
    assert names(tmp_path) == []


def test_a_files_columns_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """The order of a set does; files that promise equal bytes may not take theirs from one."""
    files = [tmp_path / f"{seed}.csv" for seed in (1, 2)]
    for seed, file in enumerate(files, 1):
        command = [sys.executable, "-m", "compoundnet", "pareto", "tiny", "--sides", "96:128:32", "--csv", str(file)]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": str(seed)}, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
