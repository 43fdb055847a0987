"""recipe shows, compares and rescales recipes; what it writes is read again, and each mistake is one line."""

import json
import math
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from compoundnet.recipes import IMAGENET, RECIPES, Recipe, scaled
from compoundnet.schema import decode, encode

from .commands import Run, answer, run
from .recipes import PAPER

__all__ = ["run"]  # the fixture


def test_few_images_shorten_the_batch_norms_window_and_the_reason_is_said(run: Run) -> None:
    """With the same number of images, 69 % of the untrained statistics would be left after these 2,340 steps."""
    to = ["--batch", 64, "--epochs", 30, "--images", 5000]
    found = answer(run, "recipe", "scale", "imagenet_b0", *to)
    assert found["recipe"]["bn_momentum"] ** 2340 < math.exp(-10)
    why = next(each["why"] for each in found["changes"] if each["path"] == "bn_momentum")
    assert why.startswith("a tenth of the run")
    _, out, _ = run("recipe", "scale", "imagenet_b0", *to)
    assert "The batch norms remember 234 steps, 3 epochs, 10.0% of the run.\n" in out
    _, out, _ = run("recipe", "show", "imagenet_b0", "--images", 5000)
    assert "The batch norms remember 100 steps, 100 epochs, 28.6% of the run. That is long" in out


def test_show_gives_the_recipe_and_the_papers_rates(run: Run) -> None:
    found = answer(run, "recipe", "show", "imagenet_b0")
    assert decode(Recipe, found["recipe"]) == PAPER
    rates = {point["step"]: point["rate"] for point in found["rates"]}
    assert rates[0] == 0
    assert rates[5 * (IMAGENET // 4096)] == pytest.approx(0.256 * 0.97**2)
    code, out, _ = run("recipe", "show", "imagenet_b0")
    assert code == 0
    assert "0.24087" in out
    assert "remembers 10,000 steps" in out


def test_list_shows_every_recipe(run: Run) -> None:
    assert [row["name"] for row in answer(run, "recipe", "list")] == list(RECIPES)
    _, out, _ = run("recipe", "list")
    assert all(f"\n{name} " in out for name in RECIPES)


def test_a_written_recipe_is_read_again(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    code, out, err = run("recipe", "scale", "imagenet_b0", "--batch", 64, "--epochs", 30, "--out", path)
    assert (code, err) == (0, "")
    assert f"Written to {path}" in out
    shown = answer(run, "recipe", "show", path)
    assert decode(Recipe, shown["recipe"]) == scaled(PAPER, batch=64, epochs=30).recipe
    again = tmp_path / "again.json"
    again.write_text(json.dumps(shown))
    assert answer(run, "recipe", "diff", path, again) == []


def test_a_rescaled_recipe_remembers_its_images_when_it_is_scaled_again(run: Run, tmp_path: Path) -> None:
    """Two steps lead to where one leads, from the file and from --json, and the curve is drawn for these images."""
    once, two, last = (tmp_path / name for name in ("once.json", "two words.json", "last.json"))
    to = ["--images", 50_000, "--batch"]
    shown = answer(run, "recipe", "scale", "imagenet_b0", *to, 512, "--out", once)
    direct = scaled(PAPER, images=50_000, from_images=IMAGENET, batch=128).recipe
    two.write_text(json.dumps(shown))
    for before in (once, two):
        assert run("recipe", "scale", before, *to, 128, "--out", last)[0] == 0
        after = decode(Recipe, json.loads(last.read_text())["recipe"])
        assert (after.ema_decay, after.bn_momentum) == pytest.approx((direct.ema_decay, direct.bn_momentum), abs=1e-12)
        assert replace(after, ema_decay=None, bn_momentum=0.5) == replace(direct, ema_decay=None, bn_momentum=0.5)
        assert shlex.split(answer(run, "recipe", "show", last)["letterhead"]["command"])[3:5] == ["--recipe", str(last)]
    found = answer(run, "recipe", "show", once)
    assert (found["images"], found["letterhead"]["images"]) == (50_000, 50_000)
    assert found["rates"][-1]["step"] == 350 * (50_000 // 512) - 1


def test_a_recipe_alone_says_that_its_images_are_assumed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(encode(PAPER)))
    for argv in (["show", path], ["scale", path, "--images", 50_000]):
        code, _, err = run("recipe", *argv)
        assert code == 0
        assert f"{path}: does not say for how many images it was made; 1,281,167 are assumed" in err
        assert err.count("\n") == 1
    for images in (50_000, IMAGENET):
        path.write_text(json.dumps({"recipe": encode(PAPER), "images": images}))
        _, out, err = run("recipe", "show", path)
        assert f"with {images:,} images" in out
        assert err == ""
    path.write_text(json.dumps({"recipe": encode(PAPER), "images": 0}))
    assert "images: 0 is not a whole number" in run("recipe", "show", path)[2]


def test_diff_says_each_difference_with_what_is_known(run: Run) -> None:
    found = {row["path"]: row for row in answer(run, "recipe", "diff", "imagenet_b5", "imagenet_randaugment_b5")}
    assert found.keys() == {"augment.policy", "augment.magnitude"}
    assert "+0.1 (B5)" in found["augment.policy"]["effect"]["text"]
    _, out, _ = run("recipe", "diff", "imagenet_b0", "small")
    assert "ema_decay: 0.9999 | 0.999\n    without the average B5 scores 80 and not 83" in out
    assert "(no number is known)" in out


def test_a_window_longer_than_a_third_of_the_run_is_remarked(run: Run) -> None:
    _, out, _ = run("recipe", "show", "imagenet_b0", "--images", 100_000)
    assert "That is long" in out


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["shwo", "small"], "unknown action 'shwo'; did you mean show?"),
        (["show"], "recipe show takes one recipe, got 0"),
        (["diff", "small"], "recipe diff takes two recipes, got 1"),
        (["show", "smal"], "unknown recipe 'smal'; did you mean small?"),
        (["show", "none.json"], "none.json: no such file"),
        (["scale", "small"], "nothing to scale to; give --batch, --epochs or --images"),
        (["scale", "small", "--batch", "0"], "batch: 0 is not a whole number of at least 1"),
        (["scale", "imagenet_b0", "--images", "100"], "100 images do not fill one step of 4,096"),
        (["list", "--batch", "3"], "--batch does not go with recipe list"),
        (["show", "small", "--out", "x.json"], "--out does not go with recipe show"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, argv: list[str], problem: str) -> None:
    code, out, err = run("recipe", *argv)
    assert (code, out) == (2, "")
    assert problem in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty; a recipe is a JSON object"),
        ("[1]", "expected an object with Recipe's fields"),
        ('{"epocs": 3}', "epocs: unknown field of Recipe; did you mean epochs"),
        ('{"recipe": {"optimizer": {"rat": 1}}}', "optimizer.rat: unknown field of Optimizer; did you mean rate"),
        ('{"seed": 1, "seed": 2}', "the key 'seed' stands twice"),
        ('{"epochs": NaN}', "NaN is not a JSON number"),
    ],
)
def test_a_malformed_file_is_one_line(run: Run, tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    code, out, err = run("recipe", "show", path)
    assert (code, out) == (2, "")
    assert problem in err
    assert err.startswith(f"compoundnet: error: {path}")


def test_nothing_is_written_when_scaling_fails(run: Run, tmp_path: Path) -> None:
    assert run("recipe", "scale", "imagenet_b0", "--images", 9, "--out", tmp_path / "x.json")[0] == 2
    assert list(tmp_path.iterdir()) == []
