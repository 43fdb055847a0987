"""Own points set the level of the accuracy law and bend its shape; a file of them is read, or is one line."""

import numpy as np
import pytest
from benchmarks.accuracy import mae, usual
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet import accuracy_law
from compoundnet.accuracy import read_points
from compoundnet.accuracy.law import unseen
from compoundnet.accuracy.pooling import others
from compoundnet.schema import FieldError

from .accuracies import asked, point

HEADER = "depth,width,resolution,macs,top1\n"


# Own points


def test_one_own_point_sets_the_level_and_keeps_the_shape() -> None:
    law = accuracy_law("efficientnet")
    points = usual("efficientnet")
    own = law.updated([point(top1=60.0)])
    before, after = (np.log(100 - each.predict(*asked(points)).mean) for each in (law, own))
    assert own.predict(1, 1, 224, 385_814_752).mean == pytest.approx(60, abs=0.3)
    np.testing.assert_allclose(after - before, after[0] - before[0], atol=0.01)


def test_own_points_bend_the_shape_and_narrow_the_interval() -> None:
    """A recipe in which larger networks gain nothing."""
    sizes = [(1.0, 1.0, 224), (1.4375, 1.0, 240), (1.4375, 1.1, 260), (1.75, 1.2, 300), (2.3, 1.4, 380)]
    macs = [3.9e8, 6.9e8, 9.9e8, 1.8e9, 4.4e9]
    flat = [point(depth=d, width=w, resolution=r, macs=m, top1=70.0) for (d, w, r), m in zip(sizes, macs, strict=True)]
    one, all_ = (accuracy_law("efficientnet").updated(flat[:count]) for count in (1, 5))
    large = (2.3, 1.4, 380, 4.4e9)
    assert abs(all_.predict(*large).mean - 70) < abs(one.predict(*large).mean - 70) / 2
    assert one.updated(flat[1:]) == all_


def test_a_few_own_points_make_the_pooled_law_useful() -> None:
    """MnasNet-A1, as if nobody had published it: three of its networks, and the other 22."""
    points = sorted(usual("mnasnet"), key=lambda each: each.macs)
    known = (points[0], points[12], points[-1])
    rest = [each for each in points if each not in known]
    tops = np.array([each.top1 for each in rest])
    before = unseen((), others("mnasnet")).predict(*asked(rest))
    own = tuple(point(**{name: getattr(each, name) for name in vars(point())} | {"recipe": "own"}) for each in known)
    after = unseen(own, others("mnasnet")).predict(*asked(rest))
    assert mae(after.mean - tops) < 1 < mae(before.mean - tops)
    assert np.mean(after.high - after.low) < np.mean(before.high - before.low) / 3
    assert ((before.low < tops) & (tops < before.high)).all()


# Own points from a file


def test_a_file_of_own_points_is_read_in_any_order_of_columns() -> None:
    text = "\ufefftop1, macs ,depth,width,resolution\r\n\r\n74.5,390e6,1,1,224\r\n75,8e8,1.4,1,240\n"
    assert read_points(text) == (
        point(top1=74.5, macs=390e6),
        point(top1=75.0, macs=8e8, depth=1.4, resolution=240),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty; the first line names the columns: depth,width,resolution,macs,top1"),
        (HEADER, "no rows below the header"),
        ("depth,width,side,macs,top1\n1,1,1,1,1", "line 1: unknown column 'side'"),
        ("depth,width,resolution,macs\n1,1,1,1", "line 1: the column top1 is missing"),
        ("depth,depth,resolution,macs,top1\n1,1,1,1,1", "line 1: the column depth stands twice"),
        (HEADER + "1,1,224,4e8", "line 2: 4 values; the header has 5 columns"),
        (HEADER + "1,1,224,4e8,70\n1,1,224,4e8,70,2", "line 3: 6 values"),
        (HEADER + "1,1,224,4G,70", "line 2, macs: '4G' is not a number"),
        (HEADER + "1,1,224,4_0,70", "line 2, macs: '4_0' is not a plain number"),
        (HEADER + "1,,224,4e8,70", "line 2, width: '' is not a number"),
        (HEADER + "1,1,224,4e8,nan", "line 2, top1: nan is not a percentage above 0 and below 100"),
        (HEADER + "1,1,224,4e8,100", "line 2, top1: 100.0 is not a percentage"),
        (HEADER + "1,1,224,inf,70", "line 2, macs: inf is not a count"),
        (HEADER + "0,1,224,4e8,70", "line 2, depth: 0.0 is not a factor above 0, at most 64"),
        (HEADER + "1,1,9000,4e8,70", "line 2, resolution: 9000.0 is not a side of 1 to 8192 pixels"),
        (HEADER + "1,1,224,4e8,70\n\n1,1,224,5e8,71", "line 4, macs: 5e\\+08 differs from 4e\\+08 in line 2"),
        (HEADER + "1,1,224,4e8,70\n" * 201, "201 rows; at most 200"),
        (HEADER + " " * 100_001, "more than 100,000 characters"),
        (HEADER + '1,1,224,4e8,"70', "not a CSV table: unexpected end of data"),
    ],
)
def test_a_wrong_file_gets_one_clear_line(text: str, problem: str) -> None:
    with pytest.raises(FieldError, match=problem) as caught:
        read_points(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="0123456789,.\n\r\"'eE+-_ \x00depthwidtop1µ", max_size=80), st.sampled_from(["", HEADER]))
def test_any_text_is_points_or_one_line(text: str, start: str) -> None:
    said = "points"
    try:
        assert read_points(start + text)
    except FieldError as error:
        said = str(error)
    assert said.isprintable(), said


def test_shares_are_not_taken_for_percentages() -> None:
    rows = "depth,width,resolution,macs,top1\n1,1,224,385814752,0.749\n1,1,240,442000000,0.76\n"
    with pytest.raises(FieldError, match=r"top1: 0.76 at most; accuracies are percentages, so write 76 for that share"):
        read_points(rows)
