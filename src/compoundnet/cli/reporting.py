"""The command that says what a search found: search report."""

from pathlib import Path
from typing import TYPE_CHECKING

from compoundnet.budget import figure

from .output import safe, write, write_json, write_table

if TYPE_CHECKING:
    from compoundnet.search.reporting import Report

_DECISIONS, _FRONT = 8, 12  # lines on the terminal; the rest is in the files


def search_report(journal: str, out: str, study: str | None = None, json: bool = False) -> int:
    """Report a search: every trial, Pareto fronts, distributions, seed noise, importance, the tie set, net.json.

    Args:
        out: the folder for report.html, report.json, PNG, CSV and net.json
        study: which study of the store; default: the only one
    """
    from compoundnet.search.reporting import read_kept, report_of, write_report
    from compoundnet.search.reporting.artist import artist_for
    from compoundnet.search.trials.loading import uncollected
    from compoundnet.search.whereabouts import ASKED

    if (Path(out) / ASKED).exists():
        raise ValueError(f"--out {out}: is a search's folder, with a net.json of its own; name another one")
    with uncollected(), artist_for(journal) as artist:
        report = report_of(read_kept(journal, study))
        paths, missing = write_report(report, Path(out), artist)
        if json:
            write_json({**report.to_dict(), "files": [str(path) for path in paths]})
            return 0
        _show(report)
    write(f"\nReport: {paths[0]}" + ("" if report.network is None else f"; network: {Path(out) / 'net.json'}"))
    if missing:
        write(missing)
    return 0


def _show(report: "Report") -> None:
    from compoundnet.search.reporting.saying import facts, importance_said, noise_said, ties_said

    for name, said in facts(report):
        write(f"{name:<10}{safe(said)}")
    _front(report)
    for text in (noise_said(report), ties_said(report), importance_said(report)):
        if text:
            write(f"\n{text}")
    if report.importance is not None:
        found = report.importance
        rows = [
            [
                safe(found.names[k]),
                f"{100 * found.shares[k].value:.1f} %",
                _ends(found.shares[k].low, found.shares[k].high),
            ]
            for k in found.ranked()[:_DECISIONS]
        ]
        write_table(["Decision", "Share", "95 % interval"], rows)
    repeated = noise_said(report)
    for note in report.notes:
        if note != repeated:
            write(f"\nNote: {safe(note)}")


def _front(report: "Report") -> None:
    if not report.costs:
        return
    cost = report.costs[0]
    found = report.fronts[cost]
    shown = [found[round(place * (len(found) - 1) / (_FRONT - 1))] for place in range(_FRONT)]
    shown = list(found) if len(found) <= _FRONT else shown
    write(
        f"\nFront, {len(found)} of {len(report.entries):,} networks"
        + (f"; {len(shown)} shown" * (shown != list(found)))
    )
    rows = [
        [f"{e.first.number}", f"{figure(e.first.costs[cost])}", f"{100 * e.accuracy:.2f} %", f"{e.reward:.4f}"]
        for e in shown
    ]
    write_table(["Trial", cost, "Accuracy", "Reward"], rows)


def _ends(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}"
