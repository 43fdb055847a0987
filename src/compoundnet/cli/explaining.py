"""The command that says why a network is not what the rule gives: explain."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from compoundnet.families import MEMBERS, member
from compoundnet.network import Network
from compoundnet.rules import rule as rule_of
from compoundnet.scaling import Rounding, Scaling
from compoundnet.schema import FieldError, encode

from .output import COUNTED_AS, write, write_json, write_table
from .reasons import power, reasons, words
from .sources import Source, name_of, read

if TYPE_CHECKING:
    from compoundnet.solving.explaining import Explanation, Ruled


def explain_network(
    net: str,
    base: str | None = None,
    like: str | None = None,
    phi: float | None = None,
    rule: str = "efficientnet",
    json: bool = False,
) -> int:
    """Say which powers phi of a rule a network took by axis, and what the rule itself gives beside it.

    Args:
        base: what the network was scaled from, a name or a JSON file; default: the one that
            a file of solve names, or the first of its family
        like: round as the family of this network does, such as efficientnet_lite0; default: as the base's family
        phi: the power to set beside it; default: the whole one nearest to that of its multiply-adds
        rule: efficientnet (default), depth, width, resolution, dWr, fast:0.5, ...: whose powers
    """
    from compoundnet.solving.explaining import explain

    source = read(net)
    name, origin, rounding, scaling = _origin(source, base)
    rounding = rounding if like is None else member(like).rounding
    try:
        found = explain(source.network, origin, rule_of(rule), rounding, scaling, phi)
    except FieldError as error:
        if error.path == "phi":
            raise ValueError(f"--{error}") from None
        raise ValueError(f"{source.name} against {name}: {error}") from None
    sentences = list(reasons(source.name, name, found))
    if json:
        write_json(_record(source.name, name, found, sentences))
        return 0
    _print(source.name, name, found)
    write("\n" + "\n".join(sentences))
    write(COUNTED_AS)
    return 0


def _origin(net: Source, base: str | None) -> tuple[str, Network, Rounding, Scaling | None]:
    """What a network was scaled from: its name, itself, the rounding, and the factors where they were published."""
    if base is not None:
        source = read(base)
        return source.name, source.network, source.rounding, None
    if net.name in MEMBERS:
        found = MEMBERS[net.name]
        if found.base == net.network:  # a preset that its authors listed by itself, as those of ResNet
            first = _first(net.network)
            return first, MEMBERS[first].network, found.rounding, found.scaling if first == net.name else None
        return name_of(found.base), found.base, found.rounding, found.scaling
    if net.base is None:
        problem = "the file does not say what it was scaled from; give --base, such as efficientnet_b0"
        raise ValueError(f"{net.name}: {problem}")
    return name_of(net.base), net.base, net.rounding, None


def _first(network: Network) -> str:
    """The first preset that a network is a scaling of: the smallest one of its family in the table, or itself."""
    from compoundnet.solving.explaining import difference

    return next(name for name, each in MEMBERS.items() if difference(network, each.network) is None)


def _record(name: str, base: str, found: "Explanation", sentences: list[str]) -> dict[str, Any]:
    axes = {each.axis: {"factor": each.factor, "phi": each.phi, "uniform": each.uniform} for each in found.moved}
    ratios = {"ratio": found.ratio, "phi": found.phi, "doublings": found.doublings}
    return {
        "network": name,
        "base": base,
        "rule": {"name": found.rule.name, **encode(found.rule.scaling)},
        "axes": axes,
        "multiply_adds": ratios,
        "cost": found.cost.to_dict(),
        "near": _ruled(found.near),
        "equal": None if found.equal is None else _ruled(found.equal),
        "power": found.power,
        "stages": _stages(found),
        "sentences": sentences,
    }


def _ruled(found: "Ruled") -> dict[str, Any]:
    figures = {"phi": found.phi, "scaling": encode(found.scaling), "cost": found.cost.to_dict()}
    return {**figures, "network": found.network.to_dict()}


def _stages(found: "Explanation") -> list[dict[str, Any]]:
    """Stem, stages and head: layers and channels of the network and of the rule's."""
    return [
        {"name": name, "operator": operator, "layers": _named(layers), "channels": _named(channels)}
        for name, operator, layers, channels in _parts(found)
    ]


def _named(counts: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(("base", "network", "rule"), counts, strict=True))


def _parts(found: "Explanation") -> Iterator[tuple[str, str, tuple[int, ...], tuple[int, ...]]]:
    """Each part with its layers and channels in the base, the network, and the rule's network."""
    nets = (found.base, found.network, found.near.network)
    yield "stem", str(found.base.stem), (1, 1, 1), tuple(net.stem.channels for net in nets)
    for index, stages in enumerate(zip(*(net.stages for net in nets), strict=True)):
        layers, channels = (tuple(getattr(stage, name) for stage in stages) for name in ("layers", "channels"))
        yield f"stage {index + 1}", str(stages[0].operator), layers, channels
    if found.base.head.channels is not None:
        yield "head", str(found.base.head), (1, 1, 1), tuple(net.feature_channels for net in nets)


def _print(name: str, base: str, found: "Explanation") -> None:
    factors = found.rule.scaling
    rule = f"depth {factors.depth:.4g}, width {factors.width:.4g}, resolution {factors.resolution:.4g}"
    write(f"{name} beside {base} and rule {found.rule.name} ({rule})")
    rows = [(words(each), f"{each.factor:.4g}", power(each.phi)) for each in found.moved]
    total = ("multiply-adds", f"{found.ratio:.4g}", power(found.phi))
    write_table(("Times the base's", "Factor", "phi"), [*rows, total])
    write()
    others = [found.near] if found.equal is None else [found.near, found.equal]
    write_table(("", name, *(f"phi {each.phi:.4g}" for each in others)), list(_figures(found, others)))
    write()
    lines = [
        (part, operator, *(f"{count:,}" for count in (*layers, *channels)))
        for part, operator, layers, channels in _parts(found)
    ]
    who = ("base", "net", "rule")
    write_table(("Stage", "Operator", *(f"{what}, {each}" for what in ("Layers", "Channels") for each in who)), lines)


def _figures(found: "Explanation", others: list["Ruled"]) -> Iterator[list[str]]:
    """The rows that set the network beside the rule's own ones."""
    for axis in found.moved:
        factors = (axis.factor, *(getattr(each.scaling, axis.axis) for each in others))
        yield [axis.axis.capitalize(), *(f"{each:.4g}" for each in factors)]
    nets, costs = [found.network, *(e.network for e in others)], [found.cost, *(e.cost for e in others)]
    yield ["Pixels", *(f"{net.resolution} x {net.resolution}" for net in nets)]
    yield ["Blocks", *(f"{net.blocks}" for net in nets)]
    yield ["Parameters", *(f"{each.params:,}" for each in costs)]
    yield ["Multiply-adds", *(f"{each.macs:,}" for each in costs)]
    yield ["Times the base's", *(f"{each.macs * found.ratio / found.cost.macs:.3f}" for each in costs)]
