"""The report's command and its page: hostile names, damaged stores, ten thousand trials."""

import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from benchmarks import invented as source
from benchmarks.invented import write_journal
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from compoundnet.cli import main
from compoundnet.search.reporting import read_kept, report_of, write_report
from compoundnet.search.reporting.saying import ties_said
from compoundnet.search.reporting.writing import files_of
from compoundnet.search.trials import Limits, TrialsError, open_store, work

from .browsing import browsing
from .postgres import Server
from .trial_jobs import IDENTITY, OBJECTIVE, SHORT, SPACE, Log, job

HOSTILE = "</script><img src=x onerror=\"document.title='broken'\">&"


def lines(count: int, **more: Any) -> list[dict[str, Any]]:
    return list(source.journal_lines(source.invented(count, again=0), **more))


def written(path: Path, found: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in found))
    return path


def trials_in(found: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    return (line["user_attr"]["record"]["trial"] for line in found if line["op_code"] == 8)


def refused(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says; it ends with 2 and one line."""
    assert main(["search", "report", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_a_search_that_ran_is_reported_with_its_choices_by_name(tmp_path: Path) -> None:
    with open_store(tmp_path / "journal.log", patience=SHORT) as store:
        work(store.study("s", IDENTITY), job(Log(tmp_path / "log")), limits=Limits(trials=25))
    found = report_of(read_kept(tmp_path / "journal.log"))
    assert found.objective == OBJECTIVE
    assert found.kept.about is not None
    assert found.kept.about.space == SPACE
    assert len(found.rows) == 25
    assert report_of(read_kept(tmp_path)).rows == found.rows
    assert found.importance is not None
    assert set(found.importance.names) == {"stem", "classes", "side"}


def test_a_search_in_a_database_is_reported_as_in_a_journal(database_server: Server, tmp_path: Path) -> None:
    url = database_server.database("reported")
    for where in (url, str(tmp_path / "journal.log")):
        with open_store(where, patience=SHORT, spill=tmp_path / "unwritten") as store:
            work(store.study("s", IDENTITY), job(Log(tmp_path / "log")), limits=Limits(trials=6))
    one, other = (report_of(read_kept(where)) for where in (url, tmp_path / "journal.log"))
    assert [(r.key, r.accuracy, r.reward, r.costs) for r in one.rows] == [
        (r.key, r.accuracy, r.reward, r.costs) for r in other.rows
    ]
    assert one.kept.about == other.kept.about
    assert one.network == other.network


def test_the_command_writes_all_files_and_says_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_journal(tmp_path / "journal.log", 300)
    assert main(["search", "report", str(tmp_path / "journal.log"), "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    for word in ("300: ", "best      trial ", "cannot be told from the best", "Main effects explain", "Decision"):
        assert word in text
    names = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert {"report.html", "report.json", "trials.csv", "fronts.csv", "edf.csv", "ties.csv", "importance.csv"} <= names
    assert {"net.json", "front_macs.png", "edf_macs.png", "best_so_far.png", "importance.png"} <= names
    assert main(["cost", str(tmp_path / "out/net.json")]) == 0
    assert main(["show", str(tmp_path / "out/net.json")]) == 0
    capsys.readouterr()
    assert main(["search", "report", str(tmp_path / "journal.log"), "--out", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    files = told.pop("files")
    assert told == json.loads((tmp_path / "out/report.json").read_text())
    assert all(Path(file).is_file() for file in files)


class _Page(HTMLParser):
    """The elements of a page with their attributes, and what a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def hostile(path: Path) -> Path:
    """A journal whose study, workers, reasons and options have names that would run in a page."""
    found = lines(30, study=HOSTILE)
    for trial in trials_in(found):
        trial["worker"], trial["why"] = HOSTILE, HOSTILE
        trial["costs"][HOSTILE] = float(trial["costs"]["macs"]) + 1
    for line in found:
        if line["op_code"] == 2 and "compoundnet about" in line["user_attr"]:
            line["user_attr"]["compoundnet about"]["space"][0][0] = HOSTILE
            line["user_attr"]["compoundnet about"]["space"][-1][1][0] = HOSTILE
        if line["op_code"] == 2:  # no digest of the space that it was before
            for value in line["user_attr"].values():
                value.pop("recipe", None) and value.pop("space", None)
    return written(path, found)


def test_the_page_has_no_outside_address_and_names_are_text(tmp_path: Path) -> None:
    found = report_of(read_kept(hostile(tmp_path / "journal.log")))
    assert found.importance is not None
    assert HOSTILE in found.importance.names
    page = _Page(files_of(found)["report.html"].decode())
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"img", "link", "iframe", "object", "embed", "base", "form"}
    assert [tag for tag, _ in page.elements].count("script") == 2
    for _, attributes in page.elements:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "action")}
    text = files_of(found)["report.html"].decode()
    assert not re.search(r"https?:|//[a-z]|url\(|@import", text.split("</style>")[1].split('<script id="data"')[0])
    assert any(HOSTILE in each for each in page.texts)


@pytest.mark.slow
def test_ten_thousand_trials_are_reported(tmp_path: Path) -> None:
    """Half of them are copies of the others' values under keys of their own, so that the test itself is quick."""
    found = lines(500)
    head, trials = [line for line in found if line["op_code"] == 2 or line["op_code"] == 0], found[3:]
    many = list(head)
    for copy in range(20):
        for line in trials:
            new = dict(line)
            if new["op_code"] == 4:
                claim = dict(new["user_attrs"]["claim"])
                new["user_attrs"] = {"claim": {**claim, "key": f"{copy:04d}{claim['key'][4:]}"}}
            else:
                new["trial_id"] += 500 * copy
            many.append(new)
    report = report_of(read_kept(written(tmp_path / "journal.log", many)))
    assert len(report.rows) == 10_000
    write_report(report, tmp_path / "out")
    assert (tmp_path / "out/trials.csv").read_text().count("\n") == 10_001
    assert (tmp_path / "out/report.html").stat().st_size < 3_000_000


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Chrome]:
    root = tmp_path_factory.mktemp("browser")
    write_report(report_of(read_kept(hostile(root / "journal.log"))), root)
    with browsing(f"file://{root / 'report.html'}", root / "profile") as chrome:
        yield chrome


def cells(browser: Chrome, column: str) -> list[str]:
    heads = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "#trials th button")]
    place = heads.index(column) + 1
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, f"#trials tbody td:nth-child({place})")]


def test_in_a_browser_the_table_is_sorted_and_filtered(browser: Chrome) -> None:
    assert browser.title == f"Search {HOSTILE}"
    assert browser.get_log("browser") == []
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert fetched == []
    heads = browser.find_elements(By.CSS_SELECTOR, "#trials th button")
    next(head for head in heads if head.text == "accuracy").click()
    shown = [float(cell) for cell in cells(browser, "accuracy") if cell]
    assert shown == sorted(shown, reverse=True)
    assert len(shown) > 20
    browser.find_element(By.ID, "filter").send_keys("diverged")
    assert all(cell == "diverged" for cell in cells(browser, "state"))


@pytest.mark.parametrize("study", [None, "invented"])
def test_a_study_without_a_trial_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], study: str | None
) -> None:
    path = written(tmp_path / "journal.log", lines(0))
    named = [] if study is None else ["--study", study]
    assert "study 'invented' in" in (said := refused([str(path), "--out", str(tmp_path / "o"), *named], capsys))
    assert "has no recorded trial; report when one has ended" in said
    assert not (tmp_path / "o").exists()


def test_an_unknown_study_is_refused_with_those_that_are_near(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "journal.log", lines(1, study="mobile"))
    said = refused([str(path), "--out", str(tmp_path / "o"), "--study", "mobil"], capsys)
    assert "holds no study 'mobil'; did you mean mobile?" in said


def test_one_network_is_not_said_to_be_the_best_of_all(tmp_path: Path) -> None:
    found = report_of(read_kept(written(tmp_path / "journal.log", lines(1))))
    assert len(found.entries) == 1
    assert "told from all others" not in ties_said(found)


def test_a_file_that_is_no_journal_is_not_to_be_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.json"
    path.write_text('{"version": 1}\n')
    said = refused([str(path), "--out", str(tmp_path / "o")], capsys)
    assert "is no journal of trials: line 1 is no record; name the journal, or the folder, of a search" in said


def test_the_folder_of_a_search_leads_to_its_store_and_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "all.log", lines(2, study="a"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "search.json").write_text(json.dumps({"version": 1, "store": str(path), "study": "a"}))
    assert read_kept(out) == read_kept(path, "a")
    with pytest.raises(TrialsError, match="holds no study 'b'; known: a"):
        read_kept(out, "b")
    assert main(["search", "report", str(out), "--out", str(out)]) == 2
    assert "is a search's folder, with a net.json of its own; name another one" in capsys.readouterr().err
    assert [each.name for each in out.iterdir()] == ["search.json"]
    path.unlink()
    with pytest.raises(TrialsError, match=r"all\.log: there is no such journal or folder"):
        read_kept(out)
    (out / "search.json").write_text("{")
    with pytest.raises(TrialsError, match=r"out holds neither trials nor journal\.log"):
        read_kept(out)


def test_of_several_studies_one_is_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = [{**line, "study_id": 1} for line in lines(0, study="b")[1:]]
    path = written(tmp_path / "journal.log", [*lines(1, study="a"), lines(0, study="b")[0], *more])
    said = refused([str(path), "--out", str(tmp_path / "o")], capsys)
    assert "holds 2 studies; choose one with --study: 'a', 'b'" in said
    assert main(["search", "report", str(path), "--study", "a", "--out", str(tmp_path / "o")]) == 0


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("nowhere.log", "nowhere.log: there is no such journal or folder"),
        ("ftp://host/x", "is no store"),
        (".", "holds neither trials nor journal.log"),
    ],
)
def test_what_is_no_store_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], store: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused([store, "--out", "o"], capsys)


def test_all_diverged_is_a_report_without_a_network_and_takes_an_older_one_away(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_report(report_of(read_kept(written(tmp_path / "journal.log", lines(5)))), out)
    (out / "mine.txt").write_text("kept")
    assert (out / "net.json").exists()
    found = lines(5)
    for trial in trials_in(found):
        trial["state"], trial["accuracy"], trial["why"] = "diverged", None, "step 1: the loss is nan"
    report = report_of(read_kept(written(tmp_path / "journal.log", found)))
    write_report(report, out)
    assert any("No trial finished with a reward (5 diverged)" in note for note in report.notes)
    assert not (out / "net.json").exists()
    assert not list(out.glob("*.png"))
    assert (out / "mine.txt").read_text() == "kept"
    assert "the loss is nan" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    ("accuracy", "state", "why"),
    [(float("nan"), "diverged", "the accuracy is nan"), (7.0, "failed", "accuracy 7 is no share in [0, 1]")],
)
def test_an_accuracy_that_is_none_is_listed_and_not_compared(
    tmp_path: Path, accuracy: float, state: str, why: str
) -> None:
    found = lines(10)
    next(trials_in(found))["accuracy"] = accuracy
    report = report_of(read_kept(written(tmp_path / "journal.log", found)))
    assert (report.rows[0].state, report.rows[0].accuracy, report.rows[0].why) == (state, None, why)
    assert all(entry.first.number != 0 for entry in report.entries)
    json.loads(files_of(report)["report.json"])


@pytest.mark.parametrize("tail", [b'{"op_code":8,"worker_id":"a","tri', b"\0" * 30, b'{"op_code":8,"wo\n'])
def test_a_half_written_tail_is_left_out_aloud_and_stays_in_the_file(tmp_path: Path, tail: bytes) -> None:
    path = written(tmp_path / "journal.log", lines(3))
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    kept = read_kept(path)
    assert len(kept.records) == 3
    assert kept.notes[0] == f"journal.log ends in a half-written record: {len(tail)} bytes left out."
    assert path.read_bytes() == whole + tail


def test_a_journal_damaged_in_its_middle_is_refused_with_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "journal.log", lines(3))
    text = path.read_text().split("\n")
    text[4] = text[4][:50]
    path.write_text("\n".join(text))
    assert "line 5 is no record" in refused([str(path), "--out", str(tmp_path / "o")], capsys)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("state", "won", "state: 'won' is none of finished, stopped, diverged, failed"),
        ("accuracy", "0.5", "accuracy: '0.5' is no number"),
        ("point", [99] * 10, "resolution: 99 is no option"),
        ("point", "x", "point: 'x' is no list of options' numbers"),
        ("costs", {"macs": None}, "costs.macs: None is no number"),
        ("task", {}, "'recipe' is missing"),
        ("seconds", float("inf"), "seconds: inf is no finite number"),
        ("accuracy", 10**400, "too large"),
    ],
)
def test_a_damaged_trial_is_named(tmp_path: Path, field: str, value: Any, said: str) -> None:
    found = lines(3)
    next(trials_in(found))[field] = value
    with pytest.raises(TrialsError, match=r"trial 0 in .* is damaged") as caught:
        report_of(read_kept(written(tmp_path / "journal.log", found)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "journal.log", lines(3))
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused([str(path), "--out", str(tmp_path / "file")], capsys)
