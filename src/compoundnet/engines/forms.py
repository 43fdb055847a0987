"""The forms of one model that engines start from, each made when first asked for."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import torch

from compoundnet.modules import ConvNet

from .folding import folded
from .setting import Setting


class Forms:
    """One model for images of one ``shape`` (N, C, H, W): folded, exported, as ONNX; engines share them."""

    def __init__(self, model: ConvNet, shape: tuple[int, int, int, int]) -> None:
        self.shape = shape
        self._model = model

    @cached_property
    def folded(self) -> ConvNet:
        """The model on the CPU in float32, its norms folded."""
        return folded(self._model).to("cpu", torch.float32)

    @cached_property
    def images(self) -> torch.Tensor:
        """Random images of the shape, the same each time."""
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(0))

    @cached_property
    def program(self) -> "torch.export.ExportedProgram":
        """torch.export's graph of the folded model, for exactly this shape."""
        return torch.export.export(self.folded, (self.images,))

    @cached_property
    def onnx(self) -> bytes:
        """An ONNX model of the same graph: input ``images``, output ``logits``."""
        with tempfile.TemporaryDirectory(prefix="compoundnet-") as folder, quiet():
            path = Path(folder) / "folded.onnx"
            named = {"input_names": ["images"], "output_names": ["logits"]}
            torch.onnx.export(self.program, f=str(path), dynamo=True, verbose=False, external_data=False, **named)
            return path.read_bytes()


def to_onnx(model: ConvNet, setting: Setting, path: str | Path) -> None:
    """Write the folded model as ONNX for images of exactly the setting's shape, whole or not at all."""
    beside = Path(path).with_name(f".{Path(path).name}.part")
    try:
        beside.write_bytes(Forms(model, setting.shape(model.network)).onnx)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Exporters and compilers warn of their own insides; nobody who calls them can act on it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
