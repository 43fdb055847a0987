"""The commands on artefacts: export and verify."""

import sys
from typing import TYPE_CHECKING, Literal

from .loading import loaded
from .output import write, write_json
from .sources import read

if TYPE_CHECKING:
    from compoundnet.export import Exported
    from compoundnet.weights import Pretrained


def export(
    weights: str,
    out: str,
    format: Literal["onnx", "openvino", "torch-export", "safetensors"] | None = None,
    include_preprocess: bool = False,
    dynamic: Literal["batch", "size"] | None = None,
    cam: bool = False,
    random_weights: bool = False,
    json: bool = False,
) -> int:
    """Write a model as one file that carries its record, if it answers as the model does.

    Args:
        out: the file to write: .onnx, .xml (OpenVINO, with a .bin beside it), .pt2 (torch.export) or .safetensors
        format: onnx, openvino, torch-export or safetensors; default: what the suffix of --out says
        dynamic: take any number of images (batch), or any number of any height and width (size)
    """
    from compoundnet.export import ProofError
    from compoundnet.export import export as export_model

    pretrained = _model(weights, random_weights)
    try:
        done = export_model(
            pretrained, out, format=format, include_preprocess=include_preprocess, dynamic=dynamic, cam=cam
        )
    except ProofError as error:
        return _failed(error)
    _report(done, "Written to", json)
    return 0


def verify(artefact: str, json: bool = False) -> int:
    """Check an exported model anywhere: its seal, and its answers to the golden images it carries."""
    from compoundnet.export import ArtefactError
    from compoundnet.export import verify as verify_artefact

    try:
        done = verify_artefact(artefact)
    except ArtefactError as error:
        return _failed(error)
    _report(done, "Verified:", json)
    return 0


def _model(weights: str, random: bool) -> "Pretrained":
    if random:
        from compoundnet.export import random_weights

        source = read(weights)
        return random_weights(source.network, source.name)
    return loaded(weights)


def _report(done: "Exported", deed: str, json: bool) -> None:
    from compoundnet.schema import encode

    record, proof = done.record, done.proof
    if json:
        shown = {"options": encode(record.options), "weights": record.weights, "random_weights": record.random_weights}
        shown["int8"] = encode(record.int8)
        hashed = {"tensors_sha256": record.tensors_sha256, "compoundnet": record.compoundnet}
        write_json({"path": str(done.path), **shown, **hashed, "proof": encode(proof)})
        return
    licence = record.weights.get("licence") or "no licence stated"
    trained = "random weights, of no use but for tests" if record.random_weights else licence
    write(f"{record.weights.get('name')} ({trained}), {proof}")
    if (int8 := record.int8) is not None:
        measured = f"top-1 {int8.int8_top1:.2f} % against {int8.float_top1:.2f} % on {int8.held_out} pictures"
        write(f"int8 for {int8.engine}: {measured}, {int8.speedup:.2f} times as fast as float on {int8.cpu}")
    if proof.skipped:
        write(f"Not installed here, so not asked: {', '.join(proof.skipped)}")
    write(f"{deed} {done.path}")


def _failed(error: Exception) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"compoundnet: error: {' '.join(str(error).split())}\n")
    return 1
