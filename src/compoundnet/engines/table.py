"""The engines: what each needs, how to install it, how it starts."""

import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType
from typing import Protocol

from compoundnet.modules import ConvNet
from compoundnet.schema import near

from . import pytorch, runtimes
from .forms import Forms
from .pytorch import Runner
from .setting import Setting


class Start(Protocol):
    """From a model's forms, a number of threads and of streams to a function of images."""

    def __call__(self, forms: Forms, threads: int, streams: int = 1, /) -> Runner: ...


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A way to run a model: ``start`` makes a function from images N x C x H x W to logits N x classes.

    It takes the model's forms, the number of threads that a call computes on, and how many threads call at
    once. ``needs`` are the modules it imports, its own first, ``extra`` what installs them (empty: they come
    with the library), ``compiler`` whether it calls a C++ compiler. A ``patient`` engine takes up to minutes
    to start, so "auto" tries it only when asked.
    """

    name: str
    start: Start
    needs: tuple[str, ...] = ("torch",)
    extra: str = ""
    patient: bool = False
    compiler: bool = False

    def prepare(self, model: ConvNet, setting: Setting) -> Runner:
        """The function for this model and setting; it takes float32 arrays of exactly the setting's shape."""
        return self.start(Forms(model, setting.shape(model.network)), setting.threads, setting.streams)


_TABLE = (
    Engine(name="torch", start=pytorch.eager),
    Engine(
        name="onnxruntime",
        start=runtimes.onnxruntime,
        needs=("onnxruntime", "onnx", "onnxscript"),
        extra="export",
    ),
    Engine(name="openvino", start=runtimes.openvino, needs=("openvino",), extra="openvino"),
    Engine(name="compile", start=pytorch.compiled, patient=True, compiler=True),
    Engine(name="aot", start=pytorch.ahead_of_time, patient=True, compiler=True),
)
ENGINES: Mapping[str, Engine] = MappingProxyType({engine.name: engine for engine in _TABLE})


def known(name: str) -> Engine:
    """The engine of that name. Raises ValueError, with near names, when there is none."""
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}; {near(name, [*ENGINES, 'auto'])}")
    return ENGINES[name]


def installed(name: str) -> bool:
    """Whether all that the engine needs is there. Raises ValueError for an unknown name.

    >>> installed("torch")
    True
    """
    return lacking(known(name)) is None


def lacking(engine: Engine) -> str | None:
    """What the engine lacks and how to get it, in one line; None when it can run."""
    for module in engine.needs:
        if importlib.util.find_spec(module) is None:
            command = f"pip install 'compoundnet[{engine.extra}]'"
            return f"engine {engine.name!r} needs {module}, which is not installed; install it with: {command}"
    if engine.compiler and shutil.which("g++") is None:
        return f"engine {engine.name!r} needs the C++ compiler g++; install it with: apt-get install g++"
    return None


def version(name: str) -> str:
    """The version of the package that runs, such as "2.14.1". Raises ValueError for an engine unknown or missing."""
    engine = known(name)
    if (problem := lacking(engine)) is not None:
        raise ValueError(problem)
    return metadata.version(engine.needs[0])
