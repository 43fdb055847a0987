"""Regret of every strategy on NAS-Bench-Macro: ``python -m benchmarks.search_macro [--out FILE] [--only NAME ...]``.

A search may use at most the median multiply-adds of all 6,561 networks, or the middle of their range. Every trial sees
one of a network's three trainings, drawn at random. Regret is what the pick lacks, by the mean of its three trainings,
to the best network within the limit. The pick is the highest accuracy observed; beside it what a pairwise model of the
same trials believes best, of the tried and of all networks within the limit. Finished repeats are kept in --out; the
same command goes on with the rest, in two processes, and ``--summary`` only sums up what is there.
"""

import argparse
import functools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from compoundnet.search import Outcome, Point
from compoundnet.search.driving import run
from compoundnet.search.strategies import DEFAULT, STRATEGIES, believed_best

from .macro_table import FILE, Limit, Macro, Numbers, folder, read
from .recording import kept, write
from .timing import on_one_thread

Task: TypeAlias = tuple[str, Limit, int]
TRIALS = (20, 50, 100, 200)
LONG = (*TRIALS, 300, 400, 600, 800, 1200, 1600)  # random's, to find how many trials it needs
MOST = {50: 0.10, 100: 0.05}  # the default's mean regret
FEWER = 4  # times fewer trials than random
CHEAPEST_FIRST = ("random", DEFAULT, "evolution", "local", "ridge", "pairwise", "tpe", "ppo", "nsga2", "gaussian")
LIMITS: tuple[Limit, ...] = ("median", "middle")
OTHERS = 1000  # repeats from this number on are for choosing the default only


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search_macro", description=__doc__)
    parser.add_argument("--data", type=Path, default=folder() / FILE)
    parser.add_argument("--out", type=Path, default=Path("search_macro.jsonl"), help="finished repeats")
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help=f"from {OTHERS} on: repeats to choose the default by")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=[*STRATEGIES], help="these strategies, in this order")
    parser.add_argument("--limit", choices=LIMITS, nargs="*", default=LIMITS)
    parser.add_argument("--summary", action="store_true", help="run nothing")
    on_one_thread("benchmarks.search_macro")
    given = parser.parse_args()
    names = given.only or [*dict.fromkeys([*CHEAPEST_FIRST, *STRATEGIES])]
    repeats = range(given.first, given.first + given.repeats)
    tasks = [(name, limit, repeat) for limit in given.limit for name in names for repeat in repeats]
    if not given.summary:
        finish(tasks, given.data, given.out, given.processes)
    lines = [*summary(finished(given.out), read(given.data))]
    command = f"python -m benchmarks.search_macro --repeats {given.repeats}"
    write("search_macro_", command, lines, "optuna", "scikit-learn")
    return kept(missed(lines))


def finished(out: Path) -> list[dict[str, Any]]:
    """All repeats that are kept; a line that was cut off is left out."""
    found: list[dict[str, Any]] = []
    for line in out.read_text().splitlines() if out.exists() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            print(f"{out}: a line was cut off, and is done again", file=sys.stderr)
    return found


def finish(tasks: Sequence[Task], data: Path, out: Path, processes: int) -> None:
    """Run what is not kept yet."""
    done = {(line["strategy"], line["limit"], line["repeat"]) for line in finished(out)}
    left = [task for task in tasks if task not in done]
    began = time.monotonic()
    if out.exists() and not out.read_text().endswith("\n"):
        beside = out.with_suffix(".part")
        beside.write_text("".join(json.dumps(line) + "\n" for line in finished(out)))
        beside.rename(out)
    with ProcessPoolExecutor(processes) as pool, out.open("a") as file:
        futures = [pool.submit(repeated, str(data), *task) for task in left]
        for count, future in enumerate(as_completed(futures), 1):
            line = future.result()
            file.write(json.dumps(line) + "\n")
            file.flush()
            ahead = (time.monotonic() - began) / count * (len(left) - count) / 60
            print(f"{count}/{len(left)} {line['strategy']} {line['limit']}, about {ahead:.0f} min left", flush=True)


@functools.cache
def table(data: str) -> Macro:
    """Read once in each process."""
    return read(Path(data))


def repeated(data: str, name: str, limit: Limit, repeat: int) -> dict[str, Any]:
    """One search: its regrets by each pick after so many trials, and the seconds that the processor was busy."""
    macro = table(data)
    most = macro.limit(limit)
    problem = macro.problem(most)
    steps = LONG if name == "random" else TRIALS
    began = time.process_time()
    found = run(problem, STRATEGIES[name], lambda point: macro.trained(point, repeat), steps[-1], repeat)
    spent = time.process_time() - began
    everything = macro.admissible(most)

    def regrets(picks: Sequence[Point]) -> list[float]:
        return [round(macro.regret(pick, most), 4) for pick in picks]

    return {
        "strategy": name,
        "limit": limit,
        "repeat": repeat,
        "trials": list(steps),
        "observed": regrets([observed_best(found[:count]) for count in steps]),
        "tried": regrets([believed_best(problem, found[:count]) for count in TRIALS]),
        "admissible": regrets([believed_best(problem, found[:count], everything) for count in TRIALS]),
        "seconds": round(spent, 3),
    }


def observed_best(outcomes: Sequence[Outcome]) -> Point:
    """The first of the highest accuracy observed."""
    return max(outcomes, key=lambda outcome: outcome.accuracy).point


def summary(lines: Sequence[dict[str, Any]], macro: Macro) -> Iterator[dict[str, Any]]:
    """What the limits admit, every strategy's mean regrets with intervals, and random's trials for the same regret."""
    yield from choice([line for line in lines if line["repeat"] >= OTHERS])
    groups = grouped([line for line in lines if line["repeat"] < OTHERS])
    for limit in dict.fromkeys(limit for limit, _ in groups):
        most = macro.limit(limit)
        inside = macro.macs <= most
        best = 100 * macro.accuracies.mean(axis=1)[inside].max()
        yield {"what": "limit", "limit": limit, "macs": most, "admitted": int(inside.sum()), "best": round(best, 4)}
        for group in (name for each, name in groups if each == limit):
            kept_lines = groups[limit, group]
            yield {
                "what": "regret",
                "limit": limit,
                "strategy": group,
                "default": group == DEFAULT,
                "n": len(kept_lines),
                "trials": list(TRIALS),
                **{pick: intervals(kept_lines, pick) for pick in ("observed", "tried", "admissible")},
                "seconds": round(float(np.median([line["seconds"] for line in kept_lines])), 2),
            }
        if {(limit, "random"), (limit, DEFAULT)} <= {*groups}:
            yield from equal(limit, groups[limit, DEFAULT], groups[limit, "random"])


def grouped(lines: Sequence[dict[str, Any]]) -> dict[tuple[Limit, str], list[dict[str, Any]]]:
    """Repeats by limit and strategy."""
    groups: dict[tuple[Limit, str], list[dict[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["limit"], line["strategy"]), []).append(line)
    return groups


def choice(lines: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Regrets on the repeats that only chose the default."""
    for (limit, name), group in grouped(lines).items():
        yield {
            "what": "choice",
            "limit": limit,
            "strategy": name,
            "n": len(group),
            "trials": list(TRIALS),
            **{pick: intervals(group, pick) for pick in ("observed", "tried", "admissible")},
        }


def intervals(lines: Sequence[dict[str, Any]], pick: str) -> list[list[float]]:
    """Mean, low and high for each number of trials: 95 % of 10,000 bootstrap means over the repeats."""
    values = np.array([line[pick][: len(TRIALS)] for line in lines])
    means = values[np.random.default_rng(0).integers(len(values), size=(10_000, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    rows = np.stack([values.mean(axis=0), low, high], axis=1)
    return [[round(float(value), 4) for value in row] for row in rows]


def equal(limit: Limit, ours: Sequence[dict[str, Any]], random: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """How many trials random needs for the default's mean regret, straight between the numbers that were looked at."""
    means = np.minimum.accumulate(np.mean([line["observed"] for line in random], axis=0))
    for place, count in enumerate(TRIALS):
        regret = float(np.mean([line["observed"][place] for line in ours]))
        needed = reached(means, regret)
        yield {
            "what": "equal",
            "limit": limit,
            "trials": count,
            "regret": round(regret, 4),
            "random": needed,
            "most": LONG[-1],
            "times": None if needed is None else round(needed / count, 2),
        }


def reached(means: Numbers, regret: float) -> int | None:
    """The least number of random's trials with a mean regret of at most that; None where all were not enough."""
    for place, mean in enumerate(means):
        if mean <= regret:
            if place == 0:
                return LONG[0]
            share = (means[place - 1] - regret) / (means[place - 1] - mean)
            return round(LONG[place - 1] + share * (LONG[place] - LONG[place - 1]))
    return None


def missed(lines: Sequence[dict[str, Any]]) -> list[str]:
    """What the default did not keep."""
    problems: list[str] = []
    for line in lines:
        if line["what"] == "regret" and line["default"]:
            means = {count: line["observed"][place][0] for place, count in enumerate(TRIALS)}
            problems += [
                f"{line['limit']}: {means[count]} points at {count}" for count in MOST if means[count] > MOST[count]
            ]
        if line["what"] == "equal" and line["times"] is not None and line["times"] < FEWER:
            problems.append(f"{line['limit']}: random needs only {line['times']} times {line['trials']} trials")
    return problems


if __name__ == "__main__":
    sys.exit(main())
