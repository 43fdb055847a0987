"""Weight files that are wrong get one line; code in a file never runs; a written file is whole."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from compoundnet.weights import CheckpointError, load_state, read_checkpoint, sha256, verify
from compoundnet.weights.files import write_safetensors

STATE = {"conv1.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(4)}


def _same(state: dict[str, torch.Tensor]) -> bool:
    return state.keys() == STATE.keys() and all(torch.equal(state[name], STATE[name]) for name in STATE)


def _line(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_state(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize("suffix", [".pth", ".bin", ".ckpt", ".tar", ".safetensors", ".h5", ".index", ".zip", ""])
def test_plain_checkpoints_are_read(tmp_path: Path, suffix: str) -> None:
    torch.save(STATE, tmp_path / f"a{suffix}")
    assert _same(load_state(tmp_path / f"a{suffix}"))


def test_a_checkpoint_in_the_old_format_is_read(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert _same(load_state(tmp_path / "a.pth"))


def test_a_safetensors_file_without_a_record_is_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    assert _same(load_state(str(tmp_path / "a.safetensors")))
    assert read_checkpoint(tmp_path / "a.safetensors").record is None


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_nesting_and_the_parallel_prefix_are_taken_off_and_stated(tmp_path: Path, key: str) -> None:
    nested = {key: {f"module.{name}": tensor for name, tensor in STATE.items()}, "epoch": 3}
    torch.save(nested, tmp_path / "a.pth")
    read = read_checkpoint(tmp_path / "a.pth")
    assert _same(dict(read.tensors))
    assert read.notes == (f"read from the file's {key!r}", "cut 'module.' off every name")


class _Code:
    """Pickles to a call that would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_with_code_is_refused_and_nothing_runs(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "ran"
    torch.save({"weight": _Code(target)}, tmp_path / "zip.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps({"weight": _Code(target)}, protocol))
    for name in ("zip.pth", "bare.pth"):
        line = _line(tmp_path / name)
        assert not target.exists()
        assert line.startswith("refused, because it holds a call to posix.system and not only tensors")
        assert "ask for a .safetensors file" in line


def test_a_whole_pickled_module_is_refused_with_the_safe_way(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pth")
    line = _line(tmp_path / "a.pth")
    assert "torch.nn.modules.linear.Linear" in line
    assert "torch.save(model.state_dict(), ...)" in line


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_one_line(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".pth":
        torch.save(STATE, path)
    else:
        save_file(STATE, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert _line(path).startswith("truncated or no ")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "the file is empty; download it again"),
        (b"<!DOCTYPE html><html>404</html>", "a web page, not weights: the download did not work"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a pointer of Git LFS to the file"),
        (bytes(range(256)) * 8, "truncated or no weight file that is known (it begins with 00 01 02 03"),
        (b"\x00" * 64, "truncated or no weight file that is known (it begins with 00 00 00"),
        (b"\x80\x02}.", "a pickle that PyTorch did not write, which may hold code"),
        (b"\x80\x02}", "truncated or no PyTorch checkpoint (its pickle ends too early"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_one_line(tmp_path: Path, suffix: str, content: bytes, line: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert _line(path).startswith(line)


def test_an_absent_file_and_a_folder_are_one_line_each(tmp_path: Path) -> None:
    assert _line(tmp_path / "no.pth") == "there is no such file"
    assert _line(tmp_path) == "is a folder, not a file"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([1, 2], "holds list, not tensors by name; save model.state_dict()"),
        ({}, "holds dict, not tensors by name; save model.state_dict()"),
        (torch.ones(2), "holds Tensor, not tensors by name; save model.state_dict()"),
        ({**STATE, "epoch": 3}, "1 entries are not plain tensors (epoch); save model.state_dict()"),
        ({"a": torch.ones(2, device="meta")}, "1 entries are not plain tensors (a); save model.state_dict()"),
    ],
)
def test_other_contents_are_named(tmp_path: Path, data: object, line: str) -> None:
    torch.save(data, tmp_path / "a.pth")
    assert _line(tmp_path / "a.pth") == line


def test_a_hash_mismatch_shows_both_hashes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "a") == right
    verify(tmp_path / "a", right)
    with pytest.raises(CheckpointError, match=f"SHA-256 is {right}, expected {'0' * 64}"):
        verify(tmp_path / "a", "0" * 64)


def test_writing_leaves_one_whole_file_or_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors(path, STATE, "{}")
    before = path.read_bytes()
    with pytest.raises(Exception, match="share memory"):
        write_safetensors(path, {"a": STATE["fc.bias"], "b": STATE["fc.bias"]}, "{}")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_writing_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"our files end in .safetensors, not '.pth'"):
        write_safetensors(tmp_path / "a.pth", STATE, "{}")
    with pytest.raises(CheckpointError, match=r"does not exist; create it first"):
        write_safetensors(tmp_path / "no" / "a.safetensors", STATE, "{}")
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="could not be written"):
        write_safetensors(tmp_path / "taken.safetensors", STATE, "{}")
    assert [p.name for p in tmp_path.iterdir()] == ["taken.safetensors"]
