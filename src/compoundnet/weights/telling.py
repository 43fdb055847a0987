"""What names, shapes, statistics and a file's name tell of tensors that come without a record."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from torch import Tensor

from compoundnet.network import Network

from .catalogue import HALF, Habit, habit, known
from .elsewhere import TWINS
from .errors import Shape, first
from .layout import COUNTER
from .matching import as_stored, ecosystems, fits, headless, nearest, recognise
from .names import CLASSIFIER, OWN, STEM, names, shapes
from .stems import scale_of, seen_share, untrained

Confidence: TypeAlias = Literal["certain", "likely", "open"]
# File names that make an ecosystem's habits differ: its plain models, TensorFlow's, AdvProp's, timm's newest.
_NAMED = ("", "tf_", "tf__ap", "adv-", "a-advprop", "efficientnet_b0_ra4", "efficientnet_b1_ra4")
_OWN_NAMES = ("efficientnet_*", "mobilenet*", "resnet*")  # of timm's models that are not TensorFlow's
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
            *_function(ecosystem, member, tensors, network, file),
            _normalised(ecosystem, member, tensors, network, file),
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


def _function(ecosystem: str, member: str, tensors: Mapping[str, Tensor], network: Network, file: str) -> list[Finding]:
    """Padding and norm epsilon, which no shape shows."""
    rows = _kinds(ecosystem, member)
    ways = {(row.network(network).padding, row.network(network).norm_eps): row for row in rows}
    if ecosystem == OWN:
        return _both(network, "likely", "the family's own; a file without a record does not say")
    if len(ways) == 1:
        return _both(rows[0].network(network), "certain", f"{ecosystem} runs {member} so")
    by_name, by_counters = _by_name(file), _by_counters(ecosystem, network, tensors)
    said = [evidence for evidence in (by_name, by_counters) if evidence is not None]
    if said and all(row == said[0][0] for row, _ in said):
        return _both(habit(ecosystem, member, said[0][0]).network(network), "likely", "; ".join(why for _, why in said))
    why = "; but ".join(text for _, text in said) or f"{ecosystem} has two models of these shapes"
    values = list(ways)
    return [
        Finding("padding", " or ".join(padding for padding, _ in values), "open", why),
        Finding("norm_eps", " or ".join(f"{eps:g}" for _, eps in values), "open", why),
    ]


def _kinds(ecosystem: str, member: str) -> list[Habit]:
    """The habits of an ecosystem's files of a member; those of TensorFlow's only where it has a model for them."""
    same = any(
        row.padding == "same" for row in TWINS if row.ecosystem == ecosystem and fnmatchcase(member, row.members)
    )
    return [habit(ecosystem, member, name) for name in _NAMED if same or not name.startswith("tf_")]


def _both(network: Network, confidence: Confidence, evidence: str) -> list[Finding]:
    return [
        Finding("padding", network.padding, confidence, evidence),
        Finding("norm_eps", network.norm_eps, confidence, evidence),
    ]


def _by_name(file: str) -> tuple[str, str] | None:
    """The kind of timm's model that a file's name tells of."""
    if file.startswith("tf_"):
        return "tf_", "the file's name begins with tf_"
    if any(fnmatchcase(file, pattern) for pattern in _OWN_NAMES):
        return "", "the file is named as timm names its own trainings"
    return None


def _by_counters(ecosystem: str, network: Network, tensors: Mapping[str, Tensor]) -> tuple[str, str] | None:
    """The kind that the norms' counters tell of: what was converted from TensorFlow never counted a batch."""
    counters = [tensor for name, tensor in tensors.items() if name.endswith(COUNTER)]
    if not counters or any(tensor.is_meta for tensor in counters):
        return None
    norm = names(network, ecosystem)[f"{STEM.replace('conv', 'norm')}.running_mean"].rpartition(".")[0]
    mean, variance = (tensors[f"{norm}.{leaf}"].float().numpy() for leaf in ("running_mean", "running_var"))
    if untrained(mean, variance):
        return None
    if any(int(tensor) for tensor in counters):
        return "", "its norms counted batches, so it was trained in PyTorch"
    return "tf_", "its norms were trained and counted no batch, so it was converted from another library"


def _normalised(ecosystem: str, member: str, tensors: Mapping[str, Tensor], network: Network, file: str) -> Finding:
    """How pictures were normalised: by the stem's variances, by the file's name, or as the ecosystem publishes."""
    rows = {(row.mean, row.std): row for row in _kinds(ecosystem, member)}
    chosen, plain = habit(ecosystem, member, file), habit(ecosystem, member, "")
    share = _share(ecosystem, tensors, network)
    if (scale := scale_of(share)) is not None and share is not None:
        fit = [row for row in rows.values() if _is_half(row) == (scale == "half")]
        best = chosen if chosen in fit else next(iter(fit), None)
        value = _said(best) if best else ("std near 0.5" if scale == "half" else "std near ImageNet's")
        return Finding("normalisation", value, "likely", f"the stem's variances are {share[0]:.2f} of ImageNet's std's")
    if len(rows) == 1:
        return Finding("normalisation", _said(chosen), "likely", f"{ecosystem} publishes {member} so")
    if (chosen.mean, chosen.std) != (plain.mean, plain.std):
        return Finding("normalisation", _said(chosen), "likely", "the file's name")
    value = " or ".join(map(_said, rows.values()))
    return Finding("normalisation", value, "open", f"{ecosystem} has files of {member} of each kind")


def _share(ecosystem: str, tensors: Mapping[str, Tensor], network: Network) -> tuple[float, float] | None:
    table = names(network, ecosystem)
    weight = tensors[table[f"{STEM}.weight"]]
    variance = tensors[table[f"{STEM.replace('conv', 'norm')}.running_var"]]
    if weight.is_meta or variance.is_meta:
        return None
    return seen_share(weight.float().numpy(), variance.float().numpy())


def _is_half(row: Habit) -> bool:
    return min(row.std) > (HALF[0] + 0.4) / 2


def _said(row: Habit) -> str:
    return normalisation(row.mean, row.std)


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
