"""The examples run, and what they claim is true."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_an_own_operator_gets_everything_from_one_function(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "own_operator.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "Ghost, k3x3" in out
    for claim in ("JSON both ways", "parameters as predicted", "weights both ways", "export agrees"):
        assert f"{claim}: True" in out


def test_the_own_operator_example_has_one_method_besides_its_name() -> None:
    module = runpy.run_path(str(EXAMPLES / "own_operator.py"))
    methods = {name for name in vars(module["Ghost"]) if callable(vars(module["Ghost"])[name]) and name[0] != "_"}
    assert methods == {"unfold"}


def test_six_photographs_come_with_the_demo_extra() -> None:
    done = subprocess.run([sys.executable, EXAMPLES / "photos.py"], capture_output=True, text=True, check=True)
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert len(paths) == 6
    assert all(path.is_file() for path in paths)
