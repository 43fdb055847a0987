"""Pictures: what they carry, that they are the same at every run, and that names do not cover each other."""

import contextlib
import io
import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from compoundnet.plots import Chart, Line, picture
from compoundnet.plots.chart import spoken, ticks
from compoundnet.plots.files import checked
from compoundnet.plots.naming import Box
from compoundnet.plots.still import STYLE, draw
from compoundnet.schema import FieldError, decode

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


def test_a_page_has_its_title_as_title_and_heading_in_a_language_and_in_letters_only() -> None:
    page = picture(chart(title="<b> & co", note="1 < 2"), ".html").decode()
    assert page.startswith('<!doctype html>\n<html lang="en">\n')
    assert re.findall(r"<(title|h1|p)>(.*?)</\1>", page[: page.index("<script")]) == [
        ("title", "&lt;b&gt; &amp; co"),
        ("h1", "&lt;b&gt; &amp; co"),
        ("p", "1 &lt; 2"),
    ]
    assert "<p>" not in picture(chart(note=""), ".html").decode()


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


def test_of_names_that_would_cover_each_other_the_first_are_shown() -> None:
    names = tuple(f"network_{k}" for k in range(40))
    crowd = Line(tuple(1e8 * 1.001**k for k in range(40)), (74.0,) * 40, (74.0,) * 40, (75.0,) * 40, names)
    above, _ = chart(front=line(6), ray=Line(), released=crowd).labels
    shown = [name.text for name in above if name.text]
    assert shown[0] == names[0]
    assert len(shown) < 20


@cache
def real(*arguments: str) -> Chart:
    """What the command draws, read from what its picture carries."""
    import tempfile

    from compoundnet.cli import main

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/front.svg"
        with contextlib.redirect_stdout(io.StringIO()):
            assert main(["pareto", *arguments, "--plot", path]) == 0
        [described] = ET.parse(path).getroot().iter(f"{DUBLIN}description")
    return decode(Chart, json.loads(described.text or ""))


REAL = [
    ("efficientnet_b0", "--sides", "96:640:16"),
    ("efficientnet_b0", "--cost", "params", "--sides", "96:640:16"),
    ("efficientnet_b0", "--cost", "latency", "--device", "roofline:40:10", "--sides", "96:640:32"),
    ("efficientnet_b0", "--cost", "activations", "--sides", "96:640:32"),
    ("resnet50", "--sides", "96:640:32"),
    ("mobilenet_v2", "--sides", "96:640:32"),
]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", REAL, ids=" ".join)
def test_no_name_covers_another_a_point_a_line_the_legend_or_the_edge(arguments: tuple[str, ...]) -> None:
    """By the extents of the letters as they are drawn."""
    shown = real(*arguments)
    with mpl.rc_context(dict(STYLE)):
        figure = draw(shown)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        [axes] = figure.axes
        texts = [each for each in axes.texts if each.get_text()]
        boxes = [each.get_window_extent(canvas.get_renderer()) for each in texts]
        legend = axes.get_legend()
        assert legend is not None
        taken = [*boxes, legend.get_window_extent(canvas.get_renderer())]
        assert len(boxes) >= 8
        for k, box in enumerate(boxes):
            assert not any(box.overlaps(other) for j, other in enumerate(taken) if j != k), texts[k].get_text()
            assert all(axes.bbox.contains(x, y) for x, y in box.corners())
            for line in (shown.front, shown.ray, shown.released):
                points = axes.transData.transform(np.column_stack((line.xs, line.ys)))
                assert not any(box.contains(x, y) for x, y in points), texts[k].get_text()
                assert line is shown.released or not Path(points).intersects_bbox(box, filled=False)


def test_the_released_networks_of_the_paper_all_have_their_names() -> None:
    for arguments in REAL[:2]:
        above, _ = real(*arguments).labels
        assert [name.text for name in above] == [f"B{k}" for k in range(8)]


@given(
    *(st.tuples(st.floats(-1, 2), st.floats(-1, 2)) for _ in range(2)),
    st.tuples(*(st.floats(0, 1) for _ in range(4))),
)
def test_a_box_is_crossed_by_a_line_that_has_a_point_in_it(
    start: tuple[float, float], end: tuple[float, float], sides: tuple[float, float, float, float]
) -> None:
    box = Box(min(sides[:2]), min(sides[2:]), max(sides[:2]), max(sides[2:]))
    crossed = box.crossed(start, end)
    shares = np.linspace(0, 1, 101)
    xs, ys = (start[k] + (end[k] - start[k]) * shares for k in (0, 1))
    near = 1e-9
    inner = (box.left + near < xs) & (xs < box.right - near) & (box.low + near < ys) & (ys < box.high - near)
    assert crossed or not inner.any()
    outer = Path([start, end]).intersects_bbox(
        Bbox([[box.left - near, box.low - near], [box.right + near, box.high + near]]), filled=False
    )
    assert outer or not crossed


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
