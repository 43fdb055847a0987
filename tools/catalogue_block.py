"""The tables of docs/catalogue.md: how many files of whom, and mmpretrain's page with the right costs beside."""

import math
from collections import Counter
from collections.abc import Callable

import compoundnet as c
from compoundnet.layers import Conv
from compoundnet.weights.published import METHODS, UNLISTED, Published, every_published, published_weights
from tools.records import element_counts
from tools.tables import table


def catalogue_counts() -> str:
    """Files by method and ecosystem, and what is not listed."""
    rows = every_published().values()
    counts = Counter((row.method, row.ecosystem) for row in rows)
    whose = list(dict.fromkeys(row.ecosystem for row in rows))
    lines = [[f"`{name}`", what, *(_count(counts[name, who]) for who in whose)] for name, what in METHODS.items()]
    total = ["all", "", *(_count(sum(row.ecosystem == who for row in rows)) for who in whose)]
    left_out = "\n".join(f"- {what}: {why}." for what, why in UNLISTED)
    return f"{table(['Method', 'Trained', *whose], [*lines, total], words=2)}\n\nNot in it:\n\n{left_out}"


def _count(count: int) -> str:
    return str(count) if count else "-"


def catalogue_mmpretrain() -> str:
    """Every row of mmpretrain's page, its two FLOPs columns, and the exact multiply-adds."""
    rows = published_weights(ecosystem="mmpretrain")
    head = ["Model", "Top-1", "Top-5", "Params (M)", "Flops (G) first", "Flops (G) now", "Multiply-adds (G)"]
    lines = [
        [
            f"`{row.called}`",
            f"{row.top1:.2f}",
            f"{row.top5:.2f}",
            f"{c.cost(c.named(row.member)).params / 1e6:.2f}",
            f"{row.printed_flops[0] / 1e9:.2f}" if len(row.printed_flops) > 1 else "-",
            f"{row.printed_flops[-1] / 1e9:.2f}",
            f"{c.cost(c.named(row.member)).macs / 1e9:.2f}",
        ]
        for row in rows
    ]
    return table(head, lines)


def catalogue_flops() -> str:
    """What mmpretrain's page printed as FLOPs, and the rule that gives the same integer from our layers."""
    members = list(dict.fromkeys(row.member for row in published_weights(ecosystem="mmpretrain")))
    lines = [_explained(published_weights(ecosystem="mmpretrain", member=member)[0]) for member in sorted(members)]
    head = ["Network", "Exact", "First print", "by its rule", "Print now", "by its rule"]
    return table(head, lines)


def _explained(row: Published) -> list[str]:
    first, now = row.printed_flops[:-1], row.printed_flops[-1]
    swapped = {"efficientnet_l2": "efficientnet_l2_475", "efficientnet_l2_475": "efficientnet_l2"}
    exact = c.cost(c.named(row.member)).macs
    again = _verdict(now, row.member, counted_now)
    if row.member in swapped:
        again = f"{_verdict(now, swapped[row.member], counted_now)}, of `{swapped[row.member]}`"
    cells = [f"{first[0]:,}", _verdict(first[0], row.member, counted_first)] if first else ["-", "-"]
    return [f"`{row.member}`", f"{exact:,}", *cells, f"{now:,}", again]


def _verdict(printed: int, member: str, rule: Callable[[c.Network], int]) -> str:
    count = rule(c.named(member))
    return "the same" if count == printed else f"{count:,}"


def counted_first(network: c.Network) -> int:
    """The first print: two for each norm element, squeeze-and-excitation with biases, the pools' inputs, no more."""
    sums = element_counts(network)
    squeezes = sum(
        layer.cost.macs + math.prod(layer.shape)
        for layer in c.by_layer(network)
        if isinstance(layer.layer, Conv) and layer.layer.bias
    )
    return 2 * sums["norms"] + squeezes + sums["pools"]


def counted_now(network: c.Network) -> int:
    """The print now: convolutions, five for each norm element, the pools' inputs, and no classifier."""
    sums = element_counts(network)
    return sums["macs"] - sums["classifier"] + 5 * sums["norms"] + sums["pools"]
