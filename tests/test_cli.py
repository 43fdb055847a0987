"""The command line: its options, its JSON, its exit codes, and one clear line for every mistake."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compoundnet import COMPOUND, MEMBERS, RULES, Network, Rounding, Scaling, by_stage, cost, named, scale
from compoundnet.cli import main
from compoundnet.cli.parser import COMMANDS, build, parse
from compoundnet.cli.progress import EVERY_SECONDS, _lines
from compoundnet.cost import CONVENTION
from compoundnet.schema import encode
from tests.pictures import COFFEE

PROGRESS = re.compile(r"compoundnet: [\d,]+ of [\d,]+ .*, about [\d,]+ s left\n")
SURFACE = {
    "show": ["net", "--json"],
    "cost": ["net", "--by", "--json", "--size"],
    "scale": [
        *[
            "net",
            "--depth",
            "--divisor",
            "--json",
            "--layers",
            "--like",
            "--out",
            "--phi",
            "--resolution",
            "--rule",
            "--width",
        ],
    ],
    "models": ["pattern", "--json"],
    "solve": [
        "net",
        "--batch",
        "--depth",
        "--device",
        "--dtype",
        "--json",
        "--max-activations",
        "--max-file-size",
        "--max-latency",
        "--max-macs",
        "--max-memory",
        "--max-params",
        "--max-training-memory",
        "--no-recheck",
        "--objective",
        "--optimizer",
        "--out",
        "--per-stage",
        "--points",
        "--sides",
        "--width",
    ],
    "verify-solution": ["solution", "--json"],
    "pareto": [
        "net",
        "--batch",
        "--cost",
        "--csv",
        "--depth",
        "--device",
        "--dtype",
        "--json",
        "--max-activations",
        "--max-file-size",
        "--max-latency",
        "--max-macs",
        "--max-memory",
        "--max-params",
        "--max-training-memory",
        "--no-recheck",
        "--optimizer",
        "--plot",
        "--points",
        "--rows",
        "--rule",
        "--sides",
        "--width",
    ],
    "explain": ["net", "--base", "--json", "--like", "--phi", "--rule"],
    "calibrate": ["--batch", "--dtype", "--engine", "--json", "--out", "--quick", "--threads"],
    "data": ["action", "folder", "--json"],
    "predict": [
        *["paths", "--batch", "--engine", "--exact", "--files-from", "--json", "--labels", "--model", "--network"],
        *["--out", "--shard", "--top", "--workers"],
    ],
    "evaluate": [
        *["weights", "--again", "--batch", "--data", "--engine", "--json", "--map", "--network", "--out", "--split"],
        *["--task", "--workers", "--worst"],
    ],
    "cam": ["paths", "--json", "--label", "--method", "--model", "--out", "--side"],
    "merge": ["parts", "--json", "--out"],
    "time": [
        *["nets", "--batch", "--engine", "--json", "--patient", "--rounds", "--threads", "--why", "--with-preprocess"],
    ],
    "serve": [
        *["weights", "--batch", "--connections", "--engine", "--host", "--megabytes", "--megapixels", "--port"],
        *["--queue", "--threads", "--wait"],
    ],
    "export": [
        *["weights", "--cam", "--dynamic", "--format", "--include-preprocess", "--json", "--out", "--random-weights"],
    ],
    "verify": ["artefact", "--json"],
    "train": [
        *["net", "--batch", "--compile", "--data", "--devices", "--fit-on", "--json", "--out", "--pretrained"],
        *["--recipe", "--resume", "--save-minutes", "--seed", "--set", "--task", "--tensorboard", "--test-judges"],
        *["--threads", "--unchecked", "--val", "--workers"],
    ],
    "quantize": [
        *["weights", "--data", "--engine", "--json", "--max-drop", "--min-speedup", "--out", "--report", "--seed"],
        *["--threads"],
    ],
    "recipe": ["what", "--batch", "--epochs", "--images", "--json", "--out"],
    "memory": [
        *["net", "--batch", "--check", "--checkpointing", "--json", "--limit", "--no-average", "--optimizer"],
        *["--precision", "--resolution"],
    ],
    "transfer": [
        *["--budget", "--data", "--json", "--model", "--out", "--resolution", "--seed", "--symmetry", "--task"],
        *["--test-judges", "--threads", "--val"],
    ],
    "convert": ["weights", "--force", "--json", "--network", "--out", "--to", "--verbose"],
    "inspect": ["file", "--card", "--force", "--json"],
    "weights": [
        *["request", "--ecosystem", "--file-name", "--json", "--licence", "--lock", "--locked", "--member", "--method"],
        *["--mirror", "--name", "--sha256", "--stored"],
    ],
    "search space": [
        *["space", "--base", "--device", "--draws", "--json", "--limit", "--no-recheck", "--samples", "--save"],
        *["--seed"],
    ],
    "search coefficients": [
        *["net", "--budget", "--by-stage", "--confirm", "--data", "--divisor", "--finalists", "--json", "--minutes"],
        *["--operators", "--out", "--pictures", "--recipe", "--rungs", "--seeds", "--set", "--settings", "--side"],
        *["--store", "--tolerance", "--transfer", "--trials", "--up-to", "--workers"],
    ],
    "search architecture": [
        *["space", "--base", "--cost", "--data", "--device", "--divisor", "--json", "--limit", "--no-recheck"],
        *[
            "--out",
            "--patience",
            "--pictures",
            "--recipe",
            "--resolution",
            "--reward",
            "--seed",
            "--settings",
            "--stop",
        ],
        *["--store", "--strategy", "--study", "--target", "--time", "--trials", "--workers"],
    ],
    "search report": [
        *["journal", "--json", "--out", "--study"],
    ],
    "search rate": [
        *[
            "journal",
            "--json",
            "--networks",
            "--no-proxies",
            "--pictures",
            "--scores",
            "--seed",
            "--study",
            "--width",
        ],
    ],
}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: exit code, standard output, standard error."""

    def run(*argv: object) -> tuple[int, str, str]:
        code = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        return code, out, PROGRESS.sub("", err)  # a busy machine has more of it

    return run


def answer(run: Run, *argv: object) -> Any:
    """What a command writes as JSON, nothing else."""
    code, out, err = run(*argv, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def installed(*argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    command = [str(Path(sys.executable).with_name("compoundnet")), *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# The surface


def test_the_commands_and_their_options_are_these() -> None:
    _, commands = build()
    found = {
        name: sorted(
            (action.option_strings[-1] if action.option_strings else action.dest for action in parser._actions),
            key=lambda text: (text.startswith("-"), text),
        )
        for name, parser in commands.items()
    }
    for name, options in found.items():
        wanted = sorted([*SURFACE[name], "--help"], key=lambda text: (text.startswith("-"), text))
        assert options == wanted, name
    assert list(found) == list(SURFACE) == list(COMMANDS)


def test_only_the_command_that_is_asked_for_gets_its_options() -> None:
    whole = {name: [action.option_strings for action in parser._actions] for name, parser in build()[1].items()}
    for name in COMMANDS:
        parsers = build(set(name.split()))[1]
        made = {other: [action.option_strings for action in parser._actions] for other, parser in parsers.items()}
        assert made == {**{other: [["-h", "--help"]] for other in COMMANDS}, name: whole[name]}


def test_every_option_is_explained(run: Run) -> None:
    for name, options in SURFACE.items():
        code, out, err = run(*name.split(), "--help")
        assert (code, err) == (0, "")
        for option in options:
            lines = [line.split() for line in out.splitlines() if line.startswith(f"  {option}")]
            follows = out.split(f"\n  {option}", 1)[1].split("\n  -")[0].split()
            assert lines, option
            assert len(follows) > 4, f"{name} {option}"


def test_the_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from compoundnet.cli import main; code = main(['--help'])\n"
        "sys.exit(code or bool({'torch', 'numpy', 'PIL', 'rich'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "argv", [["show", "tiny"], ["cost", "tiny"], ["scale", "tiny", "--phi", "1", "--json"], ["models"]]
)
def test_the_commands_on_values_never_import_torch(argv: list[str]) -> None:
    script = (
        f"import sys; from compoundnet.cli import main; code = main({argv!r})\n"
        "sys.exit(code or bool({'torch', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_is_one_line(run: Run) -> None:
    assert run("--version") == (0, "compoundnet 0.1.0\n", "")


# show, cost, scale, models


def test_show_prints_table_1_and_the_counting_convention(run: Run) -> None:
    code, out, err = run("show", "efficientnet_b0")
    assert (code, err) == (0, "")
    assert str(named("efficientnet_b0")) in out
    assert "5,288,548 params" in out
    assert CONVENTION in out


def test_show_json_is_the_network_that_every_command_reads(run: Run, tmp_path: Path) -> None:
    data = answer(run, "show", "efficientnet_lite2")
    assert Network.from_dict(data) == named("efficientnet_lite2")
    (tmp_path / "net.json").write_text(json.dumps(data))
    assert answer(run, "show", tmp_path / "net.json") == data


def test_cost_json_is_integers(run: Run) -> None:
    data = answer(run, "cost", "efficientnet_b0")
    assert (data["params"], data["macs"], data["flops"]) == (5_288_548, 385_814_752, 771_629_504)
    for name in ("params", "macs", "flops", "activations", "peak_activations", "training_activations"):
        assert type(data[name]) is int
    assert data["convention"] == CONVENTION
    assert data["size"] == [224, 224]


def test_cost_takes_a_size_and_goes_by_stage_or_layer(run: Run) -> None:
    net = named("efficientnet_b0")
    data = answer(run, "cost", "efficientnet_b0", "--size", "128x320", "--by", "stage")
    assert data["macs"] == cost(net, (128, 320)).macs
    assert data["stages"] == [{"name": name, **part.to_dict()} for name, part in by_stage(net, (128, 320))]
    layers = answer(run, "cost", "efficientnet_b0", "--by", "layer")["layers"]
    assert sum(layer["params"] for layer in layers) == 5_288_548


def test_the_tables_are_whole_when_piped(run: Run) -> None:
    code, out, _ = run("cost", "efficientnet_b7", "--by", "stage")
    assert code == 0
    assert f"{cost(named('efficientnet_b7')).training_activations:,}" in out
    assert CONVENTION in out
    assert "\x1b" not in out
    lines = [line for line in out.splitlines() if line.startswith(("stem", "stages", "head", "total"))]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("words", [("inspect",), ("weights", "import"), ("predict", "cat.png", "--model")])
def test_a_file_name_in_an_error_does_not_steer_the_terminal(run: Run, words: tuple[str, ...]) -> None:
    code, _, err = run(*words, "\x1b[2J\x07\u202e.pth")
    assert code in (1, 2)
    assert r"\x1b[2J\x07\u202e.pth" in err
    assert err.rstrip("\n").isprintable()


def test_the_tables_are_whole_on_a_narrow_terminal() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "30", "TERM": "xterm"}
    command = [sys.executable, "-m", "compoundnet", "models", "efficientnet_b*"]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    assert process.wait(60) == 0
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    for name in ("efficientnet_b0", "5,288,548", "385,814,752", "66,347,960", "600 x 600"):
        assert name in text


def test_scale_json_holds_the_network_the_scaling_and_both_costs(run: Run) -> None:
    data = answer(run, "scale", "efficientnet_b0", "--phi", "1.5")
    scaling = COMPOUND**1.5
    expected = scale(named("efficientnet_b0"), scaling)
    assert Network.from_dict(data["network"]) == expected
    assert data["scaling"] == encode(scaling)
    assert data["cost"] == cost(expected).to_dict()
    assert data["before"] == cost(named("efficientnet_b0")).to_dict()
    assert data["formula"] == pytest.approx((1.2 * 1.1**2 * 1.15**2) ** 1.5)
    assert data["ratio"] == data["cost"]["macs"] / data["before"]["macs"]


@pytest.mark.parametrize("rule", list(RULES))
def test_scale_follows_the_rule(run: Run, rule: str) -> None:
    data = answer(run, "scale", "mobilenet_v1", "--phi=-1", "--rule", rule)
    assert data["scaling"] == encode(RULES[rule] ** -1)


def test_a_network_is_rounded_as_the_authors_of_a_rule_round(run: Run) -> None:
    """TinyNet-C: rounded as EfficientNet rounds, its stem would shrink and its stages be deeper."""
    phi = RULES["tinynet"].curve[2][0]
    data = answer(run, "scale", "efficientnet_b0", f"--phi={phi!r}", "--rule", "tinynet", "--like", "tinynet")
    assert data["cost"]["params"] == 2_457_234
    assert data["rounding"] == encode(RULES["tinynet"].rounding)


def test_scale_by_factors_leaves_the_others_at_one(run: Run) -> None:
    data = answer(run, "scale", "resnet50", "--width", "1.5", "--depth", "2")
    assert data["scaling"] == {"depth": 2.0, "width": 1.5, "resolution": 1.0}
    assert Network.from_dict(data["network"]) == scale(named("resnet50"), Scaling(2.0, 1.5))


def test_scale_rounds_as_the_family_does_unless_told_otherwise(run: Run) -> None:
    lite = named("efficientnet_lite0")
    scaling = COMPOUND**2
    data = answer(run, "scale", "efficientnet_lite0", "--phi", "2")
    assert Network.from_dict(data["network"]) == scale(lite, scaling, MEMBERS["efficientnet_lite0"].rounding)
    assert data["network"]["stem"]["channels"] == 32
    data = answer(run, "scale", "efficientnet_b0", "--phi", "2", "--divisor", "4", "--layers", "nearest")
    rounding = Rounding(divisor=4, layers="nearest")
    assert Network.from_dict(data["network"]) == scale(named("efficientnet_b0"), scaling, rounding)


def test_scale_prints_the_rounding_and_the_estimate_beside_the_truth(run: Run) -> None:
    code, out, _ = run("scale", "efficientnet_b0", "--phi", "1")
    after = cost(scale(named("efficientnet_b0"), COMPOUND))
    assert code == 0
    for text in ("divisor 8", "layers ceil", "385,814,752", f"{after.macs:,}", "1.920", CONVENTION):
        assert text in out
    assert f"{after.macs / 385_814_752:.3f} times" in out


def test_scale_writes_a_network_that_cost_reads(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "bigger.json"
    data = answer(run, "scale", "tiny", "--phi", "3", "--out", out)
    assert json.loads(out.read_text()) == data["network"]
    assert answer(run, "cost", out)["macs"] == data["cost"]["macs"]
    assert names(tmp_path) == ["bigger.json"]


def test_a_network_comes_through_a_pipe() -> None:
    scaled = installed("scale", "tiny", "--phi", "1", "--json")
    piped = installed("cost", "-", "--json", input=scaled.stdout)
    assert piped.returncode == 0
    figures = json.loads(piped.stdout)
    assert {name: figures[name] for name in json.loads(scaled.stdout)["cost"]} == json.loads(scaled.stdout)["cost"]


def test_every_table_of_numbers_says_how_they_are_counted(run: Run) -> None:
    for argv in (["show", "tiny"], ["cost", "tiny"], ["scale", "tiny", "--phi", "1"], ["models", "tiny"]):
        assert CONVENTION in run(*argv)[1]


def test_models_lists_every_member_and_which_have_weights(run: Run) -> None:
    rows = {row["name"]: row for row in answer(run, "models")}
    assert list(rows) == list(MEMBERS)
    assert rows["efficientnet_b0"] == {
        "name": "efficientnet_b0",
        "params": 5_288_548,
        "macs": 385_814_752,
        "resolution": 224,
        "weights": False,
    }
    assert [name for name, row in rows.items() if row["weights"]] == [f"efficientnet_lite{i}" for i in range(3)]
    assert [row["name"] for row in answer(run, "models", "resnet1*")] == ["resnet18", "resnet101", "resnet152"]


# Progress


def test_progress_is_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    on_done = _lines("pictures", lambda: now[0])
    for done in range(1, 31):
        now[0] = float(done)
        on_done(done, 30)
    assert capsys.readouterr().err.splitlines() == [
        f"compoundnet: {done} of 30 pictures, about {30 - done} s left"
        for done in range(int(EVERY_SECONDS), 30, int(EVERY_SECONDS))
    ]


# Mistakes


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


# The process


def test_the_installed_command_exits_with_the_code() -> None:
    assert installed("show", "tiny").returncode == 0
    wrong = installed("show", "tyni")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "compoundnet: error: unknown network 'tyni'; did you mean tiny? a JSON file is read too\n"


def test_a_reader_that_leaves_causes_no_traceback() -> None:
    command = [sys.executable, "-m", "compoundnet", "cost", "efficientnet_l2", "--by", "layer"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    with process.stderr as file:
        assert file.read() == b""
    assert process.wait(60) == 141


def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "compoundnet", "cost", "tiny"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("compoundnet: error: No space left on device\n")
    assert "Traceback" not in done.stderr


def test_a_network_of_a_file_scales_with_the_released_rounding(run: Run, tmp_path: Path) -> None:
    net = replace(named("efficientnet_lite0"), classes=7)
    (tmp_path / "net.json").write_text(json.dumps(net.to_dict()))
    data = answer(run, "scale", tmp_path / "net.json", "--phi", "1")
    assert Network.from_dict(data["network"]) == scale(net, COMPOUND)
