"""A process beside draws the figures of a long journal: the same bytes, one line where it ends, none left over."""

import subprocess
import sys
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
    assert artist.process.returncode is not None


def test_its_end_is_one_line(journal: Path) -> None:
    report = report_of(read_kept(journal))
    with artist_for(str(journal)) as artist:
        assert artist is not None
        artist.process.kill()
        with pytest.raises(TrialsError, match=r"the process that draws the figures has ended"):
            files_of(report, artist)


def test_a_short_journal_needs_none(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal.log", 5)
    with artist_for(str(tmp_path / "journal.log")) as artist:
        assert artist is None


def test_a_script_that_calls_the_command_runs_once(journal: Path, tmp_path: Path) -> None:
    """Nothing guards its lines: a child that imported it again would run them again."""
    (tmp_path / "mine.py").write_text(
        "print('once')\nfrom compoundnet.cli import main\n"
        f"assert main(['search', 'report', {str(journal)!r}, '--out', 'out', '--json']) == 0\n"
    )
    command = [sys.executable, "mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("once\n")) == (0, "", 1)
    assert list((tmp_path / "out").glob("*.png"))
