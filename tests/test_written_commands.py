"""The commands that letterheads and pages name are what the parser takes, and the first of training.md trains."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonargparse import ArgumentParser
from tools.files import PAGES, ROOT

from compoundnet import MEMBERS, load
from compoundnet.cli.parser import build
from compoundnet.cli.settings import changed
from compoundnet.recipes import RECIPES, entry

from .commands import Run, answer, run
from .labelled_pictures import class_folders

__all__ = ["run"]  # the fixture
FASHION = sorted((ROOT / "results/benchmarks").glob("fashion_*.jsonl"))[-1]
PRETRAINED = {"finetune", "transfer_kornblith"}
QUICK = "epochs=2,batch=4,optimizer.warmup_epochs=0.5,resolution=64"


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    """The command line's own; it raises for what it does not take."""
    return build()[0]


def asked(parser: ArgumentParser, command: str) -> dict[str, Any]:
    """The options of a training command, read as the command line reads them."""
    name, *words = shlex.split(command)
    found = parser.parse_args(words)
    assert (name, found.command) == ("compoundnet", "train")
    return found.train.as_dict()


def commands(page: Path) -> list[str]:
    """The commands in a page's shell blocks, without what is said of them, and without what starts many processes."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [" ".join(shlex.split(line, comments=True)) for block in blocks for line in block.splitlines()]
    found = [re.sub(r"^torchrun --nproc-per-node \d+ -m ", "", line) for line in lines]
    return [line for line in found if line.startswith("compoundnet ")]


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_letterheads_command_is_one_that_the_parser_takes(parser: ArgumentParser, name: str) -> None:
    options = asked(parser, RECIPES[name].letterhead.command)
    assert options["recipe"] == name
    assert options["out"] == "RUN"
    assert options["net"] in {*MEMBERS, "NET"}
    assert (options["pretrained"] is not None) == (name in PRETRAINED)


def test_a_rescaled_recipes_command_is_its_own(parser: ArgumentParser, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "it's mine.json"
    assert run("recipe", "scale", "finetune", "--epochs", 9, "--out", path)[0] == 0
    options = asked(parser, answer(run, "recipe", "show", path)["letterhead"]["command"])
    assert (options["recipe"], options["pretrained"], options["out"]) == (str(path), "WEIGHTS", "RUN")
    again = tmp_path / "again.json"
    assert run("recipe", "scale", path, "--epochs", 3, "--out", again)[0] == 0
    assert asked(parser, answer(run, "recipe", "show", again)["letterhead"]["command"])["recipe"] == str(again)


def test_every_command_in_a_shell_block_is_one_that_the_parser_takes(parser: ArgumentParser) -> None:
    found = [(page.name, command) for page in PAGES for command in commands(page)]
    assert {"training.md", "README.md"} <= {page for page, _ in found}
    for _, command in found:
        if parser.parse_args(command.split()[1:]).command == "train":
            options = asked(parser, command)
            assert options["net"] in MEMBERS
            assert options["recipe"] or options["resume"], "a run that goes on has its own"
            assert changed(entry(options["recipe"] or "finetune").recipe, options["set"]).epochs > 0


def test_the_first_example_of_training_starts_from_weights_and_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, but for two epochs of small steps on small pictures."""
    begin, resume = (line for line in commands(ROOT / "docs/training.md")[:2])
    monkeypatch.chdir(tmp_path)
    class_folders(tmp_path / "photos", {"cup": 5, "cat": 5}, (48, 48))
    for command in (begin, resume):
        code, _, err = run(*command.split()[1:], "--set", QUICK, "--threads", 1)
        assert code == 0, err
    trained, released = load("run/model.safetensors"), load("efficientnet_lite0")
    assert trained.weights.classes == ("cat", "cup")
    a, b = (each.model.state_dict()["stem.conv.weight"].flatten() for each in (trained, released))
    assert torch.cosine_similarity(a, b, dim=0) > 0.9


def test_what_small_says_of_itself_is_in_its_record() -> None:
    seeds = [line for line in map(json.loads, FASHION.read_text().splitlines()) if line["what"] == "fashion"]
    head = RECIPES["small"].letterhead
    assert head.expected.startswith("above 93 % on Fashion-MNIST below 5 million multiply-adds")
    assert all(line["test_top1"] > 93 and line["macs"] < 5e6 for line in seeds)
    assert head.time.startswith("less than an hour")
    assert head.hardware == "one processor core"
    assert all(line["training_seconds"] < 3600 and line["threads"] == 1 for line in seeds)
    assert {line["epochs"] for line in seeds} == {RECIPES["small"].recipe.epochs}
