"""The catalogue of published weights: as many files as there are, their hashes, networks, preprocessing and costs."""

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from tools.catalogue_block import counted_first, counted_now

from compoundnet import MEMBERS, cost, named
from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD
from compoundnet.weights import METHODS, PACKAGED, Published, every_published, published_weights
from compoundnet.weights.catalogue import HALF, LITE_MEAN, LITE_STD

ROWS = tuple(every_published().values())
# Ecosystem, method: files. The authors' B0-B5, B0-B7, B5 B7 B8, B0-B8, B0-B7 and L2 twice; five Lite and three EdgeTPU.
COUNTS = {
    ("tensorflow", "baseline"): 6 + 5 + 3,
    ("tensorflow", "autoaugment"): 8,
    ("tensorflow", "randaugment"): 3,
    ("tensorflow", "advprop"): 9,
    ("tensorflow", "noisystudent"): 8 + 2,
    ("keras", "autoaugment"): 2 * 8,
    ("torchvision", "ra"): 2,
    ("torchvision", "ft"): 1,
    ("torchvision", "ra2"): 2,
    ("torchvision", "autoaugment"): 3,
    ("torchvision", "tv_v2"): 1,
    ("timm", "baseline"): 6 + 5 + 3,
    ("timm", "autoaugment"): 8,
    ("timm", "randaugment"): 3,
    ("timm", "advprop"): 9,
    ("timm", "noisystudent"): 8 + 2,
    ("timm", "ra"): 5,
    ("timm", "ra2"): 3,
    ("timm", "ra4"): 2,
    ("timm", "ft"): 1,
    ("timm", "in12k"): 1,
    ("timm", "in12k_ft"): 1,
    ("timm", "pruned"): 2,
    ("lukemelas", "baseline"): 3,
    ("lukemelas", "autoaugment"): 8,
    ("lukemelas", "advprop"): 9,
    ("mmpretrain", "baseline"): 6,
    ("mmpretrain", "autoaugment"): 8,
    ("mmpretrain", "advprop"): 9,
    ("mmpretrain", "noisystudent"): 8 + 2,
}
# Typed again from the pages of the publishers: name of the row: top-1, top-5.
SPOT = {
    "efficientnet_b0.tensorflow.baseline": (76.7, None),
    "efficientnet_b7.tensorflow.autoaugment": (84.3, 97.0),
    "efficientnet_b8.tensorflow.advprop": (85.5, None),
    "efficientnet_l2_475.tensorflow.noisystudent": (88.2, None),
    "efficientnet_lite4.tensorflow.baseline": (81.5, None),
    "efficientnet_edgetpu_s.tensorflow.baseline": (77.23, None),
    "efficientnet_b3.keras.autoaugment": (81.6, 95.7),
    "efficientnet_b1.torchvision.imagenet1k_v2": (79.838, 94.934),
    "efficientnet_b6.torchvision.imagenet1k_v1": (84.008, 96.916),
    "efficientnet_b0.mmpretrain.noisystudent": (77.63, 94.0),
    "efficientnet_b8.mmpretrain.advprop": (85.38, 97.28),
    "efficientnet_b4.mmpretrain.baseline": (82.57, 96.09),
    "efficientnet_lite3.timm.baseline": (79.808, 94.912),
    "efficientnet_b4.lukemelas.autoaugment": (None, None),
}


def test_every_ecosystem_has_as_many_files_as_it_published() -> None:
    assert Counter((row.ecosystem, row.method) for row in ROWS) == COUNTS
    assert {row.method for row in ROWS} == set(METHODS)


def test_a_name_says_what_a_row_is() -> None:
    assert len({row.name for row in ROWS}) == len({(row.source, row.file) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.name.startswith(f"{row.member}.{row.ecosystem}.")
        assert row.ecosystem == "torchvision" or row.name.rpartition(".")[2].removesuffix("_notop") == row.method
        assert row.member in MEMBERS
        assert row.licence == ("BSD-3-Clause" if row.ecosystem == "torchvision" else "Apache-2.0")
        assert "//" not in row.source + row.file


def test_every_file_has_an_address_but_those_that_come_as_packages() -> None:
    assert {row.member for row in ROWS if not row.url} == set(PACKAGED)
    assert len({row.url for row in ROWS if row.url}) == len(ROWS) - len(PACKAGED)
    for row in ROWS:
        assert row.url.endswith(row.file_name) or not row.url
    assert every_published()["efficientnet_b1.timm.ra4"].url.startswith(
        "hf://timm/efficientnet_b1.ra4_e3600_r240_in1k/"
    )


def test_hashes_are_hashes_and_belong_to_one_file() -> None:
    known = [digest for row in ROWS for digest in (row.sha256_starts, row.md5) if digest]
    without = [row for row in ROWS if row.ecosystem == "tensorflow" or row.file_name == "model.safetensors"]
    assert len(without) == 44 + 4
    assert len(set(known)) == len(known) == len(ROWS) - len(without)
    for row in ROWS:
        assert not row.sha256 or re.fullmatch("[0-9a-f]{64}", row.sha256)
        assert not row.md5 or re.fullmatch("[0-9a-f]{32}", row.md5)
        if row.file.endswith(".pth"):
            assert row.file_name == f"{row.file_name[:-13]}-{row.sha256_starts[:8]}.pth"
        assert bool(row.md5) == (row.ecosystem == "keras")
    assert {row.name for row in ROWS if row.sha256 and row.ecosystem == "lukemelas"} == {
        f"{name}.lukemelas.baseline" for name in PACKAGED
    }


def test_the_weights_that_come_as_packages_are_in_it() -> None:
    for name, packaged in PACKAGED.items():
        [row] = published_weights(sha256=packaged.sha256)
        assert (row.member, row.file, row.top1) == (name, packaged.file, packaged.top1)


@pytest.mark.parametrize("name", SPOT)
def test_accuracies_are_those_of_the_pages(name: str) -> None:
    row = every_published()[name]
    assert (row.top1, row.top5) == SPOT[name]


def test_a_row_with_an_accuracy_says_where_it_stands() -> None:
    for row in ROWS:
        assert bool(row.numbers) == (row.top1 is not None)
        assert row.top1 is None or 74 < row.top1 < 89
        assert row.top5 is None or (row.top1 is not None and row.top1 < row.top5 < 99)


def test_published_parameters_are_what_the_network_has() -> None:
    printed = [row for row in ROWS if row.params is not None]
    assert {row.ecosystem for row in printed} == {"torchvision", "mmpretrain"}
    assert len(printed) == 9 + 33
    for row in printed:
        assert cost(named(row.member)).params == row.params


def test_a_file_is_as_large_as_its_parameters() -> None:
    """Four bytes a parameter, and the norms' statistics, names and padding on top: two in a hundred, in HDF5 five."""
    sized = [row for row in ROWS if row.bytes is not None]
    assert len(sized) == 8 + 9 + 36 + 7 + 3
    for row in sized:
        network = named(row.member)
        least = 4 * (cost(network).params - (0 if row.classes else (network.feature_channels + 1) * network.classes))
        assert row.bytes is not None
        assert least < row.bytes + row.within < (1.05 if row.file.endswith(".h5") else 1.02) * least, row.name


def test_what_was_converted_is_the_same_network_by_the_same_method() -> None:
    for row in ROWS:
        chain = [row]
        while chain[-1].converted_from:
            chain.append(every_published()[chain[-1].converted_from])
            assert len(chain) < 4
        assert len({(each.member, each.method) for each in chain}) == 1
        assert chain[-1].ecosystem in ("tensorflow", "timm", "torchvision")
        assert all(one.ecosystem != other.ecosystem for one, other in pairwise(chain))
    originals = {row.converted_from for row in ROWS}
    assert {row.name for row in ROWS if row.ecosystem == "tensorflow"} <= originals


def test_accuracies_are_taken_at_the_side_that_pictures_are_prepared_for() -> None:
    for row in ROWS:
        assert row.preprocess.size == (row.resolution, row.resolution), row.name


def group(row: Published) -> str:
    """Which normalisation the publishers' code has for a row."""
    if row.ecosystem in ("tensorflow", "lukemelas") and re.search("lite|edgetpu", row.member):
        return "127"
    if row.method in ("advprop", "ra4"):
        return "half"
    of_authors = row.converted_from.partition(".")[2].startswith("tensorflow")
    return "half" if row.ecosystem == "timm" and of_authors and re.search("lite|edgetpu", row.member) else "imagenet"


def test_normalisation_and_padding_are_the_publishers() -> None:
    norms = {"127": (LITE_MEAN, LITE_STD), "half": (HALF, HALF), "imagenet": (IMAGENET_MEAN, IMAGENET_STD)}
    for row in ROWS:
        assert (row.preprocess.mean, row.preprocess.std) == norms[group(row)], row.name
        own_of_timm = row.ecosystem == "timm" and not row.converted_from
        symmetric = row.ecosystem == "torchvision" or own_of_timm
        assert row.padding == ("symmetric" if symmetric else "same"), row.name
        early = row.ecosystem == "torchvision" and row.method == "autoaugment"
        assert row.norm_eps == (1e-5 if symmetric and not early else 1e-3), row.name
    assert Counter(map(group, ROWS)) == {"127": 8 + 3, "half": 4 * 9 + 2 + 8, "imagenet": 181 - 11 - 46}


def test_only_the_authors_edge_networks_have_a_background_class() -> None:
    odd = {row.name: row.classes for row in ROWS if row.classes != 1000}
    edges = {f"efficientnet_edgetpu_{size}.tensorflow.baseline": 1001 for size in "sml"}
    headless = {f"efficientnet_b{i}.keras.autoaugment_notop": 0 for i in range(8)}
    assert odd == edges | headless | {"efficientnet_b5.timm.in12k": 11821}


def test_mmpretrains_prints_follow_from_its_rules() -> None:
    """Both of its counts of FLOPs, to the unit; the two of L2 stand in each other's place."""
    other = {"efficientnet_l2": "efficientnet_l2_475", "efficientnet_l2_475": "efficientnet_l2"}
    firsts = 0
    for row in published_weights(ecosystem="mmpretrain"):
        *first, now = row.printed_flops
        assert now == counted_now(named(other.get(row.member, row.member)))
        assert first in ([], [counted_first(named(row.member))])
        firsts += len(first)
    assert firsts == 23


def test_torchvisions_prints_are_the_multiply_adds_at_its_own_side() -> None:
    for row in published_weights(ecosystem="torchvision"):
        [printed] = row.printed_flops
        assert abs(cost(named(row.member), row.preprocess.size).macs - printed) <= 500_000


# Queries


def test_filters_go_together_and_take_patterns() -> None:
    assert published_weights() == ROWS
    lite = published_weights(member="efficientnet_lite*", ecosystem="timm", method="baseline")
    assert [row.member for row in lite] == [f"efficientnet_lite{i}" for i in range(5)]
    assert published_weights(member="efficientnet_lite0", method="advprop") == ()
    assert {row.ecosystem for row in published_weights(licence="BSD*")} == {"torchvision"}


def test_a_file_is_found_by_its_name_of_now_and_before_and_by_its_hash() -> None:
    [now] = published_weights(file_name="efficientnet_b0_rwightman-7f5810bc.pth")
    assert published_weights(file_name="efficientnet_b0_rwightman-3dd342df.pth") == (now,)
    assert published_weights(sha256=f" {now.sha256.upper()}\n") == (now,)
    [eight] = published_weights(sha256="827b6e33" + 56 * "0")
    assert eight.name == "efficientnet_b0.timm.autoaugment"
    assert published_weights(sha256=64 * "0") == ()
    assert len(published_weights(file_name="efficientnet-b0.tar.gz")) == 3


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"member": "efficientnet_b9"}, "unknown member 'efficientnet_b9' of published weights; did you mean "),
        ({"member": "resnet50"}, "no published weights of resnet50 are in the catalogue; known: efficientnet_b0"),
        ({"ecosystem": "torchvison"}, "unknown ecosystem 'torchvison' of published weights; did you mean torchvision?"),
        ({"method": "noisy"}, "unknown method 'noisy' of published weights; did you mean noisystudent?"),
        ({"licence": "MIT"}, "unknown licence 'MIT' of published weights; known: Apache-2.0, BSD-3-Clause"),
        ({"file_name": "efficientnet_b0_ra-3dd342dd.pth"}, "did you mean efficientnet_b0_ra-3dd342df.pth"),
        ({"sha256": "7f5810bc"}, "a SHA-256 is 64 hexadecimal digits, got 8 of them; sha256sum FILE prints it"),
        ({"sha256": "x y"}, "a SHA-256 is 64 hexadecimal digits, got 'x y'"),
    ],
)
def test_a_value_that_no_row_has_is_told_what_there_is(given: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        published_weights(**given)


def test_a_name_that_no_row_has_is_told_what_is_near() -> None:
    with pytest.raises(ValueError, match=re.escape("did you mean efficientnet_b0.timm.ra")):
        every_published()["efficientnet_b0.timm.raa"]


def test_the_catalogue_needs_neither_torch_nor_numpy() -> None:
    script = (
        "import sys; from compoundnet.weights import published_weights\n"
        "rows = [(row.preprocess, row.padding) for row in published_weights()]\n"
        "sys.exit(len(rows) != 181 or bool({'torch', 'numpy', 'torchvision'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
