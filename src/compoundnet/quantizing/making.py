"""quantize(): a model to an int8 artefact that passed both gates, or to a report that says why not."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from compoundnet.engines.choice import cpu
from compoundnet.engines.openvino_core import openvino_core
from compoundnet.export import onnx as onnx_format
from compoundnet.export import openvino as openvino_format
from compoundnet.export.exporting import Exported, place, record_of, require_exportable, require_place
from compoundnet.export.formats import FORMATS, require_installed
from compoundnet.export.proof import answered_by
from compoundnet.export.record import ArtefactError, FormatName, Int8, Options, Record
from compoundnet.schema import require_choice, require_count, require_number

from . import data as reading
from .findings import Findings, find
from .parts import EngineName
from .report import Report
from .study import Asked, Watch, study, timed

if TYPE_CHECKING:
    import onnx

    from compoundnet.weights import Pretrained

FORMAT_OF: Mapping[EngineName, FormatName] = MappingProxyType({"onnxruntime": "onnx", "openvino": "openvino"})
REPORT_SUFFIX = ".report.json"


class GateError(ArtefactError):
    """A gate did not hold, so no artefact was written; ``report`` says what was found, and lies at ``path``."""

    def __init__(self, problem: str, report: Report, path: Path) -> None:
        super().__init__(problem)
        self.report = report
        self.path = path


@dataclass(frozen=True)
class Quantized:
    """An int8 artefact with its record and proof, and the report that was written to ``report_path``."""

    exported: Exported
    report: Report
    report_path: Path


@contextmanager
def _unwatched(things: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda done, total: None


def quantize(
    pretrained: "Pretrained",
    data: str | Path,
    out: str | Path,
    *,
    engine: EngineName = "onnxruntime",
    max_drop: float = 1.0,
    min_speedup: float = 1.0,
    threads: int = 1,
    seed: int = 0,
    report: str | Path | None = None,
    watch: Watch = _unwatched,
) -> Quantized:
    """Write a model as int8 for one engine, if it is nearly as right as float and as fast as asked.

    ``data`` is a folder with one sub-folder of pictures a class, named by class name or index. A third of
    them (at most 128) calibrate; on the others, held out, top-1 may drop by ``max_drop`` points, and one
    picture at a time on ``threads`` threads has to be ``min_speedup`` times as fast as float. Static, per
    channel, QDQ. Blocks stay float, the most sensitive first, until the drop is small enough;
    activations and squeeze-and-excitation unless they are shown to be harmless and faster.

    ``out`` ends in .onnx for onnxruntime, in .xml for openvino. The report is written always, to ``report``
    or beside ``out``: also when an artefact that passed the gates cannot be written, whose error is raised
    then (ProofError, OSError). Raises GateError when a gate does not hold, and ValueError, one line, for a
    folder or a file that cannot be used.
    """
    target = Path(out)
    report_path = target.with_suffix(REPORT_SUFFIX) if report is None else Path(report)
    asked = Asked(engine=engine, max_drop=max_drop, min_speedup=min_speedup, threads=threads, seed=seed)
    _require(asked, pretrained, target, report_path)
    seconds: dict[str, float] = {}
    with timed(seconds, "reading"), watch("pictures") as on_done:
        pictures = reading.read(data, pretrained.weights, seed, on_done)
    found = find(study(pretrained, pictures, asked, seconds, watch), seconds, watch)
    if found.failed:
        told = found.report(str(data), written=None)
        told.write(report_path)
        problem = "; ".join(found.failed)
        raise GateError(f"{target}: not written: {problem}; the report is {report_path}", told, report_path)
    try:
        exported = _written(pretrained, found, target)
    except Exception as error:
        _tell(found, str(data), report_path, error)
        raise
    told = found.report(str(data), written=str(target))
    told.write(report_path)
    return Quantized(exported, told, report_path)


def _tell(found: Findings, folder: str, report_path: Path, error: Exception) -> None:
    """Write what was found although ``error`` kept the artefact from being written."""
    why = " ".join(str(error).split()) or type(error).__name__
    told = found.report(folder, written=None, problem=f"both gates held, but the artefact cannot be written: {why}")
    with suppress(OSError):  # on a full disk, ``error`` is what to tell
        told.write(report_path)


def _require(asked: Asked, pretrained: "Pretrained", target: Path, report_path: Path) -> None:
    require_choice(asked.engine, tuple(FORMAT_OF), "engine")
    require_number(asked.max_drop, "max_drop", "a number of points from 0 to 100", least=0, most=100)
    require_number(asked.min_speedup, "min_speedup", "a factor of at least 0", least=0)
    require_count(asked.threads, "threads")
    chosen = FORMATS[FORMAT_OF[asked.engine]]
    if target.suffix != chosen.suffix:
        raise ArtefactError(f"{target}: a file for {asked.engine} ends in {chosen.suffix}")
    for needed in (FORMATS["onnx"], chosen):  # ONNX Runtime's quantizer makes the graphs of both
        require_installed(needed, needed.writes)
    for path in (*chosen.files(target), report_path):
        require_place(path)
    if report_path in chosen.files(target):
        raise ArtefactError(f"{report_path}: the report cannot stand where the artefact does; name another file")
    require_exportable(pretrained.model)


def _written(pretrained: "Pretrained", found: Findings, target: Path) -> Exported:
    """The artefact, with golden answers of its own."""
    options = Options(format=FORMATS[FORMAT_OF[found.study.asked.engine]].name)
    preprocess, trained = pretrained.weights.preprocess, not found.random
    cases = answered_by(lambda images: [found.chosen.trial.run(images)], preprocess, options, photos=trained)
    record = record_of(pretrained, options, cases, _int8(found))
    proto = found.graph()
    return place(target, record, lambda made: _save(proto, record, made))


def _save(proto: "onnx.ModelProto", record: Record, path: Path) -> None:
    if record.options.format == "onnx":
        onnx_format.save(proto, record, path)
        return
    openvino_format.save(openvino_core().read_model(proto.SerializeToString()), record, path)


def _int8(found: Findings) -> Int8:
    asked, chosen = found.study.asked, found.chosen
    ours, theirs = found.contenders["int8"], found.contenders["float"]
    return Int8(
        engine=asked.engine,
        held_out=len(found.study.data.held_out),
        float_top1=theirs.top1,
        int8_top1=ours.top1,
        drop=ours.drop["points"],
        speedup=ours.speedup,
        threads=asked.threads,
        cpu=cpu(),
        float_blocks=tuple(chosen.reasons),
        float_kinds=tuple(extra.kind for extra in chosen.extras if not extra.kept),
    )
