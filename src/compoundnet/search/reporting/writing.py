"""The files of a report: each is written beside its place and renamed."""

import json
import os
from pathlib import Path

from compoundnet.schema import encode
from compoundnet.search.trials.failing import TrialsError

from .artist import Artist
from .figures import panels
from .page import page
from .report import Report
from .still import MISSING, can_draw, drawn
from .table import columns, fronts_csv, importance_csv, populations_csv, ties_csv, trials_csv

REPORT, NET = "report.json", "net.json"


def files_of(report: Report, artist: Artist | None = None) -> dict[str, bytes]:
    """The files by name; figures as PNG only where matplotlib is there. The same trials give the same bytes.

    An artist draws while the other files are made.
    """
    shown, trials = panels(report), columns(report)
    if artist is not None:
        artist.begin(shown)
    texts = {
        "report.html": page(report, shown, trials),
        REPORT: json.dumps(report.to_dict(), indent=1, allow_nan=False) + "\n",
        "trials.csv": trials_csv(trials),
        "fronts.csv": fronts_csv(report),
        "edf.csv": populations_csv(report),
        "ties.csv": ties_csv(report),
        "importance.csv": importance_csv(report),
    }
    if report.network is not None:
        net = {"network": report.network.to_dict()}
        if report.rounding is not None:
            net["rounding"] = encode(report.rounding)
        texts[NET] = json.dumps(net, indent=2) + "\n"
    pictures = artist.pictures() if artist is not None else drawn(shown) if can_draw() else {}
    return {name: text.encode() for name, text in texts.items()} | {f"{k}.png": png for k, png in pictures.items()}


def write_report(report: Report, out: Path, artist: Artist | None = None) -> tuple[list[Path], str]:
    """Write all files to a folder, and take away those of an earlier report that this one does not have.

    The names of the files, and what was not drawn ("" where all was). Raises TrialsError, one line, for a folder that
    cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)  # or it ends here
        found = files_of(report, artist)
        stale = _names_before(out) - set(found)
        parts = [(out / f".{name}.{os.getpid()}.part", out / name) for name in found]
        try:
            for (part, _), data in zip(parts, found.values(), strict=True):
                part.write_bytes(data)
            for part, path in parts:
                part.replace(path)
        finally:
            for part, _ in parts:
                part.unlink(missing_ok=True)
        for name in stale:
            (out / name).unlink(missing_ok=True)
        listed = json.dumps(sorted(found), indent=1) + "\n"
        beside = out / f".files.{os.getpid()}.part"
        beside.write_text(listed)
        beside.replace(out / _LIST)
    except OSError as error:
        raise TrialsError(
            f"{error.filename or out}: cannot be written ({error.strerror}); choose another place"
        ) from None
    return [out / name for name in found], "" if can_draw() else MISSING


_LIST = ".report-files.json"


def _names_before(out: Path) -> set[str]:
    """The files of the report that is there, as it listed them; none where it did not."""
    try:
        names = json.loads((out / _LIST).read_text())
    except (OSError, ValueError):
        return set()
    return (
        {name for name in names if isinstance(name, str) and Path(name).name == name}
        if isinstance(names, list)
        else set()
    )
