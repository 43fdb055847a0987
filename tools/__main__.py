"""Make results/, the figure, and the generated parts and outputs of the pages: ``python -m tools [--check]``."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools import blocks, cam_figure, figure, front_figure, records, report_figure, snippets
from tools.files import CAM_FIGURE, FIGURE, FRONT_FIGURE, PAGES, REPORT_FIGURE, RESULTS, ROOT, is_up_to_date, write


def made() -> Iterator[tuple[Path, str]]:
    """Every made file with its text; later ones are made from earlier ones."""
    for name in records.MAKERS:
        yield RESULTS / name, records.text(name)
    yield FIGURE, figure.text()
    yield FRONT_FIGURE, front_figure.text()
    yield REPORT_FIGURE, report_figure.text()
    for page in PAGES:
        yield page, snippets.refreshed(blocks.filled(page.read_text(encoding="utf-8")))


def settled(files: Iterable[tuple[Path, str]], check: bool) -> list[Path]:
    """The files that were out of date; they are written unless this is only a check."""
    stale = []
    for path, text in files:
        if not is_up_to_date(path, text):
            stale.append(path)
            if not check:
                write(path, text)
    return stale


def drawn(check: bool) -> list[Path]:
    """The picture of maps when it was out of date; it is written unless this is only a check."""
    png = cam_figure.drawn()
    if cam_figure.is_up_to_date(CAM_FIGURE, png):
        return []
    if not check:
        write(CAM_FIGURE, png)
    return [CAM_FIGURE]


def main() -> int:
    """Write what is out of date, or with --check only name it. Returns 1 when something was stale in a check."""
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    check: bool = parser.parse_args().check
    stale = [*settled(made(), check), *drawn(check)]
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'out of date; run: make records' if check else 'written'}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
