"""The formats as a table: suffix, what must be installed, and how each is written, read and run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from . import onnx, openvino, programs, tensors
from .record import ArtefactError, FormatName, Options, Record

if TYPE_CHECKING:
    from compoundnet.modules import ConvNet

    from .proof import Run


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one format is written, read and run.

    ``writes`` and ``runs`` are the packages that writing and verifying need, ``extra`` brings them.
    ``seals`` says whether the file is to be sealed after writing; a .pt2 archive seals itself.
    """

    name: FormatName
    suffix: str
    write: "Callable[[ConvNet, Record, Path], None]"
    contents: Callable[[Path], list[bytes]]
    read_record: Callable[[Path], str]
    runner: "Callable[[Path, Record], Run]"
    files: Callable[[Path], tuple[Path, ...]] = lambda path: (path,)
    writes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    extra: str = "export"
    seals: bool = True
    graph: bool = True


_ONNX = Format(
    name="onnx",
    suffix=".onnx",
    write=onnx.write,
    contents=onnx.contents,
    read_record=onnx.read_record,
    runner=onnx.runner,
    writes=("onnx", "onnxscript", "onnxruntime"),
    runs=("onnx", "onnxruntime"),
)
_OPENVINO = Format(
    name="openvino",
    suffix=".xml",
    write=openvino.write,
    contents=openvino.contents,
    read_record=openvino.read_record,
    runner=openvino.runner,
    files=lambda path: (path, openvino.weights_file(path)),
    writes=("openvino", "onnx", "onnxscript"),
    runs=("openvino",),
    extra="export,openvino",
)
_PROGRAM = Format(
    name="torch-export",
    suffix=".pt2",
    write=programs.write,
    contents=programs.contents,
    read_record=programs.read_record,
    runner=programs.runner,
    seals=False,
)
_TENSORS = Format(
    name="safetensors",
    suffix=".safetensors",
    write=tensors.write,
    contents=tensors.contents,
    read_record=tensors.read_record,
    runner=tensors.runner,
    graph=False,
)
FORMATS: Mapping[str, Format] = MappingProxyType({f.name: f for f in (_ONNX, _OPENVINO, _PROGRAM, _TENSORS)})


def by_suffix(path: Path) -> Format:
    """The format of a file. Raises ArtefactError for a suffix that none has."""
    for known in FORMATS.values():
        if path.suffix == known.suffix:
            return known
    suffixes = ", ".join(f"{known.suffix} ({known.name})" for known in FORMATS.values())
    raise ArtefactError(f"{path}: {path.suffix or 'no suffix'} is not one of {suffixes}")


def require_installed(chosen: Format, modules: tuple[str, ...]) -> None:
    """Raise ArtefactError with the pip command when a package is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        remedy = f"install it with: pip install 'compoundnet[{chosen.extra}]'"
        raise ArtefactError(f"format {chosen.name} needs {' and '.join(missing)}, not installed; {remedy}")


def require_possible(chosen: Format, options: Options) -> None:
    """Raise ArtefactError for options that do not go together: which, why, and what to do."""
    asked = {"--include-preprocess": options.include_preprocess, "--dynamic": options.dynamic, "--cam": options.cam}
    given = [option for option, value in asked.items() if value]
    if given and not chosen.graph:
        others = ", ".join(known.name for known in FORMATS.values() if known.graph)
        raise ArtefactError(f"{given[0]} with {chosen.name}: it holds tensors and no graph; choose {others}")
    if options.include_preprocess and options.dynamic == "size":
        problem = "pictures of any size are resized to the network's own size already"
        raise ArtefactError(f"--include-preprocess with --dynamic size: {problem}; choose --dynamic batch")
