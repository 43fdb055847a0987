"""The block of docs/search-rating.md: proxies beside plain counts on NAS-Bench-Macro."""

from collections.abc import Sequence

from tools.files import newest_benchmarks
from tools.tables import table, taken


def proxies_macro() -> str:
    """Taus of counts and proxies, over all and at equal cost, and what each adds to a ridge."""
    lines = newest_benchmarks("proxies_")
    sample = lines[0]
    band, rated = sample["band"], [line for line in lines if line["what"] == "proxy"]
    said = (
        f"{sample['networks']} networks of {sample['least']:.2f} to {sample['most']:.2f} %; at equal cost: the "
        f"{band['count']} of {band['low'] / 1e6:.1f} to {band['high'] / 1e6:.1f} M multiply-adds. Kendall's tau with "
        f"the accuracy, its 95 % interval, and by how much a proxy's tau is above that of the best count "
        f"({sample['best']} over all, {sample['band_best']} at equal cost):"
    )
    rows = [
        [
            f"{'count' if line['plain'] else 'proxy'}: {line['proxy']}",
            *(_ends(line[name]) for name in ("tau", "gain", "band_tau", "band_gain")),
            "-" if line["seconds"] is None else f"{line['seconds']:.2f}",
        ]
        for line in rated
    ]
    first = table(["Rated", "Tau", "Gain", "Tau, equal cost", "Gain, equal cost", "CPU seconds"], rows)
    added = [line for line in lines if line["what"] == "feature"]
    names = [*dict.fromkeys(line["proxy"] for line in added)]
    counts = [*dict.fromkeys(line["networks"] for line in added)]
    gains = {(line["proxy"], line["networks"]): _ends(line["gain"]) for line in added}
    second = table(
        ["One more feature", *(f"{count} networks" for count in counts)],
        [[name, *(gains[name, count] for count in counts)] for name in names],
    )
    heads = "What each adds to the tau of a ridge on choices and costs, out of sample:"
    return "\n\n".join([said, first, heads, second, taken(lines, "python", "numpy", "torch", "scikit-learn")])


def _ends(found: Sequence[float] | None) -> str:
    return "-" if found is None else "{:.3f} [{:.3f}, {:.3f}]".format(*found)
