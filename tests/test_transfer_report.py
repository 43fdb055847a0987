"""The report of a transfer in a real browser, from the disk and without a network; and the command that makes it."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from compoundnet.cli import main
from compoundnet.data import Memory
from compoundnet.transferring import finish, transfer
from compoundnet.transferring.clock import EXPORT_SECONDS
from compoundnet.weights import Pretrained, load, save

from .browsing import browsing
from .labelled import digits, in_folders

HOSTILE = "<img src=x onerror=\"document.title='broken'\">&"


@pytest.fixture(scope="module")
def made(parent: Pretrained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished transfer to classes of which one has a hostile name."""
    held, out = digits(120), tmp_path_factory.mktemp("report") / "out"
    named_badly = Memory(held.pixels, held.labels, (HOSTILE, "one", "two"))
    finish(transfer(named_badly, parent, out, budget=EXPORT_SECONDS, epochs=2))
    return out


@pytest.fixture(scope="module")
def browser(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Chrome]:
    with browsing(f"file://{made / 'report.html'}", tmp_path_factory.mktemp("profile")) as chrome:
        yield chrome


def test_it_opens_from_the_disk_without_complaint_and_fetches_nothing(browser: Chrome) -> None:
    assert browser.title == "tiny on 120 pictures"
    assert browser.get_log("browser") == []
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []


def test_names_from_the_data_are_text(browser: Chrome, made: Path) -> None:
    assert browser.find_elements(By.CSS_SELECTOR, "img[src='x']") == []
    cells = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#confusion th")]
    assert cells.count(HOSTILE) == 2
    assert json.loads((made / "report.json").read_text())["classes"][0] == HOSTILE


def test_the_curves_and_the_worst_errors_are_seen(browser: Chrome) -> None:
    assert len(browser.find_elements(By.CSS_SELECTOR, "svg polyline")) == 2
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('#worst img')].map(i => [i.naturalWidth, i.naturalHeight])"
    )
    assert sizes
    assert all(size == [454, 224] for size in sizes)


def test_the_commands_it_names_are_ours_and_the_model_is_there(browser: Chrome, made: Path) -> None:
    commands = browser.find_element(By.TAG_NAME, "pre").text.splitlines()
    assert [command.split()[:2] for command in commands] == [["compoundnet", "predict"], ["compoundnet", "serve"]]
    assert load(made).weights.classes[1:] == ("one", "two")
    assert (made / "model.onnx").is_file() or "no ONNX" in browser.find_element(By.TAG_NAME, "body").text


@pytest.mark.slow
def test_the_command_makes_the_same_from_a_folder(
    parent: Pretrained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = in_folders(digits(90), tmp_path / "data")
    save(tmp_path / "parent.safetensors", parent.model, parent.weights)
    options = ["--data", str(data), "--model", str(tmp_path / "parent.safetensors"), "--budget", "30s"]
    assert main(["transfer", *options, "--out", str(tmp_path / "out"), "--threads", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["pictures"]["found"] == 90
    assert "head only: validation" in err
    assert found["files"][0].endswith("model.safetensors")
    assert found["seconds"] <= 1.1 * 30


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--data", "no/such"], "no/such: no such folder"),
        (["--data", ".", "--budget", "20"], "--budget: '20': the unit is missing; give one of s, m, h"),
        (["--data", ".", "--budget", "0m"], "--budget: '0m' is not more than no time"),
        (["--data", ".", "--threads", "0"], "threads: 0 is not a whole number of at least 1"),
    ],
)
def test_wrong_usage_is_one_line(options: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transfer", *options]) == 2
    err = capsys.readouterr().err
    assert problem in err
    assert err.count("\n") == 1
