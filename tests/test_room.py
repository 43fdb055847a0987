"""Before training: what a step takes is said beside what is free, and --batch auto takes what fits."""

import json
import re
from pathlib import Path

import pytest

from compoundnet import named
from compoundnet.cli import room
from compoundnet.cli.room import with_room
from compoundnet.memory import training_memory
from compoundnet.recipes import entry, scaled

from .commands import Run, run
from .labelled_pictures import class_folders

__all__ = ["run"]  # the fixture
B0, RECIPE = named("efficientnet_b0"), entry("finetune").recipe
QUICK = "epochs=2,batch=9,optimizer.warmup_epochs=0.5,resolution=32"


def free(monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    """So much memory is free, or nobody knows."""
    monkeypatch.setattr(room, "_free", lambda: count)


def test_what_a_step_takes_is_said_beside_what_is_free(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    takes = -(-training_memory(B0, RECIPE).total // 10**6)
    head = f"compoundnet: a step takes about {takes:,} MB (64 images at once); "
    more = ", which is less; --batch auto takes fewer images, --set accumulate=N parts, checkpointing=true recomputes"
    known = (
        (64 * 10**9, "64,000 MB are free"),
        (10**9, f"1,000 MB are free{more}"),
        (None, "what is free is not known here"),
    )
    for count, tail in known:
        free(monkeypatch, count)
        assert with_room(B0, RECIPE, 5000, auto=False) == RECIPE
        assert capsys.readouterr().err == f"{head}{tail}\n"
    with_room(B0, RECIPE, 5000, auto=False, devices=2)
    assert "in each of 2 processes (32 images at once)" in capsys.readouterr().err


@pytest.mark.parametrize("gigabytes", [0.3, 1, 2, 3, 5])
def test_auto_takes_the_largest_power_of_two_that_fits(gigabytes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, int(gigabytes * 1e9))
    found = with_room(B0, RECIPE, 5000, auto=True)
    assert found == scaled(RECIPE, batch=found.batch, images=5000, from_images=5000).recipe
    assert found.batch in {2**k for k in range(6)}
    one, two = (training_memory(B0, scaled(RECIPE, batch=n * found.batch).recipe).total for n in (1, 2))
    assert one <= 0.9e9 * gigabytes < two


def test_auto_leaves_a_batch_that_fits_and_takes_no_more_than_there_are_images(monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 10**12)
    assert with_room(B0, RECIPE, 5000, auto=True) == RECIPE
    assert with_room(B0, RECIPE, 50, auto=True).batch == 32


@pytest.mark.parametrize(
    ("count", "devices", "problem"),
    [
        (10**6, 1, "--batch auto: limit: 900,000 bytes, but one image takes"),
        (None, 1, "--batch auto: this system does not say what memory is free; give --set batch=N"),
        (10**9, 2, "--batch auto: several processes may find several batches; give --set batch=N"),
    ],
)
def test_auto_says_in_one_line_where_it_cannot(
    count: int | None, devices: int, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, count)
    with pytest.raises(ValueError, match=re.escape(problem)):
        with_room(B0, RECIPE, 5000, auto=True, devices=devices)


def test_a_run_with_auto_goes_on_with_its_own_batch(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where less is free now."""
    class_folders(tmp_path / "photos", {"cup": 5, "cat": 5}, (40, 40))
    words = ["train", "tiny", "--recipe", "finetune", "--data", tmp_path / "photos", "--out", tmp_path / "run"]
    words += ["--set", QUICK, "--batch", "auto", "--threads", 1]
    for more, count in ((), 21 * 10**6), (["--resume"], 15 * 10**6):
        free(monkeypatch, count)
        code, _, err = run(*words, *more)
        assert code == 0, err
        batch = json.loads((tmp_path / "run/recipe.json").read_text())["batch"]
        assert batch in (2, 4, 8)
        assert f"compoundnet: --batch auto: {batch} images a step; what hangs on it is rescaled" in err
        assert f"({batch} images at once); {count // 10**6} MB are free" in err
