"""The command line has these commands and options, each is explained, and none imports what it does not need."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from compoundnet.cli.parser import COMMANDS, build

from .commands import Run, run

__all__ = ["run"]  # the fixture
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
        *["--operators", "--out", "--pictures", "--recipe", "--resolution", "--rungs", "--seeds"],
        *["--set", "--settings", "--side", "--store", "--tolerance", "--transfer", "--trials", "--up-to", "--workers"],
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


def test_only_the_command_that_is_asked_for_is_made() -> None:
    def made(argv: Sequence[str] | None) -> dict[str, list[list[str]]]:
        parsers = build(argv)[1]
        return {name: [[*action.option_strings] for action in parser._actions] for name, parser in parsers.items()}

    whole, bare = made(None), {name: [["-h", "--help"]] for name in COMMANDS}
    for name in COMMANDS:
        assert made([*name.split(), "show", "--json"]) == made(["--json", *name.split()]) == {name: whole[name]}
    for line in ("", "--help", "-h show", "search", "search --help", "shwo show"):
        assert made(line.split()) == bare


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
