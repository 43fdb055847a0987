"""The command line as tests call it: in this process with what it prints, as JSON, or as the installed program."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compoundnet.cli import main

PROGRESS = re.compile(r"compoundnet: [\d,]+ of [\d,]+ .*, about [\d,]+ s left\n")
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
