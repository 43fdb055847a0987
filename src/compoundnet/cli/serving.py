"""The command that answers over HTTP: serve."""

import importlib.util
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from .loading import loaded
from .output import write

if TYPE_CHECKING:
    from compoundnet.serve.sized import Sized
    from compoundnet.weights import Pretrained

_NEEDS = ("fastapi", "uvicorn", "httptools", "python_multipart", "prometheus_client")


def serve(
    weights: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    engine: str = "auto",
    threads: int | None = None,
    batch: int = 8,
    wait: float = 5.0,
    queue: int = 64,
    connections: int = 1000,
    megabytes: float = 16.0,
    megapixels: float = 100.0,
) -> int:
    """Answer pictures over HTTP, with a page to try it in a browser.

    Args:
        host: the address to listen on; default: 127.0.0.1, this machine only
        port: the port to listen on, 0 for any free one; default: 8000
        engine: torch, onnxruntime, openvino, compile or aot; default: auto, the fastest of the quick ones
        threads: how many threads run the model; default: one less than there are cores, for the rest of the work
        batch: how many pictures run together at most, if that is measured to be faster; default: 8
        wait: how long a picture waits at most for others to run with, in milliseconds; default: 5
        queue: how many requests are at work at most, before others are told to try later; default: 64
        connections: how many connections are open at most; default: 1000
        megabytes: the largest request, in millions of bytes; default: 16
        megapixels: the largest picture, in millions of pixels; default: 100
    """
    _require_extra()
    from compoundnet.prediction import usable_cores
    from compoundnet.schema import require_count
    from compoundnet.serve.limits import Limits
    from compoundnet.serve.port import listening

    threads = max(1, usable_cores() - 1) if threads is None else threads
    require_count(threads, "threads")
    sizes = {"max_bytes": round(1e6 * megabytes), "max_pixels": round(1e6 * megapixels)}
    limits = Limits(**sizes, queue=queue, connections=connections, batch=batch, wait_ms=wait)
    with listening(host, port) as sock:
        from compoundnet.serve.running import run

        pretrained = loaded(weights)
        name, call, batches = _prepared(pretrained, engine, threads, batch)
        limits = replace(limits, batch=call.batch)
        address = f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}"
        line = f"{pretrained.weights.name} on {name}, {_threads(threads)}, {batches}: {address}"

        def on_ready() -> None:
            write(f"compoundnet: serving {line}")
            sys.stdout.flush()

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # of odd metadata in pictures that are fine
            run(sock, pretrained, call, name, limits, on_ready)
    return 0


def _require_extra() -> None:
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        remedy = "install it with: pip install 'compoundnet[serve]'"
        raise ValueError(f"serving needs {missing[0]}, which is not installed; {remedy}")


def _prepared(pretrained: "Pretrained", engine: str, threads: int, batch: int) -> "tuple[str, Sized, str]":
    """The engine's name, the model on it for one picture and for a batch if that is faster, and what was found."""
    import torch

    from compoundnet.engines import Setting, prepare
    from compoundnet.schema import require
    from compoundnet.serve.sized import LONG_MS, WORTH, Sized, run_ms, times_faster

    size, channels = pretrained.weights.preprocess.size, pretrained.model.network.in_channels
    require(channels == 3, "in_channels", f"the model takes {channels} channels; pictures have 3")
    torch.set_num_threads(threads)  # overlays run on PyTorch itself
    one = prepare(pretrained.model, Setting(size=size, threads=threads), engine)
    if batch == 1:
        return one.engine, Sized(one, one, 1), "one picture at a time"
    if (ms := run_ms(one, one.shape)) > LONG_MS:
        return one.engine, Sized(one, one, 1), f"one picture at a time (a run takes {ms:.0f} ms)"
    many = prepare(pretrained.model, Setting(size=size, batch=batch, threads=threads), one.engine)
    faster = times_faster(one, many, many.shape)
    if faster < WORTH:
        return one.engine, Sized(one, one, 1), f"one picture at a time ({batch} at once are {faster:.2f} times as fast)"
    return one.engine, Sized(one, many, batch), f"up to {batch} pictures at once ({faster:.2f} times as fast)"


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"
