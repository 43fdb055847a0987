"""compoundnet quantize: exit codes, its report as JSON, and one line for everything that cannot be used."""

import json
from pathlib import Path

import pytest

from compoundnet import Pretrained, save
from compoundnet.cli import main
from compoundnet.quantizing.data import LEAST, UNREADABLE
from tests.quantized import BLOCKS, labelled, model, picture, spoil

GATES = ("--max-drop", "20", "--min-speedup", "0")


@pytest.fixture(scope="module")
def small() -> Pretrained:
    return model(classes=("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "ibis"))


@pytest.fixture(scope="module")
def weights(small: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save(path, small.model, small.weights)
    return path


@pytest.mark.slow
def test_a_written_artefact_is_reported_and_verified(
    small: Pretrained, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = labelled(tmp_path / "labelled", small)
    next(iter(data.rglob("*.png"))).write_bytes(b"no picture")
    out, report = tmp_path / "small.xml", tmp_path / "told.json"
    command = ["quantize", str(weights), "--data", str(data), "--out", str(out), "--engine", "openvino", *GATES]
    assert main([*command, "--report", str(report), "--json"]) == 0
    shown, err = capsys.readouterr()
    told = json.loads(shown)
    assert told == json.loads(report.read_text())
    assert told["written"] == str(out)
    assert told["gates"] == {"max_drop": 20.0, "min_speedup": 0.0}
    assert len(told["data"]["unreadable"]) == err.count("left out") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labelled", "small.bin", "small.xml", "told.json"]
    assert main(["verify", str(out)]) == 0
    assert "int8 for openvino: top-1" in capsys.readouterr().out


@pytest.mark.slow
def test_when_both_gates_fail_nothing_is_written_but_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretrained = model()
    spoil(pretrained, "stem", *BLOCKS, "top")
    data = labelled(tmp_path / "labelled", pretrained)
    save(tmp_path / "spoilt.safetensors", pretrained.model, pretrained.weights)
    out = tmp_path / "out"
    out.mkdir()
    (out / "small.onnx").write_text("what stood here before")
    command = ["quantize", str(tmp_path / "spoilt.safetensors"), "--data", str(data), "--out", str(out / "small.onnx")]
    assert main([*command, "--max-drop", "0", "--min-speedup", "1000"]) == 1
    shown, err = capsys.readouterr()
    assert "naive int8" in shown
    [line] = err.splitlines()
    assert "not written: " in line
    assert "times as fast as float" in line
    assert "less than 1000; keep float (compoundnet export), or allow it with --min-speedup" in line
    assert sorted(path.name for path in out.iterdir()) == ["small.onnx", "small.report.json"]
    assert (out / "small.onnx").read_text() == "what stood here before"
    told = json.loads((out / "small.report.json").read_text())
    assert told["written"] is None
    drop, speed = told["failed"]
    assert drop.startswith("top-1 drops by ")
    assert "with 5 of 6 blocks in float, more than 0; allow more with --max-drop" in drop
    assert speed.startswith("int8 is ")
    assert drop in line
    assert speed in line
    assert set(told["float_blocks"]) < {"stem", *BLOCKS, "top", "classifier"}


def refused(
    folder: Path, weights: Path, capsys: pytest.CaptureFixture[str], *more: str, out: str = "small.onnx"
) -> str:
    """The one line about a command that cannot be carried out, which leaves nothing behind."""
    before = sorted(folder.rglob("*"))
    code = main(["quantize", str(weights), "--data", str(folder / "labelled"), "--out", str(folder / out), *more])
    shown, err = capsys.readouterr()
    assert (code, shown, err.count("\n")) == (2, "", 1)
    assert sorted(folder.rglob("*")) == before
    return err


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ([], "no labels: it has no sub-folders"),
        (["bea"], "1 of 1 class is none of the model's ('bea'); did you mean bee"),
        (["10"], "or an index from 0 to 9"),
        (["-1"], "is none of the model's"),
        (["ibis"], "classes 8 and 9 have this name; use the index"),
        (["bee"], f"0 pictures that can be read; at least {LEAST} are needed"),
    ],
)
def test_folders_that_are_no_classes_are_refused(
    names: list[str], line: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in names:
        (tmp_path / "labelled" / name).mkdir(parents=True)
    (tmp_path / "labelled").mkdir(exist_ok=True)
    assert line in refused(tmp_path, weights, capsys)


def test_a_folder_that_does_not_exist_is_refused(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no such folder" in refused(tmp_path, weights, capsys)


def test_too_few_pictures_are_refused(
    small: Pretrained, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(tmp_path / "labelled", small, LEAST - 1)
    assert f"{LEAST - 1} pictures that can be read; at least {LEAST}" in refused(tmp_path, weights, capsys)


def test_too_many_unreadable_pictures_are_listed(
    small: Pretrained, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = labelled(tmp_path / "labelled", small)
    paths = sorted(data.rglob("*.png"))
    broken = paths[: int(UNREADABLE * len(paths)) + 1]
    for path in broken:
        path.write_bytes(b"no picture")
    err = refused(tmp_path, weights, capsys)
    assert f"{len(broken)} of {len(paths)} pictures cannot be read, more than {UNREADABLE:.0%}" in err
    assert all(path.name in err for path in broken)


def test_labels_of_other_classes_are_refused_since_no_drop_could_show(
    small: Pretrained, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = labelled(tmp_path / "labelled", small)
    for sub in sorted(data.iterdir()):
        sub.rename(data / f"moved {sub.name}")
    for sub in sorted(data.iterdir()):
        sub.rename(data / str((int(sub.name.split()[1]) + 1) % 10))
    err = refused(tmp_path, weights, capsys)
    assert "float names 0.0 % of the 40 held-out pictures rightly" in err
    assert "check that the folders are this model's classes" in err


@pytest.mark.parametrize(
    ("more", "out", "line"),
    [
        ((), "small.xml", "a file for onnxruntime ends in .onnx"),
        (("--engine", "openvino"), "small.onnx", "a file for openvino ends in .xml"),
        (("--max-drop", "-1"), "small.onnx", "max_drop: -1.0 is not a number of points from 0 to 100"),
        (("--min-speedup", "-1"), "small.onnx", "min_speedup: -1.0 is not a factor of at least 0"),
        (("--threads", "0"), "small.onnx", "threads: 0 is not a whole number of at least 1"),
        ((), "no/folder/small.onnx", "create it first"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(
    more: tuple[str, ...], out: str, line: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labelled" / "bee").mkdir(parents=True)
    picture(0).save(tmp_path / "labelled" / "bee" / "0.png")
    assert line in refused(tmp_path, weights, capsys, *more, out=out)


def test_the_report_cannot_take_the_artefact_s_place(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labelled").mkdir()
    for engine, out, report in (("onnxruntime", "a.onnx", "a.onnx"), ("openvino", "a.xml", "a.bin")):
        err = refused(tmp_path, weights, capsys, "--engine", engine, "--report", str(tmp_path / report), out=out)
        assert "the report cannot stand where the artefact does" in err


def test_a_missing_package_is_named_with_the_pip_command(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(name: str) -> None:
        assert name

    monkeypatch.setattr("compoundnet.export.formats.find_spec", nothing)
    assert "pip install 'compoundnet[export]'" in refused(tmp_path, weights, capsys)
