"""The examples run, and what they claim is true."""

import re
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


def test_the_demo_shows_short_paths_none_of_them_in_its_environment(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "photos.py", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert {Path(line).parent for line in done.stdout.splitlines()} == {Path("demo")}
    assert sorted(tmp_path / line for line in done.stdout.splitlines()) == sorted((tmp_path / "demo").iterdir())
    makefile = (EXAMPLES.parent / "Makefile").read_text()
    recipe = makefile[makefile.index("\ndemo:") : makefile.index("\ntest:")]
    shown = re.findall(r"(?:--out|verify-solution|photos\.py) (\S+?)\)?(?= |$)", recipe, re.MULTILINE)
    assert len(shown) == 5
    assert all(path == "demo" or path.startswith("demo/") for path in shown)
    assert "demo/" in (EXAMPLES.parent / ".gitignore").read_text().splitlines()
