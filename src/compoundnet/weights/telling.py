"""What names, shapes, statistics and a file's name tell of tensors that come without a record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from compoundnet.network import Network

from .catalogue import known
from .errors import Shape, first
from .judging import Confidence, Judged, judge
from .matching import as_stored, ecosystems, fits, headless, nearest, recognise
from .names import CLASSIFIER, STEM, names, shapes

_ALIKE = 0.9  # of the shapes, to be worth a word where no name is known
_WORDS = {1000: "ImageNet's number", 1001: "ImageNet's and one before them for the background"}


@dataclass(frozen=True)
class Finding:
    """One statement about a file: ``what`` is its topic. "open" is what nothing in the file tells."""

    what: str
    value: str | int | float
    confidence: Confidence
    evidence: str

    def __str__(self) -> str:
        return f"{self.what}: {self.value} ({self.confidence}: {self.evidence})"


@dataclass(frozen=True)
class Telling:
    """Whose names the tensors have, the members of the families they fit, and every statement."""

    ecosystem: str | None
    members: tuple[str, ...]
    findings: tuple[Finding, ...]


def tell(tensors: Mapping[str, Tensor], file: str) -> Telling:
    """What can be said of tensors by name, which may be on the meta device, in a file of that name."""
    seen = recognise(tensors)
    has = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    ecosystem = seen.ecosystem
    if ecosystem is None:
        return Telling(None, (), (Finding("names", "of no known ecosystem", "certain", first(list(has))), *_alike(has)))
    if not seen.members:
        close = nearest(tensors, ecosystem) or "no known network is near"
        named = Finding("names", ecosystem, "certain", _stem(ecosystem, has))
        return Telling(ecosystem, (), (named, Finding("network", "unknown", "open", close)))
    member = seen.members[0]
    network = as_stored(known()[member], names(known()[member], ecosystem), has)
    return Telling(
        ecosystem,
        seen.members,
        (
            _named(ecosystem, network, has),
            _network(seen.members, len(has)),
            *_counts(ecosystem, network, has),
            *_judged(network, judge(ecosystem, member, network, tensors, file)),
        ),
    )


def _stem(ecosystem: str, has: Mapping[str, Shape]) -> str:
    """The name that gave the ecosystem away, of those that are there."""
    return f"{next(iter(has))} and {len(has) - 1} more are {ecosystem}'s"


def _named(ecosystem: str, network: Network, has: Mapping[str, Shape]) -> Finding:
    twins = [each for each in ecosystems(has) if each != ecosystem and fits(network, each, has)]
    if not twins:
        return Finding("names", ecosystem, "certain", _stem(ecosystem, has))
    return Finding(
        "names", " or ".join((ecosystem, *twins)), "open", f"{' and '.join((ecosystem, *twins))} name it alike"
    )


def _network(members: tuple[str, ...], count: int) -> Finding:
    if len(members) == 1:
        return Finding("network", members[0], "certain", f"each of {count} names and shapes is one of its")
    return Finding("network", " or ".join(members), "open", f"they share all {count} names and shapes")


def _counts(ecosystem: str, network: Network, has: Mapping[str, Shape]) -> list[Finding]:
    table = names(network, ecosystem)
    said = f"the shape of {table[f'{CLASSIFIER}.bias']}"
    more = f", {_WORDS[network.classes]}" if network.classes in _WORDS else ""
    none = headless(table, has)
    return [
        Finding("classes", 0 if none else network.classes, "certain", "it has no classifier" if none else said + more),
        Finding("in_channels", network.in_channels, "certain", f"the shape of {table[f'{STEM}.weight']}"),
    ]


def _judged(network: Network, found: Judged) -> list[Finding]:
    """Padding, norm epsilon and normalisation, which no shape shows: what lies open is named in full."""
    ways = [row.network(network) for row in found.function.rows]
    values = {
        "padding": [each.padding for each in ways],
        "norm_eps": [each.norm_eps for each in ways],
    }
    sure, why = found.function.confidence, found.function.evidence
    told = [Finding(what, each[0] if len(each) == 1 else _or(each), sure, why) for what, each in values.items()]
    pixels = _or([normalisation(row.mean, row.std) for row in found.pixels.rows])
    return [*told, Finding("normalisation", pixels, found.pixels.confidence, found.pixels.evidence)]


def _or(values: Sequence[str | float]) -> str:
    return " or ".join(each if isinstance(each, str) else f"{each:g}" for each in values)


def normalisation(mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    """Mean and std in words, one number where the channels have the same.

    >>> normalisation((0.5, 0.5, 0.5), (0.229, 0.224, 0.225))
    'mean 0.5, std 0.229/0.224/0.225'
    """
    sides = ("/".join(f"{value:.4g}" for value in dict.fromkeys(values)) for values in (mean, std))
    return "mean {}, std {}".format(*sides)


def _alike(has: Mapping[str, Shape]) -> list[Finding]:
    """The member whose shapes these are, whatever they are called."""
    found = Counter(shape for shape in has.values() if shape)  # single numbers are counters of batches
    shares: list[tuple[float, str]] = []
    for member, network in known().items():
        own = Counter(shape for shape in shapes(network).values() if shape)
        shares.append(((own & found).total() / max(own.total(), found.total(), 1), member))
    share, member = max(shares)
    if share < _ALIKE:
        return [Finding("network", "unknown", "open", "no known network has such shapes")]
    return [
        Finding("network", f"like {member}", "open", f"{share:.0%} of its shapes, under names that nobody here knows")
    ]
