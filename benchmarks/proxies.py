"""Zero-cost proxies on NAS-Bench-Macro, beside plain counts: ``python -m benchmarks.proxies [--out FILE]``.

A seeded sample of different networks of the table, each as it is described there: its costs are those of the table
exactly. Proxies see noise of CIFAR-10's shape, and nothing is trained; the truth is the mean of the table's three
trainings. Tau of every proxy and count, over all and among networks of about the median's multiply-adds, and what each
proxy adds to a ridge on the choices and costs. Scores are kept in --out; the same command goes on with the rest.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compoundnet.network import Network
from compoundnet.search import Point
from compoundnet.search.predictors import Interval
from compoundnet.search.proxies import (
    COUNTS,
    PROXIES,
    counts,
    feature_gains,
    naswot,
    noise,
    rate_proxies,
    synflow,
    zico,
)

from .macro_networks import network_of
from .macro_table import FILE, SPACE, Macro, folder, index, read
from .recording import write
from .timing import on_one_thread

FEW = 40  # networks: an early search


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxies", description=__doc__)
    parser.add_argument("--data", type=Path, default=folder() / FILE)
    parser.add_argument("--out", type=Path, default=Path("proxies.jsonl"), help="scores so far")
    parser.add_argument("--networks", type=int, default=240)
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    on_one_thread("benchmarks.proxies")
    given = parser.parse_args()
    macro = read(given.data)
    points = sample(given.networks, given.seed)
    scores = scored(points, given.out, given.pictures, given.seed)
    command = f"python -m benchmarks.proxies --networks {given.networks} --pictures {given.pictures}"
    write("proxies_", f"{command} --seed {given.seed}", summary(macro, points, scores, given.pictures), "scikit-learn")
    return 0


def sample(count: int, seed: int) -> list[Point]:
    """So many points, no two of the same network: an identity may stand in several places."""
    rng = random.Random(seed)
    found: dict[Network, Point] = {}
    while len(found) < count:
        point = SPACE.sample(rng)
        found.setdefault(network_of(point), point)
    return list(found.values())


def scored(points: Sequence[Point], out: Path, pictures: int, seed: int) -> list[Mapping[str, Any]]:
    """Every network's scores and their processor seconds, those kept in the file not made again."""
    settings = {"pictures": pictures, "seed": seed}
    lines = [json.loads(line) for line in out.read_text().splitlines() if line.endswith("}")] if out.exists() else []
    kept = {tuple(line["point"]): line for line in lines if {name: line[name] for name in settings} == settings}
    began, left = time.monotonic(), [point for point in points if point not in kept]
    with out.open("a") as file:
        for count, point in enumerate(left, 1):
            kept[point] = {"point": point, **settings, **looked_at(network_of(point), pictures, seed)}
            file.write(json.dumps(kept[point]) + "\n")
            file.flush()
            ahead = (time.monotonic() - began) / count * (len(left) - count) / 60
            if count % 20 == 0:
                print(f"{count}/{len(left)}, about {ahead:.0f} min left", file=sys.stderr, flush=True)
    return [kept[point] for point in points]


def looked_at(network: Network, pictures: int, seed: int) -> dict[str, Any]:
    """Scores by name, and the seconds that each kept the processor busy."""
    batch = noise(network, pictures, seed)
    calls = {
        "synflow": lambda: synflow(network, seed),
        "naswot": lambda: naswot(network, batch, seed),
        "zico": lambda: zico(network, batch, seed),
    }
    scores: dict[str, float] = counts(network)
    seconds: dict[str, float] = {}
    for name, call in calls.items():
        began = time.process_time()
        scores[name] = call()
        seconds[name] = time.process_time() - began
    return {"scores": scores, "seconds": seconds}


def summary(
    macro: Macro, points: Sequence[Point], lines: Sequence[Mapping[str, Any]], pictures: int
) -> Iterator[dict[str, Any]]:
    """The sample, every rating, and what proxies add to a ridge with few and with all networks."""
    places = [index(point) for point in points]
    accuracies = macro.accuracies.mean(axis=1)[places]
    scores = {name: [line["scores"][name] for line in lines] for name in (*COUNTS, *PROXIES)}
    same = scores["macs"] == macro.macs[places].tolist() and scores["params"] == macro.params[places].tolist()
    if not same:
        raise ValueError("a network's exact costs are not those of the table; its description is wrong")
    rated = rate_proxies(scores, accuracies)
    band = {"low": rated.band.low, "high": rated.band.high, "count": rated.band.count}
    ends = {"least": round(100 * accuracies.min(), 2), "most": round(100 * accuracies.max(), 2)}
    best = {"best": rated.best, "band_best": rated.band_best}
    yield {"what": "sample", "networks": len(points), "pictures": pictures, **ends, "band": band, **best}
    for each in rated.ratings:
        seconds = [line["seconds"].get(each.name) for line in lines]
        yield {
            "what": "proxy",
            "proxy": each.name,
            "plain": each.plain,
            "tau": triple(each.whole.tau),
            "rho": triple(each.whole.rho),
            "top_tau": triple(each.whole.top_tau),
            "gain": triple(each.gain),
            "band_tau": triple(each.band.tau if each.band else None),
            "band_gain": triple(each.band_gain),
            "seconds": None if each.plain else round(float(np.median(seconds)), 3),
        }
    features = macro.problem(np.inf).features(points)
    for count in (FEW, len(points)):
        some = {name: scores[name][:count] for name in PROXIES}
        for name, gain in feature_gains(features[:count], some, accuracies[:count]).items():
            yield {"what": "feature", "proxy": name, "networks": count, "gain": triple(gain)}


def triple(found: Interval | None) -> list[float] | None:
    """Value, low and high."""
    return None if found is None else [round(each, 4) for each in (found.value, found.low, found.high)]


if __name__ == "__main__":
    sys.exit(main())
