"""load() finds what the store has by its name, with the origin that it was fetched from, and checks it again."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from compoundnet import build, load, named
from compoundnet.export import random_weights
from compoundnet.weights import PACKAGED, CheckpointError, from_ours, save
from compoundnet.weights.catalogue import locate
from compoundnet.weights.published import published_as
from compoundnet.weights.store import Access, Wanted, default_store, fetch, import_file, known, wanted
from compoundnet.weights.store.rows import catalogued
from compoundnet.weights.told import NOTHING, by_hash

from .loopback import Served, serving

B1 = "efficientnet_b1.torchvision.imagenet1k_v2"


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOUNDNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    found = random_weights(named("tiny"), "tiny")
    save(tmp_path / "tiny.safetensors", found.model, found.weights)
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def served(tiny: Path) -> Iterator[Served]:
    with serving({"/tiny.safetensors": tiny.read_bytes()}) as found:
        yield found


def test_a_fetched_file_loads_by_its_name(served: Served, tiny: Path) -> None:
    fetch(wanted(f"{served.url}/tiny.safetensors", name="team/tiny"), how=Access())
    found = load("team/tiny")
    assert found.weights == load(tiny).weights
    ours = load(tiny).model.state_dict()
    assert all(torch.equal(tensor, ours[name]) for name, tensor in found.model.state_dict().items())


def test_a_stored_file_that_was_changed_is_not_loaded(tiny: Path) -> None:
    path = import_file(tiny, name="team/tiny").path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"SHA-256 is .*, expected .*; the file is damaged"):
        load("team/tiny")


def test_a_file_that_lies_here_comes_before_the_store(tiny: Path) -> None:
    import_file(tiny, name="here.safetensors")
    found = random_weights(replace(named("tiny"), classes=3), "three")
    save(Path("here.safetensors"), found.model, found.weights)
    assert load("here.safetensors").weights.network.classes == 3
    Path("here.safetensors").unlink()
    assert load("here.safetensors").weights.network.classes == named("tiny").classes


def test_what_packages_bring_keeps_its_names(tiny: Path) -> None:
    name = next(iter(PACKAGED))
    with pytest.raises(CheckpointError, match="an installed package brings"):
        import_file(tiny, name=name)
    assert load(name).weights.sha256 == PACKAGED[name].sha256


def test_what_packages_bring_is_known_by_its_hash_under_any_name(tmp_path: Path) -> None:
    name, packaged = next(iter(PACKAGED.items()))
    shutil.copyfile(locate(packaged), tmp_path / "renamed.bin")
    found = import_file("renamed.bin")
    assert found.row is not None
    assert (found.row.sha256, found.stored.name) == (packaged.sha256, found.row.name)
    weights = load(found.row.name).weights
    assert (weights.name, weights.licence) == (name, "Apache-2.0")


@pytest.mark.parametrize("file", ["model.safetensors", "efficientnet-b0.tar.gz"])
def test_a_file_name_that_many_have_makes_nothing_a_published_file(file: str, tmp_path: Path) -> None:
    """Our runs write model.safetensors, as timm's repositories do; the authors have three efficientnet-b0.tar.gz."""
    shared = [name for name, row in catalogued().items() if row.file == file]
    assert len(shared) > 1
    (tmp_path / file).write_bytes(b"nobody's")
    found = import_file(file)
    assert (found.row, found.stored.source) == (None, "")
    assert not any(default_store().find(name) for name in shared)
    assert import_file(file, name=shared[-1]).stored.source == catalogued()[shared[-1]].url


def test_a_published_name_that_is_not_here_says_how_to_fetch_it() -> None:
    with pytest.raises(CheckpointError, match=f"is not in the store yet; compoundnet weights fetch {B1}"):
        load(B1)


def test_a_published_file_brings_what_the_catalogue_knows() -> None:
    """A row without a hash, whose file is imported by its name: its path decides the habits, not the file's name."""
    network = named("efficientnet_b0")
    torch.save(from_ours(build(network).state_dict(), network, "timm"), "model.pth")
    name = "efficientnet_b0.timm.ra4"
    assert not known()[name].hashed
    import_file("model.pth", name=name)
    found = load(name).weights
    assert (found.name, found.licence, found.source) == ("efficientnet_b0", "Apache-2.0", known()[name].url)
    assert (found.preprocess.size, found.preprocess.mean) == ((256, 256), (0.5, 0.5, 0.5))
    assert load("model.pth").weights.preprocess.size == (224, 224)


def test_a_file_of_the_hub_is_taken_as_its_repository_was_trained(tmp_path: Path) -> None:
    """Every one is called model.safetensors; that its network is TensorFlow's stands in the repository's name alone."""
    network = named("efficientnet_b0")
    save_file(from_ours(build(network).state_dict(), network, "timm"), tmp_path / "model.safetensors")
    name = "timm/tf_efficientnet_b0.ap_in1k"
    found = import_file("model.safetensors", name=name)
    assert load(name).weights.network.padding == "symmetric"  # brought by hand: nobody says where it came from
    default_store().name(replace(found.stored, source=f"hf://{name}@{40 * '0'}/model.safetensors"), found.path)
    weights = load(name).weights
    assert (weights.network.padding, weights.network.norm_eps, weights.preprocess.mean[0]) == ("same", 1e-3, 0.5)
    assert weights.licence == "Apache-2.0"
    shutil.copyfile("model.safetensors", "tf_efficientnet_b0.ap_in1k.safetensors")
    assert load("tf_efficientnet_b0.ap_in1k.safetensors").weights.preprocess == weights.preprocess


def test_a_renamed_file_is_known_by_its_hash(tmp_path: Path) -> None:
    packaged = next(iter(PACKAGED.values()))
    shutil.copyfile(locate(packaged), tmp_path / "renamed.bin")
    found = load("renamed.bin").weights
    row = published_as(sha256=packaged.sha256)
    assert row is not None
    assert (found.licence, found.source) == ("Apache-2.0", row.source)
    advprop = by_hash("b64d5a18" + 56 * "0")  # of which eight digits are published
    assert (advprop.member, advprop.file) == ("efficientnet_b0", "adv-efficientnet-b0-b64d5a18.pth")
    assert by_hash(64 * "0") is by_hash("") is NOTHING


def test_other_bytes_under_a_published_name_are_described_by_themselves() -> None:
    """A lock file may hold a name to other bytes than the catalogue has; they bring no published record."""
    network = named("efficientnet_b1")
    torch.save(from_ours(build(network).state_dict(), network, "torchvision"), "own.pth")
    stored = import_file("own.pth", name="own").stored
    locked: Wanted = replace(stored.as_wanted(), name=B1)
    fetch(locked, how=Access(offline=True))
    assert default_store().find(B1) is not None
    assert load(B1).weights.licence == "unknown"
