"""Files of answers: whatever a file has lost at its end, going on with it gives the whole file."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoundnet.prediction import Label, Prediction, Run, Shard, expand, ledger, merge, shard_path
from compoundnet.prediction.entries import Entry
from compoundnet.preprocess import Preprocess
from compoundnet.schema import FieldError

RUN = Run(model="tiny", tensors_sha256="ab", preprocess=Preprocess(size=(32, 32)), top=2)
# Names of files are any bytes but a slash and NUL; Python spells those that are no text with lone surrogates.
NAMES = st.binary(min_size=1, max_size=6).filter(lambda raw: not set(raw) & {0, 47}).map(os.fsdecode)
LABELS = st.builds(Label, label=st.text(max_size=5), index=st.integers(0, 9), probability=st.floats(0, 1))
ANSWERS = st.one_of(
    st.builds(Prediction, path=NAMES, top=st.tuples(LABELS, LABELS)),
    st.builds(Prediction, path=NAMES, error=st.text(min_size=1, max_size=9)),
)


def write(path: Path, answers: list[Prediction], run: Run = RUN) -> int:
    """Write the answers that are not there yet, as predict does; returns how many were."""
    with ledger(path, run) as file:
        left = file.left([answer.path for answer in answers])
        for place in left:
            file.write(answers[place])
    return len(answers) - len(left)


def answer(name: str) -> Prediction:
    return Prediction(name, (Label("cat", 0, 0.75), Label("dog, or not", 1, 0.25)))


@pytest.mark.some(1)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@settings(deadline=None, max_examples=60)
@given(answers=st.lists(ANSWERS, max_size=6, unique_by=lambda each: each.path), data=st.data())
def test_a_file_cut_anywhere_is_gone_on_with_to_the_same_bytes(
    suffix: str, answers: list[Prediction], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ledger") / f"out.{suffix}"
    assert write(path, answers) == 0
    whole = path.read_bytes()
    assert write(path, answers) == len(answers)
    assert path.read_bytes() == whole
    part = path.with_name(f"{path.name}.part")
    path.rename(part)
    kept = data.draw(st.integers(0, len(whole)))
    part.write_bytes(whole[:kept])
    before = write(path, answers)
    assert path.read_bytes() == whole
    assert before == len(answers) or kept < len(whole)


def test_a_name_that_stands_twice_needs_two_answers(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert write(path, [answer("a"), answer("b")]) == 0
    assert write(path, [answer("a"), answer("a"), answer("c")]) == 1


@pytest.mark.parametrize(
    ("suffix", "old", "new"),
    [
        ("csv", b"path,rank", b"rank,path"),
        ("csv", b"a,2", b"a,7"),
        ("csv", b"a,1", b"x,1"),
        ("csv", b"a,1,cat", b'a,1,"cat"x'),
        ("csv", b"a,1,cat", b"a,1"),
        ("csv", b"a,1,cat", b'"a,1,cat'),
        ("csv", b"b,2,", b"b,2"),
        ("jsonl", b'"path"', b'"Path"'),
        ("jsonl", b"{", b""),
        ("jsonl", b"{", b"[]\n{"),
    ],
)
def test_a_damaged_file_is_refused_and_kept(suffix: str, old: bytes, new: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"out.{suffix}"
    write(path, [answer("a"), answer("b")])
    damaged = path.read_bytes().replace(old, new, 1)
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="remove it, or name another file") as caught:
        write(path, [answer("a")])
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == damaged
    assert not path.with_name(f"{path.name}.part").exists()


def test_an_odd_quote_in_the_middle_of_an_unfinished_file_throws_nothing_away(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    labels = (Label("cat", 0, 0.75), Label("dog", 1, 0.25))
    write(path, [Prediction(name, labels) for name in "abcdef"])
    part = path.with_name("out.csv.part")
    path.rename(part)
    damaged = part.read_bytes().replace(b"b,1", b'"b,1', 1)
    part.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"damaged behind byte \d+; remove it"):
        write(path, [])
    assert part.read_bytes() == damaged


def test_what_made_a_file_must_be_readable(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write(path, [answer("a")])
    for text in ("", "[]", '{"model": 3}', "{" * 10_000):
        path.with_name("out.csv.run.json").write_text(text)
        with pytest.raises(ValueError, match=r"out\.csv\.run\.json beside it is damaged"):
            write(path, [answer("a")])


def test_a_finished_and_an_unfinished_file_side_by_side_are_not_guessed_about(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write(path, [answer("a")])
    path.with_name("out.csv.part").write_text("path,rank")
    with pytest.raises(ValueError, match=r"out\.csv\.part lies beside it, of a run that was not finished"):
        write(path, [answer("b")])


def test_a_file_is_written_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with (
        ledger(path, RUN),
        pytest.raises(ValueError, match="another process is writing it"),
        ledger(path, RUN),
    ):
        pass


@pytest.mark.parametrize("name", ["out.txt", "out", "out.CSV", ".csv/"])
def test_other_suffixes_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a file of answers ends in \.csv or \.jsonl"):
        write(tmp_path / name, [])


# Shards


@given(count=st.integers(1, 7), total=st.integers(0, 30))
def test_every_entry_is_in_one_shard(count: int, total: int) -> None:
    entries = [Entry(str(place)) for place in range(total)]
    dealt = [entry for index in range(count) for entry in Shard(index, count).of(entries)]
    assert sorted(dealt, key=lambda entry: int(entry.path)) == entries


@pytest.mark.parametrize(("index", "count"), [(-1, 2), (2, 2), (0, 0), (True, 2), (0.0, 2)])
def test_impossible_shards_are_refused(index: int, count: int) -> None:
    with pytest.raises(FieldError, match="is no share; the first of 8 is 0/8"):
        Shard(index, count)


def sharded(tmp_path: Path, counts: list[int], run: Run = RUN) -> list[Path]:
    """Files of shards that hold so many answers."""
    paths = []
    for index, count in enumerate(counts):
        shard = Shard(index, len(counts))
        paths.append(shard_path(tmp_path / "out.csv", shard))
        answers = [answer(str(place * len(counts) + index)) for place in range(count)]
        write(paths[-1], answers, replace(run, shard=shard))
    return paths


def test_merged_shards_are_in_the_order_of_the_list(tmp_path: Path) -> None:
    assert merge(sharded(tmp_path, [3, 3, 2]), tmp_path / "out.csv") == (8, 0)
    write(tmp_path / "whole.csv", [answer(str(place)) for place in range(8)])
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_shards_that_do_not_fit_together_are_not_merged(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    zero, one = sharded(tmp_path, [2, 2])
    bad: list[tuple[list[Path], str]] = [
        ([zero], "of 2 shards these are missing: 1; name them too"),
        ([zero, zero], "2 files hold 1 shards; name every shard once"),
        ([zero, tmp_path / "none.csv"], "none.csv: no such file"),
        ([zero, tmp_path / "x.jsonl"], "x.jsonl: not a .csv file as"),
    ]
    other = tmp_path / "other.csv"
    write(other, [answer("1")], replace(RUN, model="large", shard=Shard(1, 2)))
    bad.append(([zero, other], "another run than"))
    for place, (counts, problem) in enumerate([([1, 3], "more answers than"), ([3, 1], "different lists")]):
        folder = tmp_path / str(place)
        folder.mkdir()
        bad.append((sharded(folder, counts), problem))
    cut = tmp_path / "cut"
    cut.mkdir()
    parts = sharded(cut, [2, 2])
    parts[1].write_bytes(parts[1].read_bytes()[:-10])
    bad.append((parts, "damaged or cut off: 1 answers in"))
    lists = tmp_path / "lists"
    lists.mkdir()
    parts = sharded(lists, [2, 2])
    write(tmp_path / "x.csv", [], replace(RUN, shard=Shard(1, 2), list_sha256="other"))
    bad.append(([parts[0], tmp_path / "x.csv"], "another run than"))
    bad.append(([], "no files to merge"))
    one.rename(tmp_path / "kept")
    one.with_name(f"{one.name}.part").write_bytes(b"")
    bad.append(([zero, one], "not finished; run its shard again, it goes on where it stopped"))
    for parts, problem in bad:
        with pytest.raises(ValueError, match=problem.replace(".", r"\.")):
            merge(parts, out)
        assert not out.exists()
    assert not list(tmp_path.glob(".*.part"))


def test_a_merge_replaces_no_file(tmp_path: Path) -> None:
    parts = sharded(tmp_path, [1, 1])
    out = tmp_path / "out.csv"
    out.write_text("mine")
    with pytest.raises(ValueError, match="exists already; remove it, or name another file"):
        merge(parts, out)
    assert out.read_text() == "mine"


def test_hidden_files_of_a_ledger_are_no_pictures(tmp_path: Path) -> None:
    write(tmp_path / "out.csv", [answer("a")])
    assert [entry.error is None for entry in expand(tmp_path)] == [False]
