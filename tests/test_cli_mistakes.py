"""Every mistake on the command line or in a network's file is one clear line and exit code 2."""

import json
from pathlib import Path
from typing import Any

import pytest

from compoundnet import named
from compoundnet.cli.parser import parse
from tests.pictures import COFFEE

from .commands import Run, run

__all__ = ["run"]  # the fixture


@pytest.mark.parametrize("words", [("inspect",), ("weights", "import"), ("predict", "cat.png", "--model")])
def test_a_file_name_in_an_error_does_not_steer_the_terminal(run: Run, words: tuple[str, ...]) -> None:
    code, _, err = run(*words, "\x1b[2J\x07\u202e.pth")
    assert code in (1, 2)
    assert r"\x1b[2J\x07\u202e.pth" in err
    assert err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        ("-- -5.jpg", ["-5.jpg"]),
        ("--top 2 -- -5.jpg", ["-5.jpg"]),
        ("a.jpg -- --top -5.jpg", ["a.jpg", "--top", "-5.jpg"]),
    ],
)
def test_after_two_dashes_every_word_is_a_picture(words: str, paths: list[str]) -> None:
    assert parse(["predict", *words.split()])[1]["paths"] == paths


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ("show efficientnet-b0", "unknown network 'efficientnet-b0'; did you mean efficientnet_b0 or"),
        ("cost nothing.json", "nothing.json: no such file"),
        ("cost .", ".: a folder"),
        ("cost tiny --size 8x8", "size: 8 is below the total stride 32; use at least 32"),
        ("cost tiny --size 224x", "--size: '224x' is not a height and width in pixels; write it as 224x320 or 224"),
        ("cost tiny --by stag", "--by: expected one of 'stage', 'layer', got 'stag'"),
        ("cost tiny --siz 64", "unknown argument --siz; did you mean --size"),
        ("cost", "NET is missing; try --help"),
        ("train tiny --data d --out o", "--recipe is missing; name one (see recipe list) or its JSON file"),
        ("train --recipe small", "NET, --data and --out are missing; try --help"),
        ("predict", "PATHS is missing; name pictures, folders or globs, or a list with --files-from"),
        ("", "no command; try --help"),
        ("cst tiny", "unknown command 'cst'; did you mean cost?"),
        ("--json cost tiny", "unknown argument --json; give it after the command"),
        ("scale tiny", "no factor to scale by; give --phi, or --depth, --width or --resolution"),
        ("scale tiny --phi 1 --depth 2", "--phi together with --depth; give one or the other"),
        ("scale tiny --rule width", "--rule says what phi applies to; give --phi too"),
        ("scale tiny --phi 1 --rule wide", "unknown rule 'wide'; did you mean width?"),
        ("scale tiny --phi x", "--phi: expected a number, got 'x'"),
        ("scale tiny --phi nan", "--phi: expected a number, got 'nan'"),
        ("scale tiny --phi 1e400", "phi: inf is not a finite number"),
        ("scale tiny --width -1", "width: -1.0 is not a positive number"),
        ("scale tiny --resolution 0.5", "resolution: 16 is below the total stride 32; use at least 32"),
        ("scale tiny --phi 1 --divisor 0", "divisor: 0 is not a whole number of at least 1"),
        ("scale tiny --phi 1 --out .", ".: a folder; name a file to write"),
        (
            "scale tiny --phi 1 --out no/such/net.json",
            "no/such/net.json: cannot be written (No such file or directory)",
        ),
        ("models *_b9", "no network matches '*_b9'"),
        ("predict x.jpg --top 0", "top: 0 is not a whole number of at least 1"),
        ("predict x.jpg --batch 1.5", "--batch: expected a whole number, got '1.5'"),
        ("predict x.jpg --model efficientnet_lite9", "'efficientnet_lite9' is neither a file nor a name with weights"),
        ("predict x.jpg --model efficientnet_b0", "no weights come with efficientnet_b0"),
        ("predict x.jpg --out no/such/out.csv", "no/such/out.csv: the folder no/such does not exist; create it first"),
        ("predict x.jpg --out /dev/null", "'/dev/null': a file of answers ends in .csv or .jsonl"),
        ("predict x.jpg --workers 0", "workers: 0 is not a whole number of at least 1"),
        ("predict x.jpg --engine onnx", "unknown engine 'onnx'; did you mean onnxruntime"),
        ("predict x.jpg --shard 8/8", "shard: 8 of 8 is no share; the first of 8 is 0/8, the last 7/8"),
        ("predict x.jpg --shard 2", "--shard: '2' is not INDEX/COUNT; the first of 8 is 0/8"),
        ("predict x.jpg --shard env", "--shard env: none of RANK and WORLD_SIZE (torchrun)"),
        ("predict --files-from nothing.txt", "nothing.txt: No such file or directory"),
        ("merge a.csv --out b.csv", "a.csv: no such file"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(run: Run, argv: str, problem: str) -> None:
    code, out, err = run(*argv.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"compoundnet: error: {problem}")
    assert err.count("\n") == 1


def network(**changes: Any) -> str:
    return json.dumps({**named("tiny").to_dict(), **changes})


def stages(**changes: Any) -> str:
    first, *rest = named("tiny").to_dict()["stages"]
    return network(stages=[{**first, **changes}, *rest])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty; a network is a JSON object, as show --json writes it"),
        ('{"stem": {\n  "channels" 8}}', "malformed JSON: Expecting ':' delimiter"),
        ("[" * 100_000, "nested too deeply to be a network"),
        ('{"version": NaN}', "malformed JSON: NaN is not a JSON number"),
        ("[1, 2]", "a network is an object with stem, stages, ...; got [1, 2]"),
        ("{}", "version: missing; this compoundnet reads 1"),
        ('{"version": 1}', "stem: missing; Network needs it"),
        ('{"network": {"version": 2}}', "network.version: 2 is not supported"),
        (network(classes=0), "classes: 0 is not a whole number of at least 1"),
        (network(resolution=31), "resolution: 31 is below the total stride 32; use at least 32"),
        (network(stages=[]), "stages: a network needs at least one stage"),
        (network(activation="swish"), "activation: 'swish' is not one of 'silu'"),
        (network(stagse=[]), "stagse: unknown field of Network; did you mean stages"),
        (stages(channels=-8), "stages[0].channels: -8 is not a whole number of at least 1"),
        (stages(layers="two"), "stages[0].layers: expected an integer, got 'two'"),
        (
            stages(operator={"type": "MBConf"}),
            "stages[0].operator.type: unknown operator 'MBConf'; did you mean MBConv",
        ),
        (stages(operator={"type": "MBConv", "kernel": 4}), "stages[0].operator.kernel: 4 is even"),
    ],
)
def test_a_malformed_network_is_one_line_with_the_file_and_the_path_to_the_field(
    run: Run, tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "net.json"
    path.write_text(text)
    for command in (["show"], ["cost"], ["scale", "--phi", "1"]):
        code, out, err = run(command[0], path, *command[1:])
        assert (code, out) == (2, "")
        where = f"{path}:2:14" if "':' delimiter" in problem else str(path)
        assert err.startswith(f"compoundnet: error: {where}: {problem}")
        assert err.count("\n") == 1


def test_a_file_that_is_no_text_is_no_network(run: Run) -> None:
    code, _, err = run("show", COFFEE)
    assert (code, err) == (2, f"compoundnet: error: {COFFEE}: not a text file; a network is JSON in UTF-8\n")
