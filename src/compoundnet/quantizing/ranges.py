"""Ranges: the least and greatest value of every tensor on the calibration pictures, collected once."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from compoundnet.preprocess import Preprocess

from .data import Pictures
from .judging import images

if TYPE_CHECKING:
    import onnx
    from onnxruntime.quantization import TensorData

    Ranges: TypeAlias = Mapping[str, "TensorData"]


def collect(
    proto: "onnx.ModelProto",
    pictures: Pictures,
    preprocess: Preprocess,
    on_done: Callable[[int, int], None],
) -> "Ranges":
    """The least and greatest value over all pictures, by ONNX Runtime's calibrator, on the float graph."""
    import onnx
    from onnxruntime.quantization import create_calibrator

    with tempfile.TemporaryDirectory(prefix="compoundnet-") as folder:
        path = Path(folder) / "float.onnx"
        onnx.save(proto, path)
        calibrator = create_calibrator(path, None, str(Path(folder) / "watched.onnx"))
        assert calibrator is not None
        calibrator.collect_data(_Reader(proto.graph.input[0].name, _shown(pictures, preprocess, on_done)))
        return dict(calibrator.compute_data().items())


class _Reader:
    """What the calibrators read from: one picture a call, then None."""

    def __init__(self, name: str, shown: Iterator[Any]) -> None:
        self.name = name
        self.shown = shown

    def get_next(self) -> dict[str, Any] | None:
        picture = next(self.shown, None)
        return None if picture is None else {self.name: picture}


def _shown(pictures: Pictures, preprocess: Preprocess, on_done: Callable[[int, int], None]) -> Iterator[Any]:
    for index in range(len(pictures)):
        on_done(index + 1, len(pictures))
        yield images(pictures, index, preprocess)
