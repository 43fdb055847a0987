"""One table of formats: what real programs write is read as they read it, and what is no weights says what it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from compoundnet.weights import CheckpointError, read_checkpoint
from compoundnet.weights.formats import FORMATS, recognised
from tests.weightfiles import SAMPLES, UNKNOWN

ROWS = {(row.name, row.looks.__name__): row for row in FORMATS}


def line(path: Path, averaged: bool | None = None) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path, averaged=averaged)
    found = str(caught.value)
    assert found.startswith(f"{path}: ")
    assert "\n" not in found
    assert len(found) < 500
    return found.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "looks", "content"), SAMPLES, ids=[f"{looks} {k}" for k, (_, looks, _) in enumerate(SAMPLES)]
)
def test_every_format_has_a_row_that_takes_it(tmp_path: Path, name: str, looks: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    row = recognised(path)
    assert row is not None
    assert (row.name, row.looks.__name__) == (name, looks)
    if row.refusal and row.check is None:
        assert line(path) == row.refusal
    elif looks not in ("safetensors", "torch_zip", "torch_legacy"):
        line(path)  # these samples are but a beginning


def test_every_row_has_a_sample_and_either_a_reader_or_a_refusal_with_a_way_out() -> None:
    assert ROWS.keys() == {(name, looks) for name, looks, _ in SAMPLES}
    for row in FORMATS:
        assert (row.reader is None) == bool(row.refusal)
        assert row.reader is not None or ";" in row.refusal, row.name
        assert row.looks.__doc__


@pytest.mark.parametrize("content", UNKNOWN)
def test_what_is_of_no_format_says_how_it_begins_and_what_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert line(tmp_path / "a").startswith(
        f"truncated or no weight file that is known (it begins with {content[:8].hex(' ')})"
    )
    assert "safetensors file, PyTorch checkpoint" in line(tmp_path / "a")


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
def test_what_pytorch_writes_otherwise_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    torch.jit.save(torch.jit.trace(model, torch.ones(1, 2)), path)
    assert line(path).startswith(
        "a TorchScript archive, which is a program and not only tensors; open it with torch.jit"
    )
    torch.export.save(torch.export.export(model, (torch.ones(1, 2),)), path)
    assert line(path).startswith("a program of torch.export")


STRANGE: dict[str, Callable[[], Tensor]] = {
    "half": lambda: torch.arange(3, dtype=torch.float16),
    "bfloat16": lambda: torch.arange(3, dtype=torch.bfloat16),
    "double": lambda: torch.arange(3, dtype=torch.float64),
    "long": lambda: torch.tensor(7),
    "int8": lambda: torch.arange(3, dtype=torch.int8),
    "bool": lambda: torch.tensor([True, False]),
    "complex": lambda: torch.ones(2, dtype=torch.complex64),
    "float8": lambda: torch.ones(4).to(torch.float8_e4m3fn),
    "uint16": lambda: torch.ones(4, dtype=torch.uint16),
    "empty": lambda: torch.empty(0, 3),
    "channels last": lambda: torch.arange(48.0).reshape(2, 2, 3, 4).to(memory_format=torch.channels_last),
    "transposed": lambda: torch.arange(6.0).reshape(2, 3).T,
    "a part": lambda: torch.arange(20.0).reshape(4, 5)[1:3],
    "a parameter": lambda: nn.Parameter(torch.arange(3.0)),
    "with gradient": lambda: torch.ones(2, requires_grad=True),
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("form", ["zip", "zip, protocol 4", "legacy"])
def test_tensors_of_every_kind_are_those_that_were_saved(tmp_path: Path, name: str, form: str) -> None:
    path = tmp_path / "a"
    saved = {"x": STRANGE[name](), "y": torch.ones(2)}
    torch.save(saved, path, pickle_protocol=4 if "4" in form else 2, _use_new_zipfile_serialization=form != "legacy")
    read = read_checkpoint(path).tensors
    assert list(read) == list(saved)
    for key, tensor in saved.items():
        assert (read[key].dtype, read[key].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(_comparable(read[key]), _comparable(tensor.detach()))


def _comparable(tensor: Tensor) -> Tensor:
    return tensor.view(torch.uint8) if tensor.dtype == torch.float8_e4m3fn else tensor


def test_a_part_of_a_storage_with_gaps_is_read_where_a_checksum_vouches_for_it(tmp_path: Path) -> None:
    saved = {"x": torch.arange(20.0).reshape(4, 5)[:, ::2]}
    torch.save(saved, tmp_path / "zip")
    assert torch.equal(read_checkpoint(tmp_path / "zip").tensors["x"], saved["x"])
    torch.save(saved, tmp_path / "legacy", _use_new_zipfile_serialization=False)
    assert "the strides of x skip or repeat numbers" in line(tmp_path / "legacy")


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_that_share_a_storage_are_copies_and_expanded_ones_are_refused(tmp_path: Path, zipped: bool) -> None:
    one = torch.zeros(4)
    torch.save({"a": one, "b": one, "c": one[:2]}, tmp_path / "a", _use_new_zipfile_serialization=zipped)
    read = read_checkpoint(tmp_path / "a").tensors
    read["a"].fill_(1)
    assert [float(tensor.sum()) for tensor in read.values()] == [4, 0, 0]
    torch.save({"a": torch.zeros(1).expand(1000)}, tmp_path / "a", _use_new_zipfile_serialization=zipped)
    assert "a tensor of 1000 numbers claims more than the 1 that it has" in line(tmp_path / "a")


def test_many_tensors_of_one_storage_cannot_fill_the_memory(tmp_path: Path) -> None:
    one = torch.zeros(1 << 18)
    torch.save({f"t{i}": one for i in range(100)}, tmp_path / "a")
    assert line(tmp_path / "a").startswith(
        "its 100 tensors share 1 storage, and with copies of their own they need 104,857,600 bytes, more than 2 times"
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_large_tensors_that_share_a_storage_are_copies_up_to_twice_the_file(tmp_path: Path, zipped: bool) -> None:
    numbers = torch.arange(600_000.0)  # 2.4 MB
    tied = {"a": numbers, "b": numbers.view(600, 1000)}
    torch.save(tied, tmp_path / "tied.pth", _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(tmp_path / "tied.pth").tensors
    assert all(torch.equal(found[name], tensor) for name, tensor in tied.items())
    found["a"].zero_()
    assert torch.equal(found["b"], tied["b"])
    torch.save(tied | {"c": numbers[1:]}, tmp_path / "three.pth", _use_new_zipfile_serialization=zipped)
    assert line(tmp_path / "three.pth").startswith("its 3 tensors share 1 storage, and with copies of their own they")


def test_only_what_is_chosen_is_read(tmp_path: Path) -> None:
    """The optimizer's part of the file is broken, and nobody notices: it is not looked at."""
    path = tmp_path / "a"
    marked = torch.full((64,), 1234.5)
    torch.save({"model": {"w": torch.ones(3)}, "optimizer": {"state": {0: marked}}}, path)
    data = path.read_bytes()
    at = data.index(marked.numpy().tobytes())
    path.write_bytes(data[:at] + b"\1" + data[at + 1 :])
    read = read_checkpoint(path)
    assert read.tensors["w"].tolist() == [1, 1, 1]
    assert read.beside == ("optimizer",)
    path.write_bytes(data.replace(torch.ones(3).numpy().tobytes(), torch.zeros(3).numpy().tobytes()))
    assert "the checksum of a/data/0 is not that of its bytes" in line(path)


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_averaged_and_raw_weights_can_both_be_had(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a"
    raw, ema = {"w": torch.zeros(2)}, {"w": torch.ones(2)}
    if form == "safetensors":
        save_file({"model.w": raw["w"], "ema.module.w": ema["w"]}, path)
    else:
        torch.save(
            {"model": raw, "model_ema": {f"module.{name}": tensor for name, tensor in ema.items()}},
            path,
            _use_new_zipfile_serialization=form == "zip",
        )
    assert torch.equal(read_checkpoint(path).tensors["w"], ema["w"])
    assert torch.equal(read_checkpoint(path, averaged=True).tensors["w"], ema["w"])
    assert torch.equal(read_checkpoint(path, averaged=False).tensors["w"], raw["w"])
    assert any("averaged" in note for note in read_checkpoint(path).notes)


def test_averaged_weights_cannot_be_asked_of_a_file_that_has_one_set(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "a")
    assert line(tmp_path / "a", averaged=True).startswith("holds raw weights only")
    save_file({"w": torch.ones(2)}, tmp_path / "a", {"compoundnet": "{}"})
    assert line(tmp_path / "a", averaged=False).startswith(
        "a file of ours says of no weights whether they are averaged"
    )


def test_what_an_optimizer_saves_is_told_apart(tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), momentum=0.9)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    for saved in (optimizer.state_dict(), {"optimizer": optimizer.state_dict(), "epoch": 1}):
        torch.save(saved, tmp_path / "a")
        assert line(tmp_path / "a").startswith("holds an optimizer's state and no model")


def test_a_header_of_safetensors_that_lists_too_much_is_refused(tmp_path: Path) -> None:
    save_file({f"t{i}": torch.ones(1) for i in range(3)}, tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes((1 << 20).to_bytes(8, "little") + data[8:])
    assert line(tmp_path / "a").startswith("truncated or no safetensors file (its header claims 1,048,576 bytes")
    many = b"{" + b'"data_offsets"' * 30_001
    (tmp_path / "a").write_bytes(len(many).to_bytes(8, "little") + many)
    assert "its header lists 30,001 tensors or more texts; at most 30,000 are read" in line(tmp_path / "a")
    texts = b'{"__metadata__":{' + b",".join(b'"":""' for _ in range(200_000)) + b"}}"
    (tmp_path / "a").write_bytes(len(texts).to_bytes(8, "little") + texts)
    assert "its header lists 0 tensors or more texts" in line(tmp_path / "a")
