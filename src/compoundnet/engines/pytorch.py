"""The engines that are PyTorch itself: eager, torch.compile, AOTInductor."""

import copy
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from compoundnet.measuring.rounds import measure

from .forms import Forms, quiet

Array: TypeAlias = NDArray[np.float32]
Runner: TypeAlias = Callable[[Array], Array]

_LAYOUT_ROUNDS = 5
_SLOW_MS = 200.0  # a call this long is clocked once: noise is a smaller part of it


@contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """PyTorch computes with this many threads inside the context, and with as many as before after it."""
    before = torch.get_num_threads()
    if before == threads:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def eager(forms: Forms, threads: int, streams: int = 1) -> Runner:
    """The folded model as it is; channels-last where that is measured to be faster for this setting."""
    plain = _in_layout(forms, threads, torch.contiguous_format)
    last = _in_layout(forms, threads, torch.channels_last)
    images = forms.images.numpy()
    calls = {"plain": lambda: plain(images), "last": lambda: last(images)}
    once = measure(calls, 1, warmup=1)
    slow = once["plain"].median_ms > _SLOW_MS
    found = once if slow else measure(calls, _LAYOUT_ROUNDS, warmup=0)
    better = torch.contiguous_format if found["plain"].low_ms <= found["last"].low_ms else torch.channels_last
    return _in_layout(forms, threads, better, streams)


def channels_last(forms: Forms, threads: int, streams: int = 1) -> Runner:
    """The folded model in the layout that whole networks are fastest in, not measured first."""
    return _in_layout(forms, threads, torch.channels_last, streams)


def _in_layout(forms: Forms, threads: int, layout: torch.memory_format, streams: int = 1) -> Runner:
    model = copy.deepcopy(forms.folded).to(memory_format=layout)
    return _runner(lambda images: model(images.contiguous(memory_format=layout)), threads, streams)


def compiled(forms: Forms, threads: int, streams: int = 1) -> Runner:
    """torch.compile with inductor and frozen weights. Compiling takes a minute for a large network."""
    # A program's module has code of its own; that of ConvNet would count against one limit of recompilations.
    module = forms.program.module()
    call = torch.compile(module, fullgraph=True, dynamic=False, options={"freezing": True})
    with quiet():
        _runner(call, threads)(forms.images.numpy())
    return _runner(call, threads, streams)


def ahead_of_time(forms: Forms, threads: int, streams: int = 1) -> Runner:
    """torch.export and AOTInductor: a compiled library, loaded again. Compiling takes a minute for a large network."""
    from torch._inductor import aoti_compile_and_package, aoti_load_package

    folder = tempfile.mkdtemp(prefix="compoundnet-")
    with quiet(), torch.no_grad(), using_threads(threads):
        target = str(Path(folder) / "model.pt2")
        path = aoti_compile_and_package(forms.program, package_path=target, inductor_configs={"freezing": True})
        loaded = aoti_load_package(path)

    runner = _runner(loaded, threads, streams)
    weakref.finalize(runner, shutil.rmtree, folder, ignore_errors=True)  # the library is read from it while it runs
    return runner


def _runner(call: Callable[[torch.Tensor], torch.Tensor], threads: int, streams: int = 1) -> Runner:
    def run(images_NCHW: Array) -> Array:
        # PyTorch has one number of threads for all new threads: those who call at once must not set it in turn.
        with using_threads(threads) if streams == 1 else nullcontext(), torch.inference_mode():
            return call(torch.from_numpy(images_NCHW)).numpy()

    return run
