"""TensorFlow checkpoints are read however they are kept, from wherever, and of them the variables of the model."""

import gzip
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compoundnet.weights.bundle import Bundle, is_bundle, open_bundle, read_bundle
from compoundnet.weights.errors import CheckpointError

from . import bundles
from .bundles import AVERAGE, Array, bundle, model, trained

DENSE = "efficientnet-b0/head/dense/kernel"
STEM = "efficientnet-b0/stem/conv2d/kernel"


def same(read: Bundle, expected: dict[str, Array]) -> bool:
    """Whether names, types, shapes and numbers are these."""
    return read.tensors.keys() == expected.keys() and all(
        read.tensors[name].dtype == array.dtype and np.array_equal(read.tensors[name], array)
        for name, array in expected.items()
    )


def line(path: Path, averaged: bool = True) -> str:
    """The one line that a path is refused with, without the path."""
    with pytest.raises(CheckpointError) as caught:
        read_bundle(path, averaged=averaged)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert len(text) < 300 + len(str(path))
    return text.removeprefix(f"{path}: ")


@pytest.mark.parametrize("shards", [1, 2, 5])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_what_was_written_is_read(tmp_path: Path, shards: int, big_endian: bool, packed: bool) -> None:
    prefix = bundle(trained(), shards, big_endian, packed).write(tmp_path)
    read = read_bundle(prefix)
    assert same(read, model(trained()))
    assert read.averages == 6
    assert read.notes == (
        "6 variables read as moving averages",
        "10 optimizer variables left out (RMSProp, RMSProp_1)",
        "left out: global_step",
    )
    assert all(array.dtype.isnative for array in read.tensors.values())


@pytest.mark.parametrize("dtype", [name for name in bundles.TYPES if name != "bfloat16"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_type_of_number_is_read(tmp_path: Path, dtype: str, big_endian: bool) -> None:
    arrays = {"w": np.array([[0, 1, 2], [100, 120, 1]]).astype(dtype)}
    assert same(read_bundle(bundle(arrays, 1, big_endian).write(tmp_path)), arrays)


@pytest.mark.parametrize("big_endian", [False, True])
def test_bfloat16_is_read_as_the_same_float32_numbers(tmp_path: Path, big_endian: bool) -> None:
    arrays = {"w": np.array([[0.0, -1.5, 3e38], [np.inf, 2**-130, 1 / 3]], np.float32)}
    read = read_bundle(bundle(arrays, 1, big_endian, bfloat16=True).write(tmp_path))
    cut = (arrays["w"].view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert same(read, {"w": cut})
    assert read.notes[-1] == "1 variable of bfloat16 read as float32"


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_variable_in_parts_is_put_together(tmp_path: Path, parts: int) -> None:
    arrays = trained()
    written = bundle(arrays, shards=2, parts={f"{DENSE}{AVERAGE}": parts, f"{STEM}{AVERAGE}": parts})
    assert same(read_bundle(written.write(tmp_path)), model(arrays))


def test_large_variables_are_read_in_pieces(tmp_path: Path) -> None:
    arrays = {"w": np.random.default_rng(0).standard_normal((1300, 900)).astype(np.float32)}
    written = bundle({"w": arrays["w"][:1]})
    octets = arrays["w"].tobytes()
    from compoundnet.weights.bundle.crc32c import crc32c, masked  # proved against a loop; the loop takes a minute here

    written = bundles.replace(written, data=(octets,))
    written = written.changed("w", shape=arrays["w"].shape, size=len(octets), checksum=masked(crc32c(octets)))
    assert same(read_bundle(written.write(tmp_path)), arrays)


def test_the_variables_as_trained_are_read_when_asked_for(tmp_path: Path) -> None:
    read = read_bundle(bundle(trained()).write(tmp_path), averaged=False)
    assert same(read, model(trained(), averaged=False))
    assert read.averages == 0
    assert read.notes[0] == "6 moving averages left out: variables as they were trained"


def test_a_file_without_averages_is_read_and_says_so(tmp_path: Path) -> None:
    arrays = trained(averages=False)
    read = read_bundle(bundle(arrays).write(tmp_path))
    assert same(read, model(arrays))
    assert read.notes[0] == "the file has no moving averages; its variables are as they were trained"


def test_a_variable_without_an_average_among_others_is_named(tmp_path: Path) -> None:
    arrays = trained()
    del arrays[f"{DENSE}{AVERAGE}"]
    read = read_bundle(bundle(arrays).write(tmp_path))
    assert same(read, model(arrays))
    assert read.averages == 5
    assert read.notes[0] == f"5 variables read as moving averages; 1 have none and are as they were trained ({DENSE})"


def test_a_file_of_averages_only_is_read_as_those(tmp_path: Path) -> None:
    """The published L2 has no others."""
    arrays = {name: array for name, array in trained().items() if name.endswith(AVERAGE)}
    prefix = bundle(arrays).write(tmp_path)
    assert same(read_bundle(prefix), {name.removesuffix(AVERAGE): array for name, array in arrays.items()})
    assert line(prefix, averaged=False).startswith("6 variables are there as moving averages only (efficientnet-b0/")


@pytest.mark.parametrize("slots", [("RMSProp", "RMSProp_1"), ("Momentum",), ("Adam", "Adam_1"), ("Own", "Own_17")])
def test_slots_of_any_optimizer_are_left_out(tmp_path: Path, slots: tuple[str, ...]) -> None:
    arrays = trained(slots=False)
    more = {f"{DENSE}/{slot}": arrays[DENSE] for slot in slots} | {"beta1_power": np.array(0.9, np.float32)}
    read = read_bundle(bundle(arrays | more).write(tmp_path))
    assert same(read, model(arrays))
    assert read.notes[2:] == ("left out: beta1_power, global_step",)


def test_a_file_of_slots_only_is_refused_in_one_line(tmp_path: Path) -> None:
    arrays = {name: array for name, array in trained().items() if "/RMSProp" in name or name == "global_step"}
    expected = "no variable of a model is in it: 10 variables of an optimizer (efficientnet-b0/blocks_0/"
    assert line(bundle(arrays).write(tmp_path)).startswith(expected)


def test_a_file_of_a_counter_only_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    prefix = bundle({"global_step": np.array(7)}).write(tmp_path / "step")
    assert line(prefix).endswith("0 variables of an optimizer, 1 counter; give the checkpoint of the model")
    assert line(bundle({}).write(tmp_path / "empty")).startswith("no variable of a model is in it")


def test_texts_are_left_out_and_other_types_refused(tmp_path: Path) -> None:
    arrays = {"w": np.ones(3, np.float32), "_CHECKPOINTABLE_OBJECT_GRAPH": np.ones(3, np.float32)}
    written = bundle(arrays)
    text = written.changed("_CHECKPOINTABLE_OBJECT_GRAPH", dtype=bundles.STRING, shape=(), size=9)
    read = read_bundle(text.write(tmp_path / "text"))
    assert same(read, {"w": arrays["w"]})
    assert read.notes[-1] == "left out: _CHECKPOINTABLE_OBJECT_GRAPH"
    assert line(written.changed("w", dtype=8).write(tmp_path / "complex")) == (
        "'w' is of TensorFlow's type 8, which no network's weights have"
    )


def places(prefix: Path) -> dict[str, Path]:
    """All ways to name one checkpoint, alone in its folder."""
    data = prefix.with_name(f"{prefix.name}.data-00000-of-00002")
    return {
        "prefix": prefix,
        "index": prefix.with_name(f"{prefix.name}.index"),
        "data": data,
        "meta": prefix.with_name(f"{prefix.name}.meta"),
        "folder": prefix.parent,
    }


@pytest.mark.parametrize("way", ["prefix", "index", "data", "meta", "folder"])
def test_a_checkpoint_is_found_by_each_of_its_names(tmp_path: Path, way: str) -> None:
    path = places(bundle(trained(), shards=2).write(tmp_path))[way]
    assert is_bundle(path)
    assert is_bundle(str(path))
    assert same(read_bundle(str(path)), model(trained()))


def test_an_index_is_recognised_whatever_it_is_called(tmp_path: Path) -> None:
    bundle(trained()).write(tmp_path)
    moved = (tmp_path / "model.ckpt-7.index").rename(tmp_path / "weights.pth")
    assert is_bundle(moved)
    assert "weights.pth.data-00000-of-00001, one of 1, is not beside the index" in line(moved)


def test_the_file_checkpoint_says_which_is_the_newest(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        bundle(trained(step)).write(tmp_path, f"model.ckpt-{step}")
    assert line(tmp_path).startswith("3 checkpoints are in it (model.ckpt-1.index, model.ckpt-2.index, ")
    state = 'model_checkpoint_path: "/on/the/machine/../that/trained/model.ckpt-2"\nall_model_checkpoint_paths: "x"\n'
    (tmp_path / "checkpoint").write_text(state)
    read = read_bundle(tmp_path)
    assert same(read, model(trained(2)))
    assert read.notes[0] == "read model.ckpt-2, which the file 'checkpoint' names"
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/etc/passwd"')
    assert line(tmp_path).startswith("3 checkpoints")
    (tmp_path / "model.ckpt-2.index").unlink()
    (tmp_path / "model.ckpt-1.index").unlink()
    only = "read model.ckpt-3, the only checkpoint there; the file 'checkpoint' names 'passwd', which is not there"
    assert read_bundle(tmp_path).notes[0] == only


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "model.ckpt-9"
    expected = "there is no such file, nor model.ckpt-9.index; give the path of the .index file"
    assert line(missing) == expected
    assert line(tmp_path) == "no .index file is in it; a TensorFlow checkpoint has one beside its data files"
    (tmp_path / "model.pth").write_bytes(b"PK\x03\x04" + bytes(100))
    assert line(tmp_path / "model.pth").startswith(
        "the index is damaged or none: it does not end as an index file ends"
    )
    assert not any(map(is_bundle, [missing, tmp_path, tmp_path / "model.pth", tmp_path / ("x" * 300)]))


def test_a_missing_data_file_is_named_when_it_is_needed(tmp_path: Path) -> None:
    arrays = {"a": np.ones(3, np.float32), "b": np.ones(4, np.float32), "b/Momentum": np.ones(4, np.float32)}
    prefix = bundle(arrays, shards=3).write(tmp_path)
    (tmp_path / "model.ckpt-7.data-00002-of-00003").unlink()
    assert same(read_bundle(prefix), {"a": arrays["a"], "b": arrays["b"]})
    (tmp_path / "model.ckpt-7.data-00001-of-00003").unlink()
    expected = "model.ckpt-7.data-00001-of-00003, one of 3, is not beside the index; it has 'b': put it there"
    assert line(prefix) == expected


def archived(prefix: Path, path: Path, change: Callable[[tarfile.TarFile], None] | None = None) -> Path:
    """The checkpoint as published: a folder in a .tar.gz, with the graph and the file that names it; no times in it."""
    folder = tarfile.TarInfo("efficientnet-b0")
    folder.type = tarfile.DIRTYPE
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(folder)
        for each in sorted(prefix.parent.glob(f"{prefix.name}.*")):
            _add(tar, f"efficientnet-b0/{each.name}", each.read_bytes())
        state = f'model_checkpoint_path: "{prefix.name}"\n'.encode()
        for name, content in (("checkpoint", state), (f"{prefix.name}.meta", b"graph"), ("._a.index", b"mac")):
            _add(tar, f"efficientnet-b0/{name}", content)
        if change:
            change(tar)
    path.write_bytes(gzip.compress(out.getvalue(), mtime=0) if path.suffix == ".gz" else out.getvalue())
    return path


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("name", ["efficientnet-b0.tar.gz", "efficientnet-b0.tar", "weights.gz"])
@pytest.mark.parametrize("shards", [1, 2])
def test_an_archive_as_published_is_read(tmp_path: Path, name: str, shards: int) -> None:
    path = archived(bundle(trained(), shards).write(tmp_path / "b0"), tmp_path / name)
    assert is_bundle(path)
    assert same(read_bundle(path), model(trained()))


def test_nothing_of_an_archive_is_written_elsewhere_or_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hostile(tar: tarfile.TarFile) -> None:
        _add(tar, "../../outside.index", b"x")
        _add(tar, "/outside.data-00000-of-00001", b"x")
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"link{kind!r}.index")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)

    path = archived(bundle(trained()).write(tmp_path / "b0"), tmp_path / "b0.tar.gz", hostile)
    (tmp_path / "room").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "room"))
    assert same(read_bundle(path), model(trained()))  # which of two indexes, the file checkpoint says
    assert not list((tmp_path / "room").iterdir())
    assert {each.name for each in tmp_path.iterdir()} == {"b0", "b0.tar.gz", "room"}


def test_an_archive_that_grows_without_end_is_stopped(tmp_path: Path) -> None:
    zeros = tarfile.TarInfo("model.ckpt.index")
    zeros.size = 1 << 33
    with gzip.open(tmp_path / "bomb.tar.gz", "wb") as file:
        file.write(zeros.tobuf())
        for _ in range(64):
            file.write(bytes(1 << 20))
    expected = "it unpacks to more than 20 times its size; unpack it, and give the folder"
    assert line(tmp_path / "bomb.tar.gz") == expected


def test_archives_that_are_damaged_or_doubtful_are_one_line(tmp_path: Path) -> None:
    prefix = bundle(trained()).write(tmp_path / "b0")
    path = archived(prefix, tmp_path / "b0.tar.gz")
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert line(path) == "it is truncated or damaged; download it again"
    path.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    assert line(path) == "it is truncated or damaged; download it again"
    twice = archived(prefix, tmp_path / "two.tar", lambda tar: _add(tar, "other/model.ckpt-7.index", b"x"))
    assert line(twice) == "it holds two files 'model.ckpt-7.index'; unpack it, and give a folder"
    unsafe = archived(prefix, tmp_path / "size.tar").read_bytes()
    header = bytearray(unsafe[:512])
    header[124:136] = b"-0000000777\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    (tmp_path / "size.tar").write_bytes(bytes(header) + unsafe[512:])
    assert not is_bundle(tmp_path / "size.tar")


def test_an_open_one_reads_what_is_taken_from_it_and_nothing_else(tmp_path: Path) -> None:
    prefix = bundle(trained(), shards=16).write(tmp_path / "b0")
    path = archived(prefix, tmp_path / "b0.tar.gz")
    with open_bundle(prefix) as opened:
        for each in prefix.parent.glob("*.data-*"):
            each.write_bytes(b"")
        assert list(opened.tensors) == sorted(model(trained()))
        with pytest.raises(CheckpointError, match=r"model.ckpt-7: model.ckpt-7.data-.* is truncated"):
            opened.tensors[DENSE]
        with pytest.raises(KeyError):
            opened.tensors["another"]
    with open_bundle(path) as opened:
        assert np.array_equal(opened.tensors[DENSE], trained()[f"{DENSE}{AVERAGE}"])


def test_the_code_on_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archived(bundle(trained()).write(tmp_path / "b0"), tmp_path / "efficientnet-b0.tar.gz")
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parent.parent / "docs/tensorflow.md").read_text()
    [code] = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    exec(code, {})
    printed = capsys.readouterr().out
    assert printed.startswith('6 ("read model.ckpt-7, which the file ')
    assert printed.endswith("\n(3, 3, 3, 8)\n")


def test_reading_loads_no_torch_until_tensors_are_asked_for(tmp_path: Path) -> None:
    prefix = bundle(trained()).write(tmp_path)
    code = (
        "import sys; from compoundnet.weights.bundle import read_bundle; "
        f"assert len(read_bundle({str(prefix)!r}).tensors) == 6; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
