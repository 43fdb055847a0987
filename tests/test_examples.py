"""The examples run, and what they claim is true."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from compoundnet import Network, cost
from compoundnet.search.coefficients import chosen
from compoundnet.search.trials import Limits

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


def test_the_networks_of_the_coefficient_example_cost_twice_its_base() -> None:
    asked = runpy.run_path(str(EXAMPLES / "coefficients_mobilenet.py"))["question"]()
    arms = chosen(asked, 28).arms
    assert [arm.name for arm in arms] == ["depth", "width", "resolution", "compound", "dwr", "dWr"]
    for arm in arms:
        assert abs(cost(arm.network).macs / cost(asked.network).macs / 2 - 1) <= 0.01


@pytest.mark.slow
@pytest.mark.usefixtures("clothes")
def test_the_coefficient_example_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = runpy.run_path(str(EXAMPLES / "coefficients_mobilenet.py"))
    asked = module["question"](pictures=256, epochs=1.0, confirm=1)
    module["main"](tmp_path, asked)
    said = capsys.readouterr().out
    assert said.count(" % (") == 6
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json") if path.name != "net.json"}
    module["main"](tmp_path, asked)
    assert capsys.readouterr().out == said
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
@pytest.mark.usefixtures("clothes")
def test_the_architecture_example_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = runpy.run_path(str(EXAMPLES / "architecture_fashion_mnist.py"))
    for trials in (2, 3, 3):
        asked = module["question"](pictures=256, epochs=1.0, limits=Limits(trials=trials))
        module["main"](tmp_path, asked, workers=1)
        assert "multiply-adds" in capsys.readouterr().out
    told = json.loads((tmp_path / "front.json").read_text())
    assert told["trials"] == 3
    assert all(each["costs"]["macs"] <= 1.5e6 for each in told["front"])
    net = json.loads((tmp_path / "net.json").read_text())
    assert cost(Network.from_dict(net["network"])).macs == net["costs"]["macs"]
