"""export() and verify(): an artefact is written only if it answers as the model does, and can show it again."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from compoundnet.preprocess import Preprocess, released_crop
from compoundnet.weights.hashing import tensors_sha256

from . import seal
from .formats import FORMATS, by_suffix, require_installed, require_possible
from .proof import Proof, answered, prove
from .record import ArtefactError, Case, Dynamic, FormatName, Int8, Options, ProofError, Record

if TYPE_CHECKING:
    from compoundnet.modules import ConvNet
    from compoundnet.network import Network
    from compoundnet.weights import Pretrained

    from .proof import Run

T = TypeVar("T")
RANDOM = "random weights"
# Between what the numbers of a norm are drawn, and the pixels of the pictures that its statistics are taken from:
# on fewer pixels, deep networks become chaotic and float32 rounding is all that is left of the answer.
_NORMS = {"weight": (0.7, 1.3), "bias": (-0.3, 0.3)}
_SETTLING = 128


@dataclass(frozen=True)
class Exported:
    """An artefact: its path, the record inside it, and the proof that was just made."""

    path: Path
    record: Record
    proof: Proof


def export(
    pretrained: "Pretrained",
    path: str | Path,
    *,
    format: FormatName | None = None,
    include_preprocess: bool = False,
    dynamic: Dynamic | None = None,
    cam: bool = False,
) -> Exported:
    """Write a model as one artefact (OpenVINO: two files) that carries its record, if the proof holds.

    ``format`` follows from the suffix: .onnx, .xml (OpenVINO), .pt2 (torch.export) or .safetensors.
    The other options are those of ``Options``. The artefact is made beside its place, opened by its
    own engine, and asked about golden images; it takes its place only when every answer is within
    the tolerance (``proof.TOLERANCE`` of the largest logit), else ProofError is raised and nothing
    is left. Raises ArtefactError, one line, for what cannot be exported or written.
    """
    target = Path(path)
    chosen = by_suffix(target)
    if format is not None and format != chosen.name:
        raise ArtefactError(f"{target}: a file of format {format} ends in {FORMATS[format].suffix}")
    options = Options(format=chosen.name, include_preprocess=include_preprocess, dynamic=dynamic, cam=cam)
    require_possible(chosen, options)
    require_installed(chosen, chosen.writes)
    require_place(target)
    require_exportable(pretrained.model)
    record = record_of(pretrained, options)
    return place(target, record, lambda made: chosen.write(pretrained.model, record, made))


def place(target: Path, record: Record, write: Callable[[Path], None]) -> Exported:
    """Let ``write`` make an artefact beside its place, prove it, and move it there; as ``export`` says."""
    chosen = FORMATS[record.options.format]
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        made = Path(folder) / target.name
        write(made)
        if chosen.seals:
            seal.close(chosen.files(made))
        proof = _tried(target, lambda: prove(record, chosen.runner(made, record)))
        if not proof.holds:
            raise ProofError(f"{target}: not written, because it does not answer as its model does ({proof})")
        for part, final in reversed(list(zip(chosen.files(made), chosen.files(target), strict=True))):
            part.replace(final)
    return Exported(target, record, proof)


def verify(path: str | Path) -> Exported:
    """Open an artefact anywhere, check its seal, and repeat its proof.

    ONNX and OpenVINO are run by their own engines, without the model in PyTorch.
    Raises ArtefactError, one line, for a file that is absent, damaged or not ours, and ProofError
    for one whose answers are not the recorded ones.
    """
    path = Path(path)
    record, run = opened(path)
    proof = _tried(path, lambda: prove(record, run))
    if not proof.holds:
        raise ProofError(f"{path}: it does not answer as its model did ({proof}); export the model again")
    return Exported(path, record, proof)


def opened(path: str | Path) -> "tuple[Record, Run]":
    """An artefact's record and the call of its own engine, after a check of its seal: images to its outputs.

    Raises ArtefactError, one line, for a file that is absent, damaged or not ours.
    """
    path = Path(path)
    chosen = by_suffix(path)
    for part in chosen.files(path):
        if not part.is_file():
            raise ArtefactError(f"{part}: there is no such file; name an exported model")
    require_installed(chosen, chosen.runs)
    if problem := seal.problem(_tried(path, lambda: chosen.contents(path))):
        raise ArtefactError(f"{path}: {problem}")
    record = _tried(path, lambda: Record.from_json(chosen.read_record(path)))
    return record, _tried(path, lambda: chosen.runner(path, record))


def recorded(path: str | Path) -> Record:
    """The record inside an artefact, which is neither run nor checked. Raises ArtefactError, one line, without one."""
    path = Path(path)
    chosen = by_suffix(path)
    if not path.is_file():
        raise ArtefactError(f"{path}: there is no such file; name an exported model")
    require_installed(chosen, chosen.runs)
    return _tried(path, lambda: Record.from_json(chosen.read_record(path)))


def random_weights(network: "Network", name: str = "", seed: int = 0) -> "Pretrained":
    """A model whose weights nobody trained, for exports and tables that need none: drawn from ``seed``.

    Its norms are drawn too and take their statistics from golden pictures: no layer is trivial, and
    the answer depends on the picture at any depth. The record says that the weights are random.
    """
    import torch

    from compoundnet.building import build
    from compoundnet.weights import Pretrained, Weights
    from compoundnet.weights.matching import LoadReport

    from . import golden

    generator = torch.Generator().manual_seed(seed)
    model = build(network, norm_momentum=1.0, generator=generator)
    side = network.resolution
    preprocess = Preprocess(size=(side, side), crop=released_crop(side))
    with torch.no_grad():
        for name_of, tensor in model.state_dict().items():
            if (leaf := name_of.rpartition("norm.")[2]) in _NORMS:
                tensor.uniform_(*_NORMS[leaf], generator=generator)
        require_exportable(model)
        settling = golden.varied(seed, max(_SETTLING, network.total_stride))
        model.train()(torch.from_numpy(golden.normalised(settling, preprocess)))
    source = f"{RANDOM}, seed {seed}"
    weights = Weights(name=name or "network", network=network, preprocess=preprocess, source=source)
    return Pretrained(model.eval(), weights, LoadReport(0, "compoundnet", assumed=("the weights are random",)))


def record_of(
    pretrained: "Pretrained", options: Options, cases: tuple[Case, ...] | None = None, int8: Int8 | None = None
) -> Record:
    """The record of an artefact; golden answers are the model's, or those given."""
    import compoundnet

    weights = replace(pretrained.weights, metrics=dict(pretrained.weights.metrics))
    if cases is None:
        photos = not is_random(pretrained)
        cases = answered(pretrained.model.eval(), weights.preprocess, options, photos=photos)
    return Record(
        options=options,
        weights=weights.to_dict(),
        tensors_sha256=tensors_sha256(pretrained.model),
        random_weights=is_random(pretrained),
        cases=cases,
        compoundnet=compoundnet.__version__,
        int8=int8,
    )


def is_random(pretrained: "Pretrained") -> bool:
    """Whether nobody trained the weights."""
    return pretrained.weights.source.startswith(RANDOM)


def _tried(path: Path, call: Callable[[], T]) -> T:
    """Whatever an engine or parser says about a broken file, as one line."""
    try:
        return call()
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from None
    except Exception as error:  # engines raise what they like
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise ArtefactError(f"{path}: cannot be read or run ({detail}); export the model again") from None


def require_place(target: Path) -> None:
    """Raise ArtefactError where no file can be written."""
    if not target.parent.is_dir():
        raise ArtefactError(f"{target}: the folder {target.parent} does not exist; create it first")
    if target.is_dir():
        raise ArtefactError(f"{target}: a folder; name a file to write")
    try:
        tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        problem = f"nothing can be written to the folder {target.parent} ({error.strerror})"
        raise ArtefactError(f"{target}: {problem}; choose another place") from None


def require_exportable(model: "ConvNet") -> None:
    """Raise ArtefactError for a network that takes other pictures than RGB."""
    channels = model.network.in_channels
    if channels != 3:
        raise ArtefactError(f"the network takes {channels} channels; exports are proved on RGB pictures, which have 3")
