"""The command that says what may be believed without a whole training: search rate."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .output import safe, write, write_json, write_table
from .progress import progress

if TYPE_CHECKING:
    from compoundnet.search.predictors import Interval, Ranking
    from compoundnet.search.rating import Rating, Trained

_HEAD = ("Rated", "Tau [95 %]", "Tau, top quarter", "Top share", "Tau, equal cost", "Gain [95 %]", "Saves")
_NOTHING = "-"


def search_rate(
    journal: str,
    study: str | None = None,
    no_proxies: bool = False,
    networks: int = 200,
    pictures: int = 64,
    width: float = 0.1,
    scores: str | None = None,
    seed: int = 0,
    json: bool = False,
) -> int:
    """Rate predictors, zero-cost proxies and cheap trainings by the trials of a study, before they are trusted.

    Args:
        study: which study of the store; default: the only one
        networks: how many networks, drawn by the seed, the proxies look at; default: 200
        pictures: how many pictures of noise the proxies look at; default: 64
        width: equal cost is within this share of the median's multiply-adds; default: 0.1
        scores: keep the proxies' scores in this file of JSON lines, and go on with what is not in it yet
        seed: of drawn networks, fresh weights, folds and bootstraps; default: 0
    """
    from compoundnet.search.rating import rate, read_observed, trained

    for name, value, least in (("networks", networks, 8), ("pictures", pictures, 4)):
        if value < least:
            raise ValueError(f"--{name}: {value} is below {least}")
    if not 0 < width < 10:
        raise ValueError(f"--width: {width:g} is no share such as 0.1")
    table = trained(read_observed(journal, study))
    known = all(each.network is not None for each in table.networks)
    looked = table.drawn(networks, seed) if known and not no_proxies else None
    found = rate(table, seed=seed)
    if looked is not None:
        found = found.beside(looked, _scores(looked, pictures, seed, scores, json), width=width, seed=seed)
    if json:
        write_json({"study": study, **found.to_dict()})
        return 0
    _print(found, table, looked)
    if not known and not no_proxies:
        write(
            "\nA table holds no networks: no counts and proxies were rated, and predictors see its columns only; give "
            "the trial journal for all of it."
        )
    return 0


def _scores(table: "Trained", pictures: int, seed: int, keep: str | None, silent: bool) -> "list[Mapping[str, float]]":
    from compoundnet.search.rating import score_networks

    values = [each.network for each in table.networks if each.network is not None]
    path = None if keep is None else Path(keep)
    with progress("networks by proxies", silent=silent) as on_done:
        return score_networks(values, pictures=pictures, seed=seed, keep=path, on_done=on_done)


def _print(found: "Rating", table: "Trained", looked: "Trained | None") -> None:
    write(f"{found.networks:,} networks trained, each as long as any; accuracies are means over their seeds.")
    if looked is not None and len(looked.networks) < len(table.networks):
        write(f"Proxies looked at {len(looked.networks):,} of them.")
    write_table(_HEAD, [*_predictors(found), *_proxies(found), *_fidelities(found)])
    best = found.predictors.best
    ranks = found.predictors.rankings[best].tau.low > 0
    said = (
        f"Best predictor: {best}."
        if ranks
        else "No predictor ranks these networks better than chance: no tau's interval is above 0."
    )
    rated = found.proxies
    if rated is not None:
        band = rated.band
        said += f" Equal cost: {band.count} networks of {band.low:,.4g} to {band.high:,.4g} multiply-adds."
        if rated.best is not None:
            said += f" A proxy's gain is its tau less that of {rated.best}, the best plain count."
    write(said)
    for name, gain in found.gains.items():
        write(f"{name} as one more feature changes a ridge's tau out of sample by {_signed(gain)}.")
    for each in found.fidelities:
        write(f"{safe(each.name)}: {each.why or 'trusted'}")


def _predictors(found: "Rating") -> Iterator[tuple[str, ...]]:
    for name, ranking in found.predictors.rankings.items():
        yield (f"predictor {name}", *_ranking(ranking), _NOTHING, _NOTHING, _NOTHING)


def _proxies(found: "Rating") -> Iterator[tuple[str, ...]]:
    for each in found.proxies.ratings if found.proxies else ():
        name = f"{'count' if each.plain else 'proxy'} {each.name}"
        equal = _NOTHING if each.band is None else _ends(each.band.tau)
        yield (name, *_ranking(each.whole), equal, _NOTHING if each.gain is None else _signed(each.gain), _NOTHING)


def _fidelities(found: "Rating") -> Iterator[tuple[str, ...]]:
    for each in found.fidelities:
        yield (safe(each.name), *_ranking(each.ranking), _NOTHING, _NOTHING, f"{each.saving:.1f} x")


def _ranking(found: "Ranking") -> tuple[str, str, str]:
    share, top = found.top_share.value, found.top_tau.value
    return _ends(found.tau), f"{top:.3f}" if math.isfinite(top) else _NOTHING, f"{100 * share:.0f} %"  # all are equal


def _ends(found: "Interval") -> str:
    if found.value != found.value:  # not defined: the same for all
        return _NOTHING
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _signed(found: "Interval") -> str:
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
