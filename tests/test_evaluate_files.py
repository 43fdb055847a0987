"""Evaluation of exported files, with classes of other names, and gone on with after an interruption."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compoundnet import load
from compoundnet.data import folder
from compoundnet.evaluating import artefact, evaluate
from compoundnet.evaluating.running import placed
from compoundnet.export import ArtefactError, export
from compoundnet.schema import FieldError
from tests.commands import Run, answer, run
from tests.test_evaluate import pictures, weights

__all__ = ["pictures", "run", "weights"]  # fixtures


@pytest.fixture(scope="module")
def exported(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place, model = tmp_path_factory.mktemp("exported"), load(weights)
    export(model, place / "many.xml", dynamic="batch")
    export(model, place / "one.pt2")
    export(model, place / "whole.onnx", include_preprocess=True)
    return {path.stem: path for path in place.iterdir() if path.suffix != ".bin"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one", "many", "whole"])
def test_an_exported_file_has_the_figures_of_its_model(
    name: str, exported: dict[str, Path], weights: Path, pictures: Path
) -> None:
    examples, model = folder(pictures), artefact(exported[name])
    found = evaluate(model, examples, batch=3 if name == "many" else None).metrics
    plain = evaluate(load(weights), examples).metrics
    assert found.confusion == plain.confusion
    # With the preprocessing in the graph its resizing differs by rounding of a pixel.
    assert found.nll == pytest.approx(plain.nll, rel=1e-2 if name == "whole" else 1e-4)


@pytest.mark.slow
def test_an_exported_file_runs_as_it_was_exported_or_not_at_all(
    exported: dict[str, Path], pictures: Path, tmp_path: Path
) -> None:
    examples, one = folder(pictures), artefact(exported["one"])
    with pytest.raises(FieldError, match="engine: 'openvino'; the file runs on its own engine"):
        evaluate(one, examples, engine="openvino")
    with pytest.raises(FieldError, match="batch: 4; this file takes one picture at a time"):
        evaluate(one, examples, batch=4)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(exported["whole"].read_bytes()[:-100] + bytes(100))
    with pytest.raises(ArtefactError, match=r"broken\.onnx"):
        artefact(broken)
    with pytest.raises(ArtefactError, match="there is no such file"):
        artefact(tmp_path / "none.onnx")


def test_an_interrupted_evaluation_goes_on_with_what_it_had(weights: Path, pictures: Path, tmp_path: Path) -> None:
    root, kept = tmp_path / "data", tmp_path / "kept.scores"
    shutil.copytree(pictures, root)
    (root / "bee" / "1.png").write_bytes(b"no picture")
    model, examples = load(weights), folder(root)
    plain = evaluate(model, examples, most_unreadable=0.2)

    def interrupt(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, examples, keep=kept, workers=1, most_unreadable=0.2, on_done=interrupt)
    whole = kept.read_bytes()
    for lost, left in ((0, [6, 7, 8]), (3, [5, 6, 7, 8])):  # bytes that a killed process did not write
        kept.write_bytes(whole[: len(whole) - lost])
        again: list[int] = []

        def note(done: int, total: int, to: list[int] = again) -> None:
            to.append(done)

        found = evaluate(model, examples, keep=kept, workers=1, most_unreadable=0.2, on_done=note)
        assert found.to_dict() == plain.to_dict() | {"run": found.run}
        assert again == left
    done = evaluate(model, examples, keep=kept, workers=1, most_unreadable=0.2, on_done=interrupt)
    assert done.metrics.to_dict() == plain.metrics.to_dict()  # nothing was left to do


def test_scores_of_another_evaluation_are_refused_and_stay(weights: Path, pictures: Path, tmp_path: Path) -> None:
    model, kept = load(weights), tmp_path / "kept.scores"
    evaluate(model, folder(pictures), keep=kept)
    there = kept.read_bytes()
    other = shutil.copytree(pictures, tmp_path / "other")
    with pytest.raises(ValueError, match=r"scores of another evaluation \(pictures_sha256 .*name another file"):
        evaluate(model, folder(other), keep=kept)
    assert kept.read_bytes() == there
    text = tmp_path / "notes.txt"
    for content in (b"notes\n", b"no line end", b"[1]\n"):
        text.write_bytes(content)
        with pytest.raises(ValueError, match=r"notes\.txt: not a file of scores; name another file"):
            evaluate(model, folder(pictures), keep=text)
        assert text.read_bytes() == content
    with pytest.raises(ValueError, match="does not exist; create it first"):
        evaluate(model, folder(pictures), keep=tmp_path / "no" / "kept.scores")


def test_a_mapping_renames_and_joins_classes(weights: Path, pictures: Path) -> None:
    record, examples = load(weights).weights, folder(pictures)
    plain = placed(examples, record)
    assert set(plain) == {1, 3}
    assert (placed(examples, record, {"dog": "cat"}) == np.where(plain == 3, 2, 1)).all()
    assert set(placed(examples, record, {"dog": "0", "bee": "0"})) == {0}
    with pytest.raises(FieldError, match="mapping: 'dig' is no class of the data; did you mean dog"):
        placed(examples, record, {"dig": "cat"})


def test_the_command_maps_classes_of_other_names(run: Run, weights: Path, pictures: Path, tmp_path: Path) -> None:
    data, mapping = tmp_path / "data", tmp_path / "map.json"
    shutil.copytree(pictures / "dog", data / "Hunde")
    mapping.write_text(json.dumps({"Hunde": "dog"}))
    argv = ["evaluate", str(weights), "--data", str(data), "--map", str(mapping), "--json"]
    found = answer(run, *argv)
    assert [each["n"] for each in found["per_class"]] == [0, 0, 0, 5]  # and one class alone does
    mapping.write_text(json.dumps({"Hunde": 3}))
    assert answer(run, *argv) == found
    for content, problem in (("[]", "not an object of names"), ("", "not an object"), ('{"Hunde": "dgo"}', "mean dog")):
        mapping.write_text(content)
        code, out, err = run(*argv)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert problem in err


def test_the_command_writes_figures_and_leaves_no_scores(
    run: Run, weights: Path, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "figures.json"
    found = answer(run, "evaluate", str(weights), "--data", str(pictures), "--out", str(out), "--json")
    assert json.loads(out.read_text()) == found
    assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == ["figures.json"]
    code, _, err = run("evaluate", str(weights), "--data", str(pictures), "--out", str(tmp_path / "figures.csv"))
    assert (code, err.count("\n")) == (2, 1)


def test_the_command_ends_with_1_when_a_picture_was_left_out(
    run: Run, weights: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    for index in range(25):
        (tmp_path / "bee").mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), (10 * index, 90, 90)).save(tmp_path / "bee" / f"{index}.png")
    (tmp_path / "bee" / "7.png").write_bytes(b"no picture")
    for model in (weights, exported["whole"]):
        code, out, err = run("evaluate", str(model), "--data", str(tmp_path))
        assert code == 1
        assert "on 24 pictures" in out
        assert "left out" in err
        assert "7.png" in err
    code, _, err = run("evaluate", str(exported["one"]), "--data", str(tmp_path), "--network", "tiny")
    assert (code, err.count("\n")) == (2, 1)
