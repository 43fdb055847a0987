"""A .pt2 archive from a stranger, sealed like ours: nothing in it is run."""

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compoundnet.export import ArtefactError, export, random_weights, verify
from compoundnet.export.programs import _entries
from compoundnet.export.record import KEY
from compoundnet.export.seal import _SEAL, BLANK, sealed
from compoundnet.families import named


class Touch:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._path,))


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "t.pt2"
    export(random_weights(named("tiny"), "tiny"), path, dynamic="batch")
    return path


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes | None], more: dict[str, bytes]) -> None:
    """A copy with entries changed, dropped (None) or added, and a seal that fits."""
    with zipfile.ZipFile(source) as old:
        entries = {name: change(name, old.read(name)) for name in old.namelist()}
        root = old.namelist()[0].split("/")[0]
    entries |= {f"{root}/{name}": data for name, data in more.items()}
    [record] = [name for name in entries if name.endswith(f"extra/{KEY}.json")]
    blank = _SEAL.sub(BLANK.encode(), entries.pop(record) or b"")
    with zipfile.ZipFile(target, "w") as new:
        for name, data in entries.items():
            if data is not None:
                new.writestr(name, data)
    seal = sealed([*_entries(target), blank])
    with zipfile.ZipFile(target, "a") as new:
        new.writestr(record, blank.replace(BLANK.encode(), seal))


def same(name: str, data: bytes) -> bytes:
    return data


def pickled(code: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, data: code if "/data/sample_inputs/" in name else data


def in_json(old: str, new: str) -> Callable[[str, bytes], bytes]:
    return lambda name, data: data.replace(old.encode(), new.encode()) if "/models/" in name else data


def pickled_weights(name: str, data: bytes) -> bytes:
    if not name.endswith("_config.json"):
        return data
    return json.dumps(json.loads(data) | {"use_pickle": True}).encode()


def test_a_rewritten_archive_that_changes_nothing_still_passes(honest: Path, tmp_path: Path) -> None:
    """Else the refusals below could be of the rewriting."""
    rewritten(honest, tmp_path / "t.pt2", same, {})
    assert verify(tmp_path / "t.pt2").proof.holds


def test_code_in_an_archive_is_refused_and_not_run(honest: Path, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "t.pt2"
    code = pickle.dumps(Touch(marker))
    with zipfile.ZipFile(honest) as archive:
        [model] = [archive.read(name).decode() for name in archive.namelist() if "/models/" in name]
    target = next(word for word in model.split('"') if word.startswith("torch.ops.aten."))
    expression = next(part for part in model.split('"expr_str": "')[1:]).split('"')[0]
    python = f"__import__('pathlib').Path('{marker}').touch()"
    changes: dict[str, tuple[Callable[[str, bytes], bytes | None], dict[str, bytes]]] = {
        "sample inputs": (pickled(code), {}),
        "pickled weights": (pickled_weights, {}),
        "another operator": (in_json(target, "torch.hub.load"), {}),
        "an expression": (in_json(f'"expr_str": "{expression}"', f'"expr_str": "{python}"'), {}),
        "another file": (same, {"data/aotinductor/model/x.so": b"\x7fELF"}),
        "constants": (same, {"data/constants/custom_obj_0": code}),
    }
    for what, (change, more) in changes.items():
        rewritten(honest, path, change, more)
        with pytest.raises(ArtefactError) as caught:
            verify(path)
        assert "\n" not in str(caught.value), what
        assert not marker.exists(), what


def test_an_archive_with_a_bit_flipped_is_damaged_before_pytorch_reads_it(honest: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.pt2"
    shutil.copy(honest, path)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ArtefactError, match="damaged"):
        verify(path)
