"""The picture of docs/search-report.md: two panels that a report of 2,000 invented trials shows."""

import tempfile
from functools import cache
from pathlib import Path

from benchmarks.invented import write_journal

from compoundnet.search.reporting import read_kept, report_of
from compoundnet.search.reporting.figures import panels
from compoundnet.search.reporting.svg import HEIGHT, STYLE, WIDTH, drawn

TRIALS = 2000
SHOWN = ("front_macs", "edf_macs")


@cache
def text() -> str:
    """Both panels side by side, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.log"
        write_journal(path, TRIALS)
        found = {panel.stem: panel for panel in panels(report_of(read_kept(path)))}
    inside = "\n".join(
        f'<svg x="{WIDTH * place}" width="{WIDTH}" height="{HEIGHT}"{drawn(found[stem]).removeprefix("<svg")}'
        for place, stem in enumerate(SHOWN)
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(SHOWN) * WIDTH} {HEIGHT}" font-size="12" '
    style = f'<style>{STYLE}</style><rect width="100%" height="100%" fill="white"/>'
    return f'{head}font-family="sans-serif" fill="#222">{style}\n{inside}\n</svg>\n'
