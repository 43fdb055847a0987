"""The blocks of docs/converting.md: whether inspect tells every member of the families in every ecosystem's names.

In one table tensors are on the meta device: names and shapes are all that a table over every network, L2 among them,
can afford. The other is of files that ``tools.inspected`` wrote, of small networks in all formats.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from compoundnet import MEMBERS
from compoundnet.weights import ECOSYSTEMS, from_ours
from compoundnet.weights.catalogue import habit
from compoundnet.weights.elsewhere import twins
from compoundnet.weights.names import shapes
from compoundnet.weights.telling import tell
from tools.files import records
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


def answer(line: Mapping[str, Any]) -> str:
    """What became of a file of the record: "told", "twins" where one of several answers is right, or "wrong".

    All that inspect says has to be true; only padding and norm epsilon may be left open.
    """
    ecosystem, member, said = line["ecosystem"], line["member"], line["said"]
    runs = habit(ecosystem, member, "").network(MEMBERS[member].network)
    exact = {"format": line["is"], "classes": line["classes"], "in_channels": runs.in_channels}
    among = {"names": ecosystem, "network": member}
    ways = {"padding": runs.padding, "norm_eps": runs.norm_eps}
    if any(said[what][0] != value for what, value in exact.items()):
        return "wrong"
    if any(said[what][0] != value for what, value in ways.items() if said[what][1] != "open"):
        return "wrong"
    several = {what: said[what][0].split(" or ") for what in among}
    if any(value not in several[what] for what, value in among.items()):
        return "wrong"
    return "told" if all(len(values) == 1 for values in several.values()) else "twins"


def confusion_files() -> str:
    """Counts by ecosystem and kind of file, of files with random weights."""
    lines = records("inspected.jsonl")
    rows = []
    for ecosystem, file in dict.fromkeys((line["ecosystem"], line["file"]) for line in lines):
        here = [line for line in lines if (line["ecosystem"], line["file"]) == (ecosystem, file)]
        answers = Counter(map(answer, here))
        sure = Counter(line["said"]["padding"][1] for line in here)
        counts = [len(here), *(answers[each] for each in ("told", "twins", "wrong"))]
        rows.append([ecosystem, file, *map(str, (*counts, *(sure[each] for each in ("certain", "likely", "open"))))])
    head = ["Names of", "File", "Networks", "told", "twins", "wrong", "Padding certain", "likely", "open"]
    twins = _listed(line["member"] for line in lines if answer(line) == "twins")
    note = f"Networks: {_listed(line['member'] for line in lines)}. Twins by their names alone: {twins}."
    return f"{table(head, sorted(rows, key=_by_ecosystem), words=2)}\n\n{note}"


def _by_ecosystem(row: list[str]) -> int:
    return ECOSYSTEMS.index(row[0])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
