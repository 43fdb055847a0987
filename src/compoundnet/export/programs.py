"""torch.export: a .pt2 archive that runs where PyTorch is; checked before PyTorch may read it."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.modules import SameConv2d, SameMaxPool2d

from .graph import Answering, Preparing
from .onnx import program
from .record import KEY, ArtefactError, Record
from .seal import BLANK, sealed

if TYPE_CHECKING:
    import torch

    from compoundnet.modules import ConvNet

    from .proof import Run

_ENTRY = f"extra/{KEY}.json"
_MOST_TEXT = 16 << 20  # bytes of a record; one with 21,841 class names has 2 MB
_MOST_GROWTH = 4  # bytes unpacked for each of the archive; PyTorch packs none, and numbers hardly pack
_SPARE = 1 << 20  # bytes more, for small files
# torch.export.load unpickles some entries and evaluates expressions. A file of ours has neither
# pickled tensors nor objects, and its expressions are arithmetic on sizes.
_PLAIN_ENTRY = re.compile(
    r"[^/]+/(data/(weights|constants)/((weight|tensor)_\d+|\w+_config\.json)|data/sample_inputs/\w+\.pt"
    r"|models/\w+\.json|archive_(format|version)|byteorder|\.data/(version|serialization_id)|extra/[\w.]+)"
)
_SYMBOL = re.compile(r"(Symbol|Float)\('[\w.]+'(, \w+=\w+)*\)")
_PLAIN_EXPRESSION = re.compile(r"(?!.*__)[\w\s()+*/,<>=-]*(\d\.\d+[\w\s()+*/,<>=-]*)*")
_PLAIN_TARGET = re.compile(r"(torch\.ops\.aten\.\w+\.\w+|_operator\.\w+|math\.\w+|torch\.sym_\w+)")


def write(model: "ConvNet", record: Record, path: Path) -> None:
    """Write the exported program, then its record and seal into the same archive."""
    import torch

    from compoundnet.engines.forms import quiet

    with quiet():
        torch.export.save(_traced(model, record), path)
    text = record.to_json()
    seal = sealed([*_entries(path), text.encode()]).decode()
    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].split("/")[0]
        archive.writestr(f"{root}/{_ENTRY}", text.replace(BLANK, seal))


def _traced(model: "ConvNet", record: Record) -> "torch.export.ExportedProgram":
    import torch

    options, size = record.options, record.preprocess.size
    network = Answering(model, options.cam)
    any_size = torch.export.Dim.DYNAMIC
    batch = {0: torch.export.Dim("batch", min=1, max=1 << 16)} if options.dynamic else {}
    if options.include_preprocess:
        pictures = torch.zeros(2 if batch else 1, 300, 401, 3, dtype=torch.uint8)
        both = torch.nn.Sequential(Preparing(record.preprocess), network)
        return torch.export.export(both, (pictures,), dynamic_shapes=({**batch, 1: any_size, 2: any_size},))
    if options.dynamic == "size":
        if any(isinstance(module, SameConv2d | SameMaxPool2d) for module in model.modules()):
            # torch can trace it, but opening a B0 so traced takes most of a minute: the pads depend on every side.
            problem = "padding 'same' depends on every side, and torch.export takes minutes over that"
            raise ArtefactError(f"torch-export with --dynamic size: {problem}; choose onnx, or --dynamic batch")
        images = torch.zeros(2, 3, *size)
        return torch.export.export(network, (images,), dynamic_shapes=({**batch, 2: any_size, 3: any_size},))
    return program(network, options, size)


def _entries(path: Path) -> list[bytes]:
    """Every entry's name and bytes, the record last; a damaged archive raises BadZipFile."""
    with zipfile.ZipFile(path) as archive:
        _check_growth(archive, path)
        names = sorted(archive.namelist(), key=lambda name: (name.endswith(_ENTRY), name))
        return [part for name in names for part in _named(name, archive.read(name))]


def _check_growth(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise ArtefactError for entries that claim far more than the archive has; none unpacks to more than it claims."""
    size, claimed = path.stat().st_size, sum(entry.file_size for entry in archive.infolist())
    if claimed > _MOST_GROWTH * size + _SPARE:
        raise ArtefactError(
            f"its {size:,} bytes claim to unpack to {claimed:,}, more than {_MOST_GROWTH} times as many; "
            "torch.export packs nothing, so export the model again"
        )


def _named(name: str, data: bytes) -> list[bytes]:
    return [data] if name.endswith(_ENTRY) else [name.encode(), data]


def contents(path: Path) -> list[bytes]:
    """What the seal covers: every entry of the archive."""
    try:
        return _entries(path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ArtefactError(f"damaged or cut off ({error}); copy it again, or export the model again") from None


def read_record(path: Path) -> str:
    """The record's JSON text. Raises ArtefactError for a program that something else exported."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(_ENTRY)]
        if len(names) != 1:
            raise ArtefactError("a program without a record of ours; export it with: compoundnet export")
        with archive.open(names[0]) as entry:  # which may unpack to more than any memory has
            text = entry.read(_MOST_TEXT + 1)
        if len(text) > _MOST_TEXT:
            raise ArtefactError(f"its record has more than {_MOST_TEXT:,} bytes; it is none of ours")
        return text.decode()


def runner(path: Path, record: Record) -> "Run":
    """Run the program with PyTorch on the CPU. Raises ArtefactError for an archive that could run code."""
    import torch

    from compoundnet.engines.forms import quiet

    _refuse_code(path)
    with quiet():
        module = torch.export.load(path).module()

    def run(images: Any) -> list[Any]:
        with torch.inference_mode():
            outputs = module(torch.tensor(images))
        return [output.numpy() for output in (outputs if record.options.cam else (outputs,))]

    return run


def _refuse_code(path: Path) -> None:
    """Let through only what an export of ours holds; everything else could make PyTorch run code."""
    import torch

    with zipfile.ZipFile(path) as archive:
        _check_growth(archive, path)
        for name in archive.namelist():
            data = archive.read(name)
            held = "" if _PLAIN_ENTRY.fullmatch(name) else name
            if "/data/sample_inputs/" in name:
                torch.load(io.BytesIO(data), weights_only=True)  # as torch would, but with no second try
            elif name.endswith(".json") and not name.endswith(_ENTRY):
                held = held or _suspect(json.loads(data))
            if held:
                raise ArtefactError(
                    f"refused, because it holds {held!r:.80} and could run code; export it again yourself"
                )


def _suspect(data: Any) -> str:
    """The first value in a JSON tree that no export of ours has; "" when there is none."""
    if isinstance(data, list):
        return next(filter(None, map(_suspect, data)), "")
    if not isinstance(data, dict):
        return ""
    for key, value in data.items():
        if key == "use_pickle" and value:
            return "pickled tensors"
        if key == "expr_str" and not _PLAIN_EXPRESSION.fullmatch(_SYMBOL.sub("s", str(value))):
            return str(value)
        if key == "target" and isinstance(value, str) and "torch" in value and not _PLAIN_TARGET.fullmatch(value):
            return value
        if found := _suspect(value):
            return found
    return ""
