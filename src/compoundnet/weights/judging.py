"""judge(): how a file without a record is to be taken, by all that it shows. inspect states it, load does it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from torch import Tensor

from compoundnet.network import Network
from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD, Triple

from .catalogue import HALF, Habit, habit, known
from .elsewhere import has_model, twins
from .layout import COUNTER
from .names import OWN, STEM, names
from .stems import scale_of, seen_share, untrained

Confidence: TypeAlias = Literal["certain", "likely", "open"]
# File names that make an ecosystem's habits differ: its plain models, TensorFlow's, AdvProp's, timm's newest.
_NAMED = ("", "tf_", "tf__ap", "adv-", "a-advprop", "efficientnet_b0_ra4", "efficientnet_b1_ra4")
_OWN_NAMES = ("efficientnet_*", "mobilenet*", "resnet*")  # of timm's models that are not TensorFlow's
_AUTHORS = "tensorflow"
_CONVERTED = "its norms were trained and counted no batch, so it was converted from another library"
_COUNTED = "its norms counted batches, as after training or fine-tuning either kind"


@dataclass(frozen=True)
class Verdict:
    """How sure something is, and why; ``rows`` are the habits between which it lies, one where it is not open.

    ``usual``: it is so because the ecosystem has nothing else; then ``str`` of it, what is to be added where that has
    been said, is "".
    """

    confidence: Confidence
    evidence: str
    rows: tuple[Habit, ...]
    usual: bool = False

    def __str__(self) -> str:
        return "" if self.usual else f" ({self.confidence}: {self.evidence})"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """How a file is taken (``habit``), and what tells its padding and norm epsilon (``function``) and its pixels.

    Where a verdict is open the habit is the ecosystem's; the family's own where the ecosystem has no such network.
    """

    habit: Habit
    function: Verdict
    pixels: Verdict
    listed: bool


@dataclass(frozen=True)
class _Seen:
    """What a file shows."""

    ecosystem: str
    member: str
    network: Network
    tensors: Mapping[str, Tensor]
    file: str

    def tensor(self, ours: str) -> Tensor | None:
        """A tensor by our name, where it is there and has numbers."""
        found = self.tensors.get(names(self.network, self.ecosystem)[ours])
        return None if found is None or found.is_meta else found

    def share(self) -> tuple[float, float] | None:
        """The stem's variances over those of ImageNet's std; see ``stems``."""
        weight, variance = self.tensor(f"{STEM}.weight"), self.tensor(f"{_STEM_NORM}.running_var")
        if weight is None or variance is None:
            return None
        return seen_share(weight.float().numpy(), variance.float().numpy())

    def counted(self) -> bool | None:
        """Whether trained norms counted batches; None where they were not trained or have no counters."""
        counters = [tensor for name, tensor in self.tensors.items() if name.endswith(COUNTER)]
        mean, variance = self.tensor(f"{_STEM_NORM}.running_mean"), self.tensor(f"{_STEM_NORM}.running_var")
        if not counters or any(tensor.is_meta for tensor in counters) or mean is None or variance is None:
            return None
        if untrained(mean.float().numpy(), variance.float().numpy()):
            return None
        return any(bool(tensor.any()) for tensor in counters)


_STEM_NORM = STEM.replace("conv", "norm")


def judge(ecosystem: str, member: str, network: Network, tensors: Mapping[str, Tensor], file: str) -> Judged:
    """How tensors of a network, named as an ecosystem names them, in a file of that name, are to be taken.

    ``member`` is our name of the network, any other text for one that is none of the families'. Tensors may be on the
    meta device, or lack those that a wrong network has.
    """
    seen = _Seen(ecosystem, member, network, tensors, file)
    listed = ecosystem == OWN or member not in known() or has_model(ecosystem, member)
    row, function = _function(seen) if listed else _unlisted(seen)
    kinds = [
        each
        for each in (_kinds(ecosystem, member) if listed else [row])
        if function.confidence == "open" or _way(each, network) == _way(row, network)
    ]
    chosen, pixels = _pixels(seen, row, kinds, listed)
    return Judged(habit=replace(row, mean=chosen.mean, std=chosen.std), function=function, pixels=pixels, listed=listed)


def _way(row: Habit, network: Network) -> tuple[str, float]:
    run = row.network(network)
    return run.padding, run.norm_eps


def _kinds(ecosystem: str, member: str) -> list[Habit]:
    """The habits of an ecosystem's files of a member; those of TensorFlow's only where it has a model for them."""
    same = member not in known() or any(row.padding == "same" for row in twins(ecosystem, member))
    return [habit(ecosystem, member, name) for name in _NAMED if same or not name.startswith("tf_")]


def _function(seen: _Seen) -> tuple[Habit, Verdict]:
    """Padding and norm epsilon, which no shape shows, of a network that the ecosystem has."""
    ecosystem, member = seen.ecosystem, seen.member
    plain = habit(ecosystem, member, seen.file)
    if ecosystem == OWN:
        return plain, Verdict("likely", "the family's own; a file without a record does not say", (plain,))
    ways = {_way(row, seen.network): row for row in _kinds(ecosystem, member)}
    if len(ways) == 1:
        return plain, Verdict("certain", f"{ecosystem} runs {member} so", (plain,), usual=True)
    said = [(plain, by_name)] if (by_name := _by_name(seen.file)) else []
    counted = seen.counted()
    if counted is False:
        # A name that agrees tells more: which of the converted ones it is.
        said.append((plain if by_name and plain.padding == "same" else habit(ecosystem, member, "tf_"), _CONVERTED))
    if said and len({_way(row, seen.network) for row, _ in said}) == 1:
        return said[0][0], Verdict("likely", "; ".join(why for _, why in said), (said[0][0],))
    calls = " and ".join(row.made(member, known()[member]) for row in twins(ecosystem, member) if member in known())
    two = f"{ecosystem} has two models of these shapes: {calls}" if calls else f"{ecosystem} has models of either kind"
    reasons = ["; but ".join(why for _, why in said), _COUNTED if counted else "", two]
    return plain, Verdict("open", "; ".join(filter(None, reasons)), tuple(ways.values()))


def _by_name(file: str) -> str:
    """What a file's name tells of the kind of timm's model, "" where it tells nothing."""
    if file.startswith("tf_"):
        return "the file's name begins with tf_"
    if any(fnmatchcase(file, pattern) for pattern in _OWN_NAMES):
        return "the file is named as timm names its own trainings"
    return ""


def _unlisted(seen: _Seen) -> tuple[Habit, Verdict]:
    """The same of a network that the ecosystem does not have: somebody built it there, or converted it."""
    ecosystem, member = seen.ecosystem, seen.member
    theirs, authors = habit(ecosystem, member, seen.file), habit(_AUTHORS, member, seen.file)
    own = replace(authors, ecosystem=ecosystem, padding=None, norm_eps=None, background=False)
    none = f"{ecosystem} has no {member}"
    if _way(own, seen.network) == _way(theirs, seen.network):
        return own, Verdict("likely", f"{none}; the family's own, and what {ecosystem} runs of others", (own,))
    share = seen.share()
    reasons: list[str] = []
    if seen.counted() is False:
        reasons.append(_CONVERTED)
    if _is_half(own) and scale_of(share) == "half" and share is not None:
        reasons.append(f"{_variances(share)}, as the authors' weights have it")
    if reasons:
        return own, Verdict("likely", "; ".join((f"{none}; the family's own", *reasons)), (own,))
    return own, Verdict("open", f"{none}; the family's own, or what {ecosystem} runs of others", (own, theirs))


def _pixels(seen: _Seen, row: Habit, kinds: list[Habit], listed: bool) -> tuple[Habit, Verdict]:
    """How pictures were normalised: by the stem's variances, by the file's name, or as the ecosystem publishes."""
    rows = {(each.mean, each.std): each for each in kinds}
    share = seen.share()
    if (scale := scale_of(share)) is not None and share is not None:
        fit = [each for each in rows.values() if _is_half(each) == (scale == "half")]
        mean, std = _SCALES[scale]
        best = row if _is_half(row) == (scale == "half") else next(iter(fit), replace(row, mean=mean, std=std))
        return best, Verdict("likely", _variances(share), (best,))
    if len(rows) == 1:
        who = f"{seen.ecosystem} publishes {seen.member} so" if listed else "the family's authors have it so"
        return row, Verdict("likely", who, (row,), usual=True)
    plain = habit(seen.ecosystem, seen.member, "")
    named = habit(seen.ecosystem, seen.member, seen.file)
    if (named.mean, named.std) != (plain.mean, plain.std):
        return named, Verdict("likely", "the file's name", (named,))
    every = tuple(rows.values())
    return row, Verdict("open", f"{seen.ecosystem} has files of {seen.member} of each kind", every)


_SCALES: Mapping[str, tuple[Triple, Triple]] = {"half": (HALF, HALF), "imagenet": (IMAGENET_MEAN, IMAGENET_STD)}


def _variances(share: tuple[float, float]) -> str:
    return f"the stem's variances are {share[0]:.2f} of ImageNet's std's"


def _is_half(row: Habit) -> bool:
    return min(row.std) > (HALF[0] + 0.4) / 2
