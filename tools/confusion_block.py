"""The block of docs/converting.md: whether inspect tells every member of the families in every ecosystem's names.

Tensors are on the meta device: names and shapes are all that a table over every network, L2 among them, can afford.
"""

import functools
from collections import Counter
from dataclasses import dataclass

import torch

from compoundnet import MEMBERS
from compoundnet.weights import ECOSYSTEMS, from_ours
from compoundnet.weights.elsewhere import twins
from compoundnet.weights.names import shapes
from compoundnet.weights.telling import tell
from tools.tables import table

FILES = {"weights.pth": "any name", "tf_weights.pth": "tf_...", "efficientnet_weights.pth": "efficientnet_..."}


@dataclass(frozen=True)
class Verdict:
    """What inspect says of one member in one ecosystem's names: ``told`` is what it calls the network."""

    ecosystem: str
    member: str
    file: str
    told: str
    names: str
    padding: str
    confidence: str

    @property
    def network(self) -> str:
        """What became of it: "told", "twins" where the member is one of several, or "wrong"."""
        candidates = self.told.split(" or ")
        if self.member not in candidates or self.ecosystem not in self.names.split(" or "):
            return "wrong"
        return "told" if len(candidates) == 1 else "twins"


def verdict(ecosystem: str, member: str, file: str) -> Verdict | None:
    """What is said of a member's tensors; None where the ecosystem has no names for it."""
    network = MEMBERS[member].network
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes(network).items()}
    try:
        tensors = from_ours(state, network, ecosystem)
    except ValueError:
        return None
    said = {each.what: each for each in tell(tensors, file).findings}
    network_, padding = said["network"], said.get("padding")
    return Verdict(
        ecosystem=ecosystem,
        member=member,
        file=file,
        told=str(network_.value),
        names=str(said["names"].value),
        padding="" if padding is None else str(padding.value),
        confidence="" if padding is None else padding.confidence,
    )


@functools.cache
def verdicts() -> tuple[Verdict, ...]:
    """Every member in every ecosystem's names under a name that tells nothing; timm's under telling ones too."""
    found = [
        verdict(ecosystem, member, file)
        for ecosystem in ECOSYSTEMS
        for file in FILES
        for member in MEMBERS
        if file == "weights.pth" or (ecosystem == "timm" and has_two(member))
    ]
    return tuple(each for each in found if each is not None)


def has_two(member: str) -> bool:
    """Whether timm has two models of a member: its own, and the one that TensorFlow's weights are in."""
    return any(row.padding == "same" for row in twins("timm", member.removesuffix("_475")))


def confusion() -> str:
    """Counts by ecosystem and file name, and the twins that names and shapes do not tell apart."""
    found = verdicts()
    rows = []
    for ecosystem, file in dict.fromkeys((each.ecosystem, each.file) for each in found):
        here = [each for each in found if (each.ecosystem, each.file) == (ecosystem, file)]
        networks, sure = Counter(each.network for each in here), Counter(each.confidence for each in here)
        counts = [len(here), networks["told"], networks["twins"], networks["wrong"]]
        rows.append(
            [ecosystem, FILES[file], *map(str, counts), *(str(sure[each]) for each in ("certain", "likely", "open"))]
        )
    head = ["Names of", "File called", "Networks", "told", "twins", "wrong", "Padding certain", "likely", "open"]
    twins = dict.fromkeys(each.told for each in found if each.network == "twins")
    alike = [each for each in found if " or " in each.names and each.ecosystem == "timm"]
    both = " and ".join(f"{name}'s" for name in alike[0].names.split(" or "))
    note = (
        f"Networks that have one set of names and shapes: {'; '.join(twins)}. "
        f"Names that are both {both}: {', '.join(dict.fromkeys(each.member for each in alike))}."
    )
    return f"{table(head, rows, words=2)}\n\n{note}"
