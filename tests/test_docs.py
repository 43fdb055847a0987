"""The records, the figure and the pages are what the code makes now, and name only what exists."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from tools import blocks, cam_figure, figure, files, front_figure, inspected, records, report_figure, snippets
from tools.__main__ import settled
from tools.files import (
    CAM_FIGURE,
    FIGURE,
    FRONT_FIGURE,
    PAGES,
    REPORT_FIGURE,
    RESULTS,
    ROOT,
    is_up_to_date,
    newest_benchmarks,
    write,
)

import compoundnet
from compoundnet.cli.parser import COMMANDS

from .published import PUBLISHED, rows
from .test_surface import PUBLIC

DOCS = [page for page in PAGES if page.parent.name == "docs"]
# Pages whose commands train, export or look through large spaces: most of the time of all of them.
LONG = {
    *("transfer.md", "predicting.md", "converting.md", "export.md", "solving.md", "stages.md", "pareto.md"),
    *("index.md", "explaining.md", "search-report.md", "recipes.md", "devices.md", "search-spaces.md", "catalogue.md"),
}
DUBLIN = "{http://purl.org/dc/elements/1.1/}"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", list(records.MAKERS))
def test_records_are_what_the_code_computes(name: str) -> None:
    assert is_up_to_date(RESULTS / name, records.text(name)), "run: make records"


def test_every_file_in_results_is_made_by_a_tool_but_the_published_one() -> None:
    assert {path.name for path in RESULTS.iterdir() if path.is_file()} == {
        *records.MAKERS,
        inspected.RECORD,
        "published_top1.json",
    }
    for path in RESULTS.glob("benchmarks/*"):
        assert all(json.loads(line)["command"].startswith("python -m ") for line in path.read_text().splitlines())


def test_the_typed_in_figures_are_those_of_the_reference_file() -> None:
    typed = {row["network"]: row for row in records_of_the_paper()}
    for name, (params, flops) in rows("paper"):
        assert (float(typed[name]["params"][:-1]), float(typed[name]["flops"][:-1])) == (params, flops)
    assert all(row["source"] in ("Table 2", "Table 3") for row in typed.values())


def records_of_the_paper() -> list[dict[str, Any]]:
    return json.loads((RESULTS / "published_top1.json").read_text())["rows"]


def test_recorded_costs_equal_the_published_counts() -> None:
    recorded = {row["network"]: row for row in map(json.loads, records.text("family_costs.jsonl").splitlines())}
    assert {name: recorded[name]["params"] for name in PUBLISHED["params"]} == PUBLISHED["params"]
    assert {name: recorded[name]["macs"] for name in PUBLISHED["macs"]} == PUBLISHED["macs"]


def test_the_rules_of_other_tools_give_the_numbers_they_print() -> None:
    """pycls's model_complexity.json; ptflops 0.7.5 and fvcore 0.1.5 on timm and torchvision; mmpretrain's table."""
    counts = {row["tool"]: row["count"] for row in records.other_counts()}
    assert counts["pycls; ptflops, backend aten"] == 385_825_092
    assert counts["ptflops, backend pytorch, on timm"] == 392_108_448
    assert counts["ptflops, backend pytorch, on torchvision"] == 410_196_896
    assert round(counts["fvcore on timm"] / 1e6, 2) == 399.35
    assert round(counts["mmpretrain"] / 1e9, 2) == 0.42


def test_the_formula_is_exact_only_where_nothing_is_scaled() -> None:
    gap = {row["phi"]: row["exact"] / row["estimate"] for row in records.formula_gap()}
    assert gap[0.0] == 1
    assert max(gap.values()) > 2
    assert min(gap.values()) < 1


@pytest.mark.slow
def test_the_picture_of_maps_is_what_the_command_draws() -> None:
    assert cam_figure.is_up_to_date(CAM_FIGURE, cam_figure.drawn()), "run: make records"
    assert CAM_FIGURE.stat().st_size < 500_000


def drawn(svg: str) -> tuple[Any, list[str]]:
    """The numbers that a figure carries, and every text in it."""
    tree = ET.fromstring(svg)
    description = next(tree.iter(f"{DUBLIN}description")).text
    return json.loads(description or ""), [element.text or "" for element in tree.iter(f"{SVG}text")]


def test_what_the_readme_says_of_compound_scaling_is_the_verdict_on_record() -> None:
    lines = newest_benchmarks("coefficients_")
    [found] = [line for line in lines if line["what"] == "coefficients_verdict" and line["primary"]]
    better = {each["rival"] for each in found["contrasts"] if each["difference"]["low"] > 0 and each["adjusted"] < 0.05}
    told_apart = {each["rival"] for each in found["contrasts"] if each["rival"] not in found["ties"]}
    assert (found["champion"], better, told_apart) == ("C-EN", {"D", "W"}, {"D", "W"})
    assert "better than depth and width alone, and not told from resolution alone" in (ROOT / "README.md").read_text()


def test_the_figure_shows_the_records() -> None:
    numbers, texts = drawn(FIGURE.read_text())
    assert (numbers, texts) == drawn(figure.text())
    assert numbers == figure.plotted()
    assert {"B0", "B7", "ResNet-50", "MobileNetV1"} <= set(texts)


def test_the_figure_is_the_same_bytes_at_every_run() -> None:
    assert figure.text() == figure.text()


def test_the_figure_of_the_front_is_what_the_command_draws() -> None:
    """Its predictions are sums of many numbers, whose last digits differ between processors."""
    (numbers, texts), (now, words) = drawn(FRONT_FIGURE.read_text()), drawn(front_figure.text())
    assert texts == words
    for line in ("front", "ray", "released"):
        assert numbers[line]["names"][0] == now[line]["names"][0]
        for axis in ("xs", "ys", "lows", "highs"):
            assert numbers[line][axis] == pytest.approx(now[line][axis], rel=1e-3)
    assert numbers["released"]["names"] == [f"B{k}" for k in range(8)]
    for k, (macs, top1) in enumerate(zip(numbers["released"]["xs"], numbers["released"]["ys"], strict=True)):
        assert macs == compoundnet.cost(compoundnet.named(f"efficientnet_b{k}")).macs
        assert top1 == next(row["top1"] for row in records_of_the_paper() if row["network"] == f"efficientnet_b{k}")


def test_the_figure_of_the_search_report_is_what_the_report_draws() -> None:
    assert is_up_to_date(REPORT_FIGURE, report_figure.text()), "run: make records"


# The table of the networks of all ecosystems is computed, in as long as all other blocks.
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.name, marks=[pytest.mark.slow] * (page.name == "converting.md")) for page in PAGES],
)
def test_generated_blocks_are_what_the_records_say(page: Path) -> None:
    text = page.read_text()
    assert blocks.filled(text) == text, "run: make records"


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in LONG else []) for page in DOCS],
)
def test_the_code_on_the_page_runs_and_prints_what_is_shown(page: Path) -> None:
    text = page.read_text()
    assert snippets.refreshed(text) == text, "run: make records"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_folder_and_test_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    for path, _, name in re.findall(r"`((?:tests|results|tools|docs|examples)/[\w./]+)(::(\w+))?`", text):
        assert (ROOT / path).exists(), path
        if name:
            tree = ast.parse((ROOT / path).read_text())
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).is_file(), target


def test_every_public_name_is_documented() -> None:
    text = (ROOT / "docs/api.md").read_text()
    documented = set(re.findall(r"\.\. auto\w+:: compoundnet\.(\w+)$", text, re.MULTILINE))
    assert documented == set(PUBLIC)


PACKAGES = (
    *("recipes", "data", "training", "transferring", "evaluating", "cam", "memory"),
    *("weights.bundle", "weights.store", "search", "search.architecture", "search.strategies"),
    *(
        "search.coefficients",
        "search.predictors",
        "search.proxies",
        "search.rating",
        "search.reporting",
        "search.trials",
    ),
)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_of_a_package_is_documented(package: str) -> None:
    """Public is what a package offers under its name: those it loads when first used, or imports as themselves."""
    text = (ROOT / "docs/api.md").read_text()
    documented = re.findall(rf"\.\. auto\w+:: compoundnet\.{package}\.(\w+)$", text, re.MULTILINE)
    module = importlib.import_module(f"compoundnet.{package}")
    path = Path(module.__file__ or "")
    if path.name == "__init__.py":
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        public = {name.name for node in imports if node.level for name in node.names if name.asname == name.name}
    else:
        own = {name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
        public = {name for name in own if not name.startswith("_")}
    assert len(documented) == len(set(documented))
    assert set(documented) == public


def test_every_command_is_in_the_readme_and_its_page_too() -> None:
    readme, index = ((ROOT / name).read_text() for name in ("README.md", "docs/index.md"))
    tree = index[index.index("```{toctree}") :]
    named = set(re.findall(r"(?:`|compoundnet )(?!compoundnet )([\w-]+)", readme))
    assert {name.split()[0] for name in COMMANDS} - named == set()
    for page in DOCS:
        assert page.stem in ("index", *tree.split()), page.name
    for row in re.findall(r"^\| `compoundnet .*$", index, re.MULTILINE):
        for page in re.findall(r"\[\]\((\w+)\.md\)", row):
            assert f"(docs/{page}.md)" in readme, row


@pytest.mark.parametrize(
    "page", ["pareto", "devices", "training", "serving", "export", "quantize", "search-architecture"]
)
def test_what_a_page_needs_stands_before_its_first_command(page: str) -> None:
    text = (ROOT / f"docs/{page}.md").read_text()
    needed, first = text.index("pip install 'compoundnet["), re.search(r"^(?:\$ )?compoundnet |^import ", text, re.M)
    assert first is not None
    assert needed < first.start()


def test_every_command_and_every_option_named_exists() -> None:
    text = (ROOT / "docs/index.md").read_text()
    rows = re.findall(r"^\| `compoundnet (search [\w-]+|[\w-]+).*$", text, re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)
    for row in re.finditer(r"^\| `compoundnet (search [\w-]+|[\w-]+).*$", text, re.MULTILINE):
        for option in re.findall(r"--([\w-]+)", row[0]):
            assert option.replace("-", "_") in inspect.signature(COMMANDS[row[1]]).parameters, row[0]


def test_every_equation_and_table_of_the_paper_is_on_its_page() -> None:
    text = (ROOT / "docs/paper.md").read_text()
    for piece in (*(f"Eq. {i}" for i in range(1, 4)), *(f"| Table {i}, " for i in range(1, 9)), "Fig. 1 and 5"):
        assert piece in text
    assert all(f"Fig. {i}" in text for i in (1, 2, 3, 4, 6, 7, 8))


def test_a_wrong_output_on_a_page_is_put_right() -> None:
    page = "```python\nx = 1 + 1\n```\n\n```python\nprint(x)\n```\n\n```text\n3\n```\n\n```console\n$ ls\na\n```\n"
    assert snippets.refreshed(page) == page.replace("3\n", "2\n")
    page = "```console\n$ compoundnet cost nothing\nfine\n```\n"
    assert "compoundnet: error: unknown network 'nothing'" in snippets.refreshed(page)


def test_how_far_a_slow_command_was_is_no_part_of_a_page() -> None:
    lines = "compoundnet: 169 of 1,560 networks, about 12 s left\\nProved\\ncompoundnet: error: 1 of 2 failed\\n"
    assert snippets.output(f"printf '{lines}'") == ["Proved", "compoundnet: error: 1 of 2 failed"]


def test_code_on_a_page_that_fails_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        snippets.refreshed("```python\n1 / 0\n```\n")


def test_the_newest_record_of_each_kind_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    for name in (
        "cpu_torch2.1_float32_2026-01-02",
        "cpu_torch2.0_float32_2026-03-01",
        "engines_cpu_torch2.1_2026-12-31",
    ):
        (folder / f"{name}.jsonl").write_text(f'{{"name": "{name}"}}\n')
    monkeypatch.setattr(files, "RESULTS", tmp_path)
    assert files.newest_benchmarks() == [{"name": "cpu_torch2.0_float32_2026-03-01"}]
    assert files.newest_benchmarks("engines_") == [{"name": "engines_cpu_torch2.1_2026-12-31"}]


def test_a_block_that_nobody_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="accuracies"):
        blocks.filled("<!-- generated:accuracies -->\n<!-- end -->")


@pytest.mark.parametrize(
    ("exact", "printed", "agree"),
    [
        (385_814_752, "0.39B", True),
        (686_802_832, "0.70B", False),
        (12_233_232, "12M", True),
        (9_109_994, "9.2M", False),
    ],
)
def test_a_printed_figure_is_met_when_the_exact_one_rounds_to_it(exact: int, printed: str, agree: bool) -> None:
    assert blocks.rounds_to(exact, printed) is agree


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new/page.md"
    write(path, "first\n")
    with pytest.raises(UnicodeEncodeError):
        write(path, "\ud800")
    assert path.read_text() == "first\n"


def test_a_check_names_what_is_out_of_date_and_writes_nothing(tmp_path: Path) -> None:
    fresh, old = tmp_path / "fresh", tmp_path / "old"
    files = [(fresh, "as it is\n"), (old, "new\n")]
    fresh.write_text("as it is\n")
    old.write_text("old\n")
    assert settled(files, check=True) == [old]
    assert old.read_text() == "old\n"
    assert settled(files, check=False) == [old]
    assert settled(files, check=True) == []


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(ROOT / "docs"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert compoundnet.CONVENTION.split(";")[0] in (tmp_path / "costs.html").read_text()
