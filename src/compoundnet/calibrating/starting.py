"""A sample made ready on an engine, quickly: hundreds of them are."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import torch

from compoundnet.building import build
from compoundnet.engines.direct import Direct
from compoundnet.engines.forms import Forms
from compoundnet.engines.openvino_core import openvino_core
from compoundnet.engines.pytorch import Runner, channels_last
from compoundnet.engines.runtimes import onnxruntime, openvino_on
from compoundnet.engines.table import ENGINES, known, lacking
from compoundnet.network import Network
from compoundnet.schema import near

Call: TypeAlias = Callable[[], object]


def _openvino(forms: Forms, threads: int) -> Runner:
    return openvino_on(openvino_core().read_model(forms.onnx), threads)


# As the engines start, without torch.export, which takes seconds for each network.
STARTS: Mapping[str, Callable[[Forms, int], Runner]] = MappingProxyType(
    {"torch": channels_last, "onnxruntime": onnxruntime, "openvino": _openvino}
)


def require_engine(name: str) -> None:
    """Raise ValueError, one line, for an engine that is unknown, not installed, or too slow to start."""
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}; {near(name, STARTS)}")
    if (problem := lacking(known(name))) is not None:
        raise ValueError(problem)
    if name not in STARTS:
        known_ = ", ".join(STARTS)
        raise ValueError(f"engine {name!r} compiles every sample for up to minutes; calibrate one of {known_}")


def started(network: Network, engine: str, threads: int, batch: int) -> Call:
    """A call that runs a network, with weights that nobody trained, on random images."""
    model = build(network, generator=torch.Generator().manual_seed(0)).eval()
    forms = Direct(model, (batch, network.in_channels, network.resolution, network.resolution))
    run, images = STARTS[engine](forms, threads), forms.images.numpy()
    return lambda: run(images)
