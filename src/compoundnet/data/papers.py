"""Papers: the eight data sets that the paper transfers to (Table 6), as a table, and how they lie on a disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from compoundnet.schema import near, require_choice

from .arrays import Memory
from .files import Files
from .layouts import LAYOUTS, Found, Split

Score: TypeAlias = Literal["top1", "mean_per_class"]


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A row of Table 6: pictures in ``train`` and ``test``, ``classes``, and the ``score`` its results are given in.

    ``splits`` are the official ones; where "fit" and "validation" are among them, they make up "train".
    ``layout`` is what has to lie below the folder that is given.
    """

    title: str
    train: int
    test: int
    classes: int
    score: Score
    splits: tuple[Split, ...]
    layout: str
    note: str = ""


_BOTH: tuple[Split, ...] = ("train", "test")
_ALL: tuple[Split, ...] = ("train", "test", "fit", "validation")

DATASETS: Mapping[str, DataSet] = MappingProxyType(
    {
        "cifar10": DataSet(
            title="CIFAR-10",
            train=50_000,
            test=10_000,
            classes=10,
            score="top1",
            splits=_BOTH,
            layout="cifar-10-batches-bin/ (the binary version), or cifar-10-batches-py/",
        ),
        "cifar100": DataSet(
            title="CIFAR-100",
            train=50_000,
            test=10_000,
            classes=100,
            score="top1",
            splits=_BOTH,
            layout="cifar-100-binary/ (the binary version), or cifar-100-python/",
        ),
        "birdsnap": DataSet(
            title="Birdsnap",
            train=47_386,
            test=2_443,
            classes=500,
            score="top1",
            splits=_BOTH,
            layout="species.txt, images.txt, test_images.txt, and images/ or download/images/",
            note="many of its pictures are gone from Flickr, so few copies are whole",
        ),
        "stanford_cars": DataSet(
            title="Stanford Cars",
            train=8_144,
            test=8_041,
            classes=196,
            score="top1",
            splits=_BOTH,
            layout="stanford_cars/ with devkit/, cars_train/, cars_test/ and cars_test_annos_withlabels.mat",
        ),
        "flowers102": DataSet(
            title="Oxford Flowers",
            train=2_040,
            test=6_149,
            classes=102,
            score="mean_per_class",
            splits=_ALL,
            layout="flowers-102/ with jpg/, imagelabels.mat and setid.mat",
        ),
        "fgvc_aircraft": DataSet(
            title="FGVC Aircraft",
            train=6_667,
            test=3_333,
            classes=100,
            score="mean_per_class",
            splits=_ALL,
            layout="fgvc-aircraft-2013b/data/ with images/, variants.txt and images_variant_*.txt",
        ),
        "oxford_pets": DataSet(
            title="Oxford-IIIT Pets",
            train=3_680,
            test=3_369,
            classes=37,
            score="mean_per_class",
            splits=_BOTH,
            layout="oxford-iiit-pet/ with images/ and annotations/",
            note="the released test split has 3,669 pictures; 3,369 in Table 6 is a misprint",
        ),
        "food101": DataSet(
            title="Food-101",
            train=75_750,
            test=25_250,
            classes=101,
            score="top1",
            splits=_BOTH,
            layout="food-101/ with images/ and meta/",
        ),
    }
)


def published(name: str, path: str | Path, split: Split) -> Files | Memory:
    """A split of one of ``DATASETS`` that lies below ``path`` as torchvision lays it out; nothing is downloaded.

    "train" and "test" are those of Table 6; "fit" and "validation" the official halves of "train" of those that have
    them, to choose settings by. A count that is not the paper's is a warning of the result. Raises ValueError, one
    line, for an unknown name, a split that the set does not have, and files that are missing or wrong.

    >>> published("food102", ".", "train")
    Traceback (most recent call last):
    ValueError: unknown data set 'food102'; did you mean food101 or flowers102?
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; {near(name, DATASETS)}")
    row, root = DATASETS[name], Path(path)
    require_choice(split, row.splits, "split")
    try:
        found = LAYOUTS[name](root, split)
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename}: not there; {row.title} needs {row.layout} below {root}") from None
    except (OSError, UnicodeDecodeError, KeyError, IndexError) as error:
        detail = getattr(error, "strerror", None) or error
        raise ValueError(f"{root}: {row.title} cannot be read ({detail}); copy its files again") from None
    if not len(found.labels) or not 0 <= found.labels.min() <= found.labels.max() < len(found.classes):
        raise ValueError(f"{root}: {row.title}'s labels do not fit its {len(found.classes)} classes; copy it again")
    return _examples(found, _odd(row, found, split))


def _odd(row: DataSet, found: Found, split: Split) -> tuple[str, ...]:
    """One line for each count that is not the paper's."""
    lines: list[str] = []
    counts = {"train": row.train, "test": row.test}
    note = f" ({row.note})" if row.note else ""
    if split in counts and len(found.labels) != counts[split]:
        lines.append(f"{row.title}: {len(found.labels):,} pictures in {split}; the paper has {counts[split]:,}{note}")
    if len(found.classes) != row.classes:
        lines.append(f"{row.title}: {len(found.classes):,} classes; the paper has {row.classes:,}")
    return tuple(lines)


def _examples(found: Found, warnings: tuple[str, ...]) -> Files | Memory:
    if found.pixels is not None:
        return Memory(found.pixels, found.labels, found.classes, warnings=warnings)
    return Files(found.root, found.paths, found.labels, found.classes, warnings=warnings)
