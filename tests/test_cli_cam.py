"""compoundnet cam: a figure of what speaks for a class."""

from pathlib import Path

import numpy as np
import pytest
from examples.photos import photos
from PIL import Image

from tests.commands import Run, answer, run

__all__ = ["run"]  # a fixture
CUP = str(photos()[1])


def test_a_figure_has_a_row_a_photo_and_a_column_a_model(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "figure.png"
    models = "efficientnet_lite0,efficientnet_lite1"
    code, text, err = run("cam", CUP, str(photos()[0]), "--model", models, "--side", "96", "--out", str(out))
    assert (code, err) == (0, "")
    assert text.count("espresso") == 2
    with Image.open(out) as drawn:
        assert drawn.format == "PNG"
        assert drawn.size[0] == 3 * 96 + 2 * 6
        left, right = (np.asarray(drawn.convert("RGB").crop((x, 0, x + 96, 64))) for x in (102, 204))
    assert (left != right).any()


def test_the_json_has_every_map_and_its_class(run: Run, tmp_path: Path) -> None:
    found = answer(run, "cam", CUP, "--label", "espresso", "--out", str(tmp_path / "cup.png"), "--json")
    [one] = found["maps"]
    assert (one["index"], one["label"], one["model"]) == (967, "espresso", "efficientnet_lite0")
    assert np.array(one["map"]).shape == (7, 7)


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([CUP, "--out", "no.jpg"], "--out: no.jpg; the figure is a .png"),
        ([CUP, "--label", "expresso"], "efficientnet_lite0 has no class 'expresso'; did you mean espresso"),
        ([CUP, "--label", "1000"], "an index from 0 to 999"),
        ([CUP, "--method", "magic"], "method: 'magic'"),
        ([CUP, "--side", "9000"], "--side: 9000; from 64 to 1024 pixels"),
        ([CUP, "--model", "efficientnet_b0"], "no weights come with efficientnet_b0"),
        (["no_such.jpg"], "no_such.jpg: no such file"),
        ([], "PATHS is missing"),
        ([CUP] * 65, "65 photos of 1 models; at most 64 pictures are drawn"),
    ],
)
def test_wrong_usage_is_one_line_code_2_and_no_file(
    argv: list[str], problem: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in argv else ["--out", "figure.png"]
    code, text, err = run("cam", *argv, *out)
    assert (code, text) == (2, "")
    assert problem in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_bad_picture_does_not_stop_the_others(run: Run, tmp_path: Path) -> None:
    Path(tmp_path / "photos").mkdir()
    Image.open(CUP).save(tmp_path / "photos" / "b.png")
    (tmp_path / "photos" / "a.png").write_bytes(b"no picture")
    out = tmp_path / "figure.png"
    code, text, err = run("cam", str(tmp_path / "photos"), "--side", "96", "--out", str(out))
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith(f"compoundnet: error: {tmp_path / 'photos' / 'a.png'}: not a picture")
    assert "espresso" in text
    assert out.exists()
    out.unlink()
    (tmp_path / "photos" / "b.png").unlink()
    assert run("cam", str(tmp_path / "photos"), "--side", "96", "--out", str(out))[0] == 2
    assert not out.exists()
