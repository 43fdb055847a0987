"""The catalogue: every published EfficientNet checkpoint that this library can describe, as a row of published.csv.

The rows hold what others published, names, sizes, hashes and accuracies, and say where each number stands; none of
them was measured here. Padding and preprocessing are not typed in again: they follow from HABITS.
"""

import csv
import functools
import importlib.resources
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from compoundnet.families import MEMBERS, named
from compoundnet.layers import Padding
from compoundnet.preprocess import Preprocess
from compoundnet.schema import Named, UnknownNameError, near, shown

from .catalogue import Habit, habit

# How a row was trained. What timm and torchvision call their own recipes keeps their name.
METHODS: Mapping[str, str] = MappingProxyType(
    {
        "baseline": "the authors', with the preprocessing of ResNet; of Lite and EdgeTPU the only one",
        "autoaugment": "the authors', with AutoAugment; Table 2 of the paper's fifth version",
        "randaugment": "the authors', with RandAugment",
        "advprop": "the authors', with AutoAugment and adversarial examples that have norms of their own (AdvProp)",
        "noisystudent": "the authors', with RandAugment and labels that a teacher gave to JFT-300M (Noisy Student)",
        "ra": "timm's, with RandAugment",
        "ra2": "timm's, with RandAugment, second recipe",
        "ra4": "timm's, 3,600 epochs by the recipe of its MobileNetV4",
        "ft": "timm's, fine-tuned",
        "in12k": "timm's, on 11,821 classes of the full ImageNet",
        "in12k_ft": "the same, fine-tuned to the usual 1,000 classes",
        "pruned": "timm's copy of pruned weights: whole shapes, many zeros",
        "tv_v2": "torchvision's, by its newer recipe",
    }
)

# Published under the name EfficientNet, and not in the table: the library has no value that says what they compute.
UNLISTED: tuple[tuple[str, str], ...] = (
    ("efficientnet-condconv-b0-4e, -8e and -8e-depth; timm's tf_efficientnet_cc_*", "kernels mixed for each picture"),
    ("timm's efficientnet_b1_pruned, b2_pruned and b3_pruned", "channels removed one by one, no stage has one width"),
    ("EfficientNetV2 and EfficientNet-X", "other families"),
)
# Where a source keeps its downloads, what a row's file stands behind. What comes as a Python package has no address.
PLACES: Mapping[str, str] = MappingProxyType(
    {
        "tensorflow/tpu": "https://storage.googleapis.com/cloud-tpu-checkpoints/efficientnet/",
        "keras-team/keras": "https://storage.googleapis.com/keras-applications/",
        "pytorch/vision": "https://download.pytorch.org/models/",
        "huggingface/pytorch-image-models": (
            "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-weights/"
        ),
        "timm on the Hugging Face hub": "hf://timm/",
        "lukemelas/EfficientNet-PyTorch": "https://github.com/lukemelas/EfficientNet-PyTorch/releases/download/1.0/",
        "open-mmlab/mmpretrain": "https://download.openmmlab.com/mmclassification/v0/efficientnet/",
    }
)
_PREFIX = re.compile(r"-([0-9a-f]{8})\.pth$")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published checkpoint; what a source does not say is "" or None.

    ``member`` is our name of the network, ``called`` that of the publishers. ``file`` is the path below the place
    where ``source`` keeps its downloads; ``hub`` a repository on the Hugging Face hub with the same weights.
    ``bytes`` is the file's size, off by ``within`` at most where the source rounds it. ``classes`` is what the file's
    classifier puts out: 1,001 with a background class first, 0 without a classifier. ``resolution`` is the side in
    pixels at which the accuracies ``top1`` and ``top5``, in percent, were taken; ``numbers`` says where they stand.
    ``params`` and ``printed_flops``, oldest first, are as printed, right or wrong. ``converted_from`` names the row
    whose weights these are, ``former`` a file name of before whose eight digits were no hash of it. ``licence`` is
    that of the project that publishes the file.
    """

    name: str
    member: str
    ecosystem: str
    method: str
    called: str
    file: str
    source: str
    licence: str
    classes: int
    resolution: int
    hub: str = ""
    bytes: int | None = None
    within: int = 0
    sha256: str = ""
    md5: str = ""
    top1: float | None = None
    top5: float | None = None
    params: int | None = None
    printed_flops: tuple[int, ...] = ()
    numbers: str = ""
    converted_from: str = ""
    former: str = ""

    @property
    def file_name(self) -> str:
        """The file's own name, without the folders before it."""
        return self.file.rpartition("/")[2]

    @property
    def url(self) -> str:
        """Where the file is downloaded, https or ``hf://owner/repository/file`` of the Hugging Face hub; "" if nowhere.

        It is as the publishers' own code has it; nobody here looked whether it still answers.
        """
        return PLACES[self.source] + self.file if self.source in PLACES else ""

    @property
    def sha256_starts(self) -> str:
        """What the file's SHA-256 begins with: all 64 digits where published, 8 from the file's name, or ""."""
        found = _PREFIX.search(self.file)
        return self.sha256 or (found[1] if found else "")

    @property
    def habit(self) -> Habit:
        """The row of HABITS for this file."""
        return habit(self.ecosystem, self.member, self.file)

    @property
    def padding(self) -> Padding:
        """How the publishers' own code pads these weights' convolutions."""
        return self.habit.network(named(self.member)).padding

    @property
    def norm_eps(self) -> float:
        """The epsilon of the batch norms in the publishers' own code."""
        return self.habit.network(named(self.member)).norm_eps

    @property
    def preprocess(self) -> Preprocess:
        """How the publishers prepare a picture for these weights."""
        return self.habit.preprocess(named(self.member))


@functools.cache
def every_published() -> Mapping[str, Published]:
    """Every row by its name, in the order of the file. An unknown name raises ValueError with near ones.

    >>> every_published()["efficientnet_b0.torchvision.imagenet1k_v1"].converted_from
    'efficientnet_b0.timm.ra'
    """
    text = importlib.resources.files("compoundnet.weights").joinpath("published.csv").read_text(encoding="utf-8")
    rows = (_row(cells) for cells in csv.DictReader(text.splitlines()))
    return MappingProxyType(Named("published weights", {row.name: row for row in rows}))


def _row(cells: Mapping[str, str]) -> Published:
    filled: dict[str, Any] = {key: _READ.get(key, str)(cell) for key, cell in cells.items() if cell}
    return Published(**filled)


def _integers(cell: str) -> tuple[int, ...]:
    return tuple(int(part) for part in cell.split())


_READ: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    dict.fromkeys(("classes", "resolution", "bytes", "within", "params"), int)
    | dict.fromkeys(("top1", "top5"), float)
    | {"printed_flops": _integers}
)


def published_weights(
    *,
    member: str | None = None,
    ecosystem: str | None = None,
    method: str | None = None,
    licence: str | None = None,
    file_name: str | None = None,
    sha256: str | None = None,
) -> tuple[Published, ...]:
    """The rows of the catalogue that fit all that is given, in its order; all rows when nothing is.

    ``member``, ``ecosystem``, ``method`` and ``licence`` are values of that column or patterns ("efficientnet_lite*").
    ``file_name`` is a file's name, now or formerly; ``sha256`` the 64 digits of a file's hash, which also fits a row of
    which only the first eight are published. Raises ValueError, one line with near names, for a value that no row of
    the catalogue has, and for a hash that is none; () says that no row has all of them at once.

    >>> [row.name for row in published_weights(member="efficientnet_b8", method="advprop", ecosystem="timm")]
    ['efficientnet_b8.timm.advprop']
    >>> published_weights(file_name="efficientnet-lite0-57934424.pth")[0].top1
    75.1
    """
    rows = tuple(every_published().values())
    given = {"member": member, "ecosystem": ecosystem, "method": method, "licence": licence}
    for column, wanted in given.items():
        if wanted is not None:
            fitting = _fitting(column, wanted, {getattr(row, column) for row in every_published().values()})
            rows = tuple(row for row in rows if getattr(row, column) in fitting)
    if file_name is not None:
        rows = tuple(row for row in rows if row in _of_file(file_name))
    if sha256 is not None:
        digest = _digest(sha256)
        rows = tuple(row for row in rows if row.sha256_starts and digest.startswith(row.sha256_starts))
    return rows


def published_as(*, sha256: str = "", hub: str = "") -> Published | None:
    """The one row that a file's hash is of, or a repository on the Hugging Face hub; None where nobody published it.

    >>> published_as(hub="timm/tf_efficientnet_b0.ap_in1k").name
    'efficientnet_b0.timm.advprop'
    """
    rows = every_published().values()
    of_hash = (row for row in rows if sha256 and row.sha256_starts and sha256.startswith(row.sha256_starts))
    of_hub = (row for row in rows if hub and row.hub == hub)
    return next(of_hash, None) or next(of_hub, None)


def _fitting(column: str, wanted: str, values: Iterable[str]) -> set[str]:
    known = sorted(values)
    fitting = {value for value in known if fnmatchcase(value, wanted)}
    if not fitting and column == "member" and wanted in MEMBERS:
        raise UnknownNameError(f"no published weights of {wanted} are in the catalogue; {near(wanted, known)}")
    if not fitting:
        raise UnknownNameError(f"unknown {column} {shown(wanted)} of published weights; {near(wanted, known)}")
    return fitting


def _of_file(file: str) -> tuple[Published, ...]:
    rows = every_published().values()
    found = tuple(row for row in rows if file in (row.file_name, row.file, row.former))
    if not found:
        hint = near(file, sorted({row.file_name for row in rows}))
        raise UnknownNameError(f"no published weights have a file {shown(file)}; {hint}")
    return found


def _digest(sha256: str) -> str:
    digest = sha256.strip().lower()
    if not _DIGEST.fullmatch(digest):
        problem = f"{len(digest)} of them" if re.fullmatch("[0-9a-f]+", digest) else shown(sha256)
        raise ValueError(f"a SHA-256 is 64 hexadecimal digits, got {problem}; sha256sum FILE prints it")
    return digest
