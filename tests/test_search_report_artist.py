"""A process beside draws the figures of a long journal: the same bytes, one line where it ends, none left over."""

import multiprocessing
from pathlib import Path

import pytest
from benchmarks.invented import write_journal

from compoundnet.search.reporting import read_kept, report_of
from compoundnet.search.reporting.artist import LONG, artist_for
from compoundnet.search.reporting.writing import files_of
from compoundnet.search.trials import TrialsError


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "journal.log"
    write_journal(path, 1800)
    assert path.stat().st_size > LONG
    return path


def test_it_draws_the_same_bytes(journal: Path) -> None:
    report = report_of(read_kept(journal))
    with artist_for(str(journal)) as artist:
        assert artist is not None
        beside = files_of(report, artist)
    assert beside == files_of(report)
    assert any(name.endswith(".png") for name in beside)
    assert not multiprocessing.active_children()


def test_its_end_is_one_line(journal: Path) -> None:
    report = report_of(read_kept(journal))
    with artist_for(str(journal)) as artist:
        [process] = multiprocessing.active_children()
        process.kill()
        with pytest.raises(TrialsError, match=r"the process that draws the figures has ended"):
            files_of(report, artist)


def test_a_short_journal_needs_none(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal.log", 5)
    with artist_for(str(tmp_path / "journal.log")) as artist:
        assert artist is None
