"""Pictures: what they carry, that they are the same at every run, and that names do not cover each other."""

import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from compoundnet.plots import Chart, Line, picture
from compoundnet.plots.chart import spoken, ticks
from compoundnet.plots.files import checked
from compoundnet.schema import FieldError

DUBLIN = "{http://purl.org/dc/elements/1.1/}"
SVG = "{http://www.w3.org/2000/svg}"


def line(count: int, names: tuple[str, ...] = (), faint: tuple[bool, ...] = ()) -> Line:
    xs = tuple(10.0 ** (7 + k / 2) for k in range(count))
    ys = tuple(70.0 + 2 * k for k in range(count))
    lows, highs = tuple(y - 1 for y in ys), tuple(y + 1 for y in ys)
    return Line(xs, ys, lows, highs, names or tuple(f"n{k}" for k in range(count)), faint)


def chart(**given: Any) -> Chart:
    words = {"title": "tiny: predicted accuracy", "x": "multiply-adds", "y": "top-1 (%)"}
    lines = {"front": line(6), "ray": line(5), "released": line(3, ("B0", "B1", "B2"))}
    values: dict[str, Any] = {**words, **lines, **given}
    return Chart(**values)


def test_a_still_picture_carries_its_numbers_its_words_and_its_units() -> None:
    svg = picture(chart(unit="B", note="a note"), ".svg").decode()
    tree = ET.fromstring(svg)
    [described] = tree.iter(f"{DUBLIN}description")
    assert json.loads(described.text or "") == chart(unit="B", note="a note").to_dict()
    words = {element.text for element in tree.iter(f"{SVG}text")}
    assert {
        "multiply-adds",
        "top-1 (%)",
        "tiny: predicted accuracy",
        "a note",
        "100 MB",
        "B0",
        "front",
        "rule",
    } <= words


def test_an_interactive_picture_opens_without_a_network_and_carries_every_point() -> None:
    page = picture(chart(), ".html").decode()
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", page) == []
    data = page[page.index("Plotly.newPlot", page.rindex("window.PLOTLYENV")) :]
    assert all(f'"{name}"' in data for name in ("B0", "B1", "n5", "multiply-adds 10 M"))
    assert len(page) < 6_000_000


@pytest.mark.parametrize("suffix", [".svg", ".png", ".html"])
def test_pictures_are_the_same_bytes_at_every_run(suffix: str) -> None:
    assert picture(chart(), suffix) == picture(chart(), suffix)


def test_a_png_is_a_picture_of_its_stated_size() -> None:
    from io import BytesIO

    from PIL import Image

    with Image.open(BytesIO(picture(chart(), ".png"))) as image:
        assert image.size == (1200, 750)
        assert len(set(image.convert("RGB").resize((60, 40)).get_flattened_data())) > 20


def test_faint_parts_meet_the_others_and_leave_gaps() -> None:
    whole = line(5, faint=(True, True, False, False, True))
    faint, strong = whole.part(faint=True).ys, whole.part(faint=False).ys
    assert [not math.isnan(y) for y in faint] == [True, True, True, True, True]
    assert [not math.isnan(y) for y in strong] == [False, False, True, True, False]
    assert [math.isnan(y) for y in line(3, faint=(False, False, False)).part(faint=True).ys] == [True] * 3


def test_of_names_that_would_cover_each_other_the_first_is_shown() -> None:
    crowd = Line((1e8, 1.01e8, 3e8), (74.0, 74.1, 74.0), (74.0,) * 3, (75.0,) * 3, ("first", "second", "third"))
    above, _ = chart(released=crowd).labels
    assert above == ("first", "", "third")


def test_the_view_is_where_the_law_has_data_and_a_little_further() -> None:
    faint = (True, True, False, False, True, True)
    (left, right), (bottom, top) = chart(front=line(6, faint=faint), released=Line()).view
    sure = line(6).xs[2], line(6).xs[3]
    assert sure[0] / 4 < left < sure[0]
    assert sure[1] < right < sure[1] * 4
    assert bottom < 73
    assert top > 77
    assert chart(front=line(6, faint=(True,) * 6)).view == chart().view


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(385_814_752, "", "386 M"), (1e9, "B", "1 GB"), (0.0123, "s", "12.3 ms"), (999, "", "999"), (0, "B", "0 B")],
)
def test_quantities_have_their_si_prefix(value: float, unit: str, words: str) -> None:
    assert spoken(value, unit) == words


@pytest.mark.parametrize(("low", "high"), [(9e6, 2e7), (4.69e6, 7.6e10), (0.001, 0.4)])
def test_an_axis_has_some_marks_and_not_too_many(low: float, high: float) -> None:
    found = ticks(low, high, "")
    assert 1 <= len(found) <= 12
    assert all(low <= value <= high for value in found)


def test_points_without_all_their_numbers_are_refused() -> None:
    with pytest.raises(FieldError, match="ys: 1 of them for 2 points"):
        Line((1.0, 2.0), (1.0,))


@pytest.mark.parametrize("path", ["front.jpg", "front", "front.pdf", ".svg"])
def test_unknown_suffixes_are_one_clear_line(path: str) -> None:
    with pytest.raises(ValueError, match=r"a picture ends in \.svg, \.png or \.html") as caught:
        checked(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("suffix", "library"), [(".png", "matplotlib"), (".html", "plotly")])
def test_a_library_that_is_not_there_is_named_with_the_command(suffix: str, library: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from compoundnet.cli import main\n"
        f"sys.exit(main(['pareto', 'tiny', '--plot', 'front{suffix}']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    remedy = f"front{suffix}: {library} is not installed; install it with: pip install 'compoundnet[report]'"
    assert done.stderr == f"compoundnet: error: {remedy}\n"
