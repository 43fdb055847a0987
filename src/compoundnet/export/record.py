"""Record: the JSON inside every artefact. It says what the file is and holds what ``verify`` needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from compoundnet.operators import OPERATORS
from compoundnet.preprocess import Preprocess
from compoundnet.schema import FieldError, decode, encode, require, require_version
from compoundnet.weights.records import Weights

from .seal import BLANK

RECORD_VERSION = 1
KEY = "compoundnet.export"  # the record's name in each format's own metadata

FormatName: TypeAlias = Literal["onnx", "openvino", "torch-export", "safetensors"]
Dynamic: TypeAlias = Literal["batch", "size"]


class ArtefactError(ValueError):
    """A file that is no artefact, is damaged, or cannot be made: one line, with the remedy."""


class ProofError(ArtefactError):
    """An artefact that does not answer as its model does."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked of an export.

    ``include_preprocess``: the graph takes RGB pictures as uint8 (N, H, W, 3) of any size and does
    the resizing, cropping and normalising. ``dynamic`` "batch" takes any number of images, "size"
    any height and width too; None one image of one size. ``cam``: a second output, class activation
    maps (N, classes, h, w).
    """

    format: FormatName
    include_preprocess: bool = False
    dynamic: Dynamic | None = None
    cam: bool = False


@dataclass(frozen=True, kw_only=True)
class Int8:
    """What an int8 artefact was measured to be, against float on the same ``engine``, when it was made.

    ``float_top1``, ``int8_top1`` (percent) and ``drop`` (points) are of ``held_out`` labelled pictures;
    ``speedup`` is float's time over int8's on ``threads`` threads of ``cpu``. ``float_blocks`` stayed
    float, as did what ``float_kinds`` names in all blocks.
    """

    engine: str
    held_out: int
    float_top1: float
    int8_top1: float
    drop: float
    speedup: float
    threads: int
    cpu: str
    float_blocks: tuple[str, ...] = ()
    float_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case:
    """Golden images and the answer to them: seeded pictures, or one photograph named by file and hash.

    ``logits`` (batch, classes) and ``maps`` (batch, h, w; the top class's activation map, "" without
    ``cam``) are float32 in base64, as the PyTorch model gave them, or an int8 artefact itself.
    """

    batch: int
    height: int
    width: int
    seed: int = 0
    photo: str = ""
    photo_sha256: str = ""
    logits: str = ""
    maps: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What an artefact is: its weights (as ``Weights.to_dict`` gives them), its options, its golden answers.

    ``tensors_sha256`` identifies the tensors by name and value, whichever file they came from.
    ``weights`` stays plain JSON, so that a network of unknown operators can still be verified.
    ``int8`` is None for a float artefact.
    """

    options: Options
    weights: Mapping[str, Any]
    tensors_sha256: str
    random_weights: bool
    cases: tuple[Case, ...]
    compoundnet: str
    int8: Int8 | None = None

    @property
    def preprocess(self) -> Preprocess:
        """How the artefact's images are made; raises FieldError when the record is malformed."""
        return decode(Preprocess, self.weights.get("preprocess"))

    def read_weights(self, operators: Mapping[str, type] = OPERATORS) -> Weights:
        """The full record of the weights, network and class names included."""
        return Weights.from_dict(self.weights, operators)

    def to_json(self) -> str:
        """ASCII JSON, with room for the file's seal."""
        weights = {"weights": self.weights}
        return json.dumps({"version": RECORD_VERSION, "seal": BLANK, **encode(self), **weights})

    @staticmethod
    def from_json(text: str) -> "Record":
        """The record that ``to_json`` wrote. Raises FieldError with the path to what does not fit."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FieldError("", f"the record is no JSON ({error})") from None
        require(isinstance(data, dict), "", "the record is no JSON object")
        require_version(data.pop("version", None), RECORD_VERSION)
        data.pop("seal", None)
        return decode(Record, data)
