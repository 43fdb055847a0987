"""What a transfer leaves: its record in words of evaluate, one look at the test pictures, an end that can be redone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compoundnet import load
from compoundnet.cli import INTERRUPTED, main, transferring
from compoundnet.transferring import finish, transfer
from compoundnet.transferring.clock import EXPORT_SECONDS
from compoundnet.transferring.running import Transferred
from compoundnet.weights import Pretrained
from tests.commands import Run, run

from .labelled import digits, in_folders, relabelled

__all__ = ["run"]  # a fixture


@pytest.fixture(scope="module")
def done(parent: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Transferred:
    """A transfer that is trained, but not finished."""
    out = tmp_path_factory.mktemp("made") / "out"
    return transfer(digits(90), parent, out, budget=EXPORT_SECONDS, epochs=1, resolution=32)


@pytest.fixture
def finished(done: Transferred) -> Path:
    """The folder of that transfer, finished now, or once more."""
    finish(done)
    return done.place.folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return in_folders(digits(12), tmp_path_factory.mktemp("labelled"))


def recorded(out: str) -> dict[str, str]:
    """Figures of the lines on the weights' record, by name."""
    start = "Validation during training: "
    lines = [line.removeprefix(start).split(" ", 1) for line in out.splitlines() if line.startswith(start)]
    return {line[0]: line[1] for line in lines}


@pytest.mark.slow
def test_only_accuracies_of_a_transfers_record_are_percent(run: Run, finished: Path, pictures: Path) -> None:
    code, out, err = run("evaluate", str(finished), "--data", str(pictures))
    assert (code, err) == (0, "")
    validated, found = json.loads((finished / "report.json").read_text())["kept"], recorded(out)
    assert found.keys() == {"top1", "top5", "mean_per_class", "auroc", "nll", "calibration_error"}
    for name in ("top1", "top5", "mean_per_class"):
        assert found[name] == f"{100 * validated[name]:g} %"
    for name in ("auroc", "nll", "calibration_error"):
        assert found[name] == f"{validated[name]:g}"
        assert 0 < validated[name] < 2


@pytest.mark.slow
def test_of_several_labels_only_the_share_that_is_all_right_is_percent(
    run: Run, parent: Pretrained, tmp_path: Path
) -> None:
    held = digits(90)
    marks = np.stack([held.labels == 0, held.labels > 0, held.labels == 2], axis=1).astype(np.float32)
    several = relabelled(held, marks, ("zero", "more", "two"), "multilabel")
    kept = transfer(several, parent, tmp_path / "out", budget=EXPORT_SECONDS, epochs=1, resolution=32).best
    rows = ["path,label"]
    for index in range(4):
        held.image(index).save(tmp_path / f"{index}.png")
        names = [name for name, mark in zip(several.classes, marks[index], strict=True) if mark]
        rows.append(f"{index}.png,{names[0]}")
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    code, out, _ = run("evaluate", str(tmp_path / "out"), "--data", str(tmp_path / "list.csv"))
    assert code == 0
    figures = kept.score.figures
    assert recorded(out) == {
        "mean_average_precision": f"{figures['mean_average_precision']:g}",
        "auroc": f"{figures['auroc']:g}",
        "exact": f"{100 * figures['exact']:g} %",
    }


@pytest.mark.slow
def test_published_figures_keep_their_digits(run: Run, finished: Path, pictures: Path, tmp_path: Path) -> None:
    from compoundnet import save

    model = load(finished)
    save(tmp_path / "own.safetensors", model.model, replace(model.weights, metrics={"imagenet_top1": 77.692}))
    out = run("evaluate", str(tmp_path / "own.safetensors"), "--data", str(pictures))[1]
    assert "Published with these weights: imagenet_top1 77.692 %, " in out


def test_the_test_pictures_of_a_transfer_are_looked_at_once_on_its_way_too(
    run: Run, done: Transferred, finished: Path, pictures: Path, tmp_path: Path
) -> None:
    argv = ["--data", str(pictures), "--split", "test"]
    way = tmp_path / "way"
    (way / ".work").mkdir(parents=True)
    shutil.copy(done.place.model, way)
    (way / ".work" / "identity.json").write_text(
        json.dumps({"task": "multiclass", "labels": "1", "weights": "2", "settings": "3"})
    )
    for place in (finished, way):
        assert run("evaluate", str(place), *argv)[0] == 0
        code, out, err = run("evaluate", str(place / "model.safetensors"), *argv)
        assert (code, out) == (2, "")
        assert "a second look needs --again" in err


@pytest.mark.slow
def test_the_task_of_a_transfer_is_known_to_evaluate(run: Run, parent: Pretrained, tmp_path: Path) -> None:
    held = digits(60)
    size = (100 * (held.labels == 0) + 5000).astype(np.float32)[:, None]
    numbers, out = relabelled(held, size, ("size",), "regression"), tmp_path / "out"
    finish(transfer(numbers, parent, out, budget=EXPORT_SECONDS, epochs=1, resolution=32))
    for index in range(12):
        held.image(index).save(tmp_path / f"{index}.png")
    lines = [f"{index}.png,{size[index, 0]:g}" for index in range(12)]
    (tmp_path / "sizes.csv").write_text("\n".join(["path,label", *lines]))
    code, told, err = run("evaluate", str(out), "--data", str(tmp_path / "sizes.csv"), "--json")
    assert (code, err) == (0, "")
    assert (code, json.loads(told)["task"]) == (0, "regression")
    report = json.loads((out / "report.json").read_text())
    (out / "report.json").write_text(json.dumps({key: value for key, value in report.items() if key != "task"}))
    code, told, err = run("evaluate", str(out), "--data", str(tmp_path / "sizes.csv"))
    assert (code, told, err.count("\n")) == (2, "", 1)
    assert "does not say what the transfer is for; give --task" in err


def test_a_transfer_is_finished_twice_with_the_same_report(done: Transferred, finished: Path) -> None:
    before = json.loads((finished / "report.json").read_text())
    (finished / ".work.over").mkdir()
    assert finish(done).figures["kept"] == before["kept"]
    assert not (finished / ".work.over").exists()


def test_ctrl_c_as_the_work_is_removed_says_that_the_transfer_is_over(
    done: Transferred, finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment is too short for a signal, so the removal itself raises what a signal would."""
    done.place.work.mkdir()

    def interrupt(path: Path, **_: object) -> None:
        if path.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            done.place.clear()
    over = finished / ".work.over"
    said = f"compoundnet: {finished}: interrupted; the transfer is over, model and report are there"

    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transferring, "_examples", ended)
    argv = ["transfer", "--data", "any", "--out", str(finished)]
    assert main(argv) == INTERRUPTED
    assert capsys.readouterr().err == f"{said}; {over} can be removed\n"
    done.place.clear()
    assert not over.exists()
    assert main(argv) == INTERRUPTED
    assert capsys.readouterr().err == f"{said}\n"
