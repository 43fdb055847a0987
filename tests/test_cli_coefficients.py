"""compoundnet search coefficients: a network and pictures to a table, a verdict and net.json."""

import json
from pathlib import Path

import pytest

from compoundnet import Network, cost
from compoundnet.cli import main
from compoundnet.cli.coefficients import factors
from compoundnet.cli.own import operators_of
from compoundnet.search.trials import open_store

from .searching import SMALL, given_pictures

QUICK = "epochs=1,batch=16,optimizer.per=16,optimizer.warmup_epochs=0.2"
SMALLEST = ["--seeds", "1", "--rungs", "1", "--confirm", "2", "--divisor", "2", "--by-stage", "--tolerance", "0.05"]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return given_pictures(tmp_path_factory.mktemp("given"))


def command(given: Path, out: Path, *more: str) -> list[str]:
    start = ["search", "coefficients", str(given / "net.json"), "--data", str(given / "data"), "--out", str(out)]
    return [*start, "--side", "16", "--settings", QUICK, "--set", "directions", *SMALLEST, *more]


def test_pictures_become_coefficients(given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(given, tmp_path / "out")) == 0
    out, err = capsys.readouterr()
    assert "4 classes, as the data has, instead of 1,000" in err
    assert "has no test part: 19 of its pictures are held out as one" in err
    assert "2 fresh seeds each, 2 times the macs of the base" in out
    assert "for twice the multiply-adds" in out
    assert "Undecided" in out or "Tie" in out or "Winner" in out or "Beaten" in out
    net = json.loads((tmp_path / "out" / "net.json").read_text())
    share = cost(Network.from_dict(net["network"])).macs / cost(SMALL).macs
    assert share == pytest.approx(2, rel=0.06)
    assert main(["cost", str(tmp_path / "out" / "net.json"), "--json"]) == 0
    capsys.readouterr()
    assert main(command(given, tmp_path / "out", "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert main(command(given, tmp_path / "out", "--transfer", "3x")) == 2
    assert "holds another search (transfer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--budget", "2"], "--budget: '2' is no factor such as 2x or params=2x"),
        (["--budget", "prams=2x"], "--budget: 'prams' is no cost; did you mean params?"),
        (["--budget", "2x,macs=3x"], "--budget: macs stands twice"),
        (["--transfer", "x"], "--transfer: 'x' is no factor"),
        (["--seeds", "0"], "seeds: 0 is not a whole number of at least 1"),
        (["--settings", "epoch=1"], "--settings: a recipe has no 'epoch'; did you mean epochs?"),
        (["--pictures", "1000"], "pictures: 1,000 of"),
        (["--side", "0"], "side: 0 is not a whole number of at least 1"),
        (["--side", "-3"], "side: -3 is not a whole number of at least 1"),
        (["--resolution", "0"], "--resolution: 0 is not a whole number of at least 1"),
        (["--resolution", "64"], "the pictures have 16, and more adds cost but no detail; begin with a smaller input"),
        (["--budget", "5000x"], "macs: 5000.0 is not a factor above 0 and up to 1,024"),
        (["--settings", "batch=4096"], "batch: 4096 is more than the "),
        (["--side", "400"], "has 16 pixels on its shorter side; ask for at most as many"),
        (["--set", "cube"], "--set: expected one of"),
        (["--up-to", "1"], "up_to: 1 seed at most, and 2 to begin with"),
        (["--minutes", "0"], "minutes: 0.0 is not a time above 0"),
        (["--store", "mysql://a/b"], "'mysql://' is no store; give a journal file"),
        (["--operators", "own.txt"], "own.txt: not a Python file; name the one that defines your operators"),
        (["--store", ""], "store: an empty name; name a journal file or a database"),
        (["--workers", "0"], "workers: 0 is not a whole number of at least 1"),
    ],
)
def test_a_mistake_is_one_clear_line(
    more: list[str], said: str, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(given, tmp_path / "out", *more)) == 2
    err = capsys.readouterr().err
    errors = [line for line in err.splitlines() if line.startswith("compoundnet: error: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert "Traceback" not in err
    assert not (tmp_path / "out" / "report.json").exists()


def test_factors_are_of_any_cost_that_is_counted() -> None:
    assert factors("training-memory=1.5x", "--budget") == {"training_memory": 1.5}
    with pytest.raises(ValueError, match="'latency_ms' is no cost"):
        factors("latency_ms=2x", "--budget")


OWN = """
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plain:
    kernel: int = 3

    def unfold(self, site):
        return site.conv_norm_act(site.inputs, site.outputs, self.kernel, site.stride)
"""


@pytest.mark.slow
def test_a_network_of_own_operators_is_searched_and_read(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = json.loads((given / "net.json").read_text())
    net["stages"][0]["operator"] = {"type": "Plain", "kernel": 3}
    (tmp_path / "own_net.json").write_text(json.dumps(net))
    (tmp_path / "own_plain_operator.py").write_text(OWN)
    words = command(given, tmp_path / "out", "--operators", str(tmp_path / "own_plain_operator.py"))
    words[2] = str(tmp_path / "own_net.json")
    assert main([*words, "--workers", "2"]) == 0
    capsys.readouterr()
    assert main(words[:-2]) == 2
    assert "stages[0].operator.type: unknown operator 'Plain'" in capsys.readouterr().err
    with open_store(tmp_path / "out" / "journal.log", operators=operators_of(words[-1])) as store:
        (name,) = store.study_names()
        trials = store.study(name, next(iter(store._identities(name)))).trials
    assert {type(trial.task.network.stages[0].operator).__name__ for trial in trials} == {"Plain"}


def test_a_file_of_operators_defines_some(tmp_path: Path) -> None:
    for name, text, said in (
        ("none_here.py", "x = 1", "defines no operator"),
        ("broken_here.py", "x = ", r"cannot be imported \(SyntaxError"),
        ("json.py", OWN, "another module is named json; give the file another name"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=said):
            operators_of(str(tmp_path / name))
