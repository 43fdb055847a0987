"""The process: a port of our own, the model ready before the first answer, and a quiet end on SIGTERM."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable
from functools import partial

import uvicorn

from compoundnet.weights import Pretrained

from . import app as app_
from .guard import Door
from .limits import Limits, RequestError
from .line import Runner
from .metrics import Metrics
from .port import BACKLOG, room
from .service import Service

DRAIN_SECONDS = 30


def run(
    sock: socket.socket, pretrained: Pretrained, call: Runner, engine: str, limits: Limits, on_ready: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is at work (at most DRAIN_SECONDS) and return.

    Raises ValueError when the engine fails, or its logits for the golden images are not the plain model's.
    """
    service = Service(pretrained, call, limits)
    metrics = Metrics()
    proved = asyncio.Event()
    application = app_.create(service, metrics, lambda: proved.is_set() and not server.should_exit, engine)
    noting = partial(_note, metrics)
    door = Door(limits, room(limits.connections), noting, lambda: server.should_exit)
    metrics.connections.set_function(lambda: len(door.inside))
    config = uvicorn.Config(
        application,
        http=door.protocol(),
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = uvicorn.Server(config)
    # It logs every malformed form; the sender is told, and a log that strangers fill is no use.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    # uvicorn raises the signal again when it is done; a stop that was asked for is no failure. One that comes before
    # uvicorn listens to signals counts too.
    before = signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
    try:
        asyncio.run(_served(server, service, door, sock, proved, on_ready))
    finally:
        signal.signal(signal.SIGTERM, before)


def _note(metrics: Metrics, status: int) -> None:
    metrics.count("none", str(status), 0.0)


async def _served(
    server: uvicorn.Server,
    service: Service,
    door: Door,
    sock: socket.socket,
    proved: asyncio.Event,
    on_ready: Callable[[], None],
) -> None:
    serving = asyncio.create_task(server.serve([sock]))
    watching = asyncio.create_task(door.watch())
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    problem = await _problem(service, serving)
    if problem is not None and not server.should_exit:
        server.should_exit = True
        await serving
        raise ValueError(f"{problem}; choose another with --engine")
    if not server.should_exit and not serving.done():
        # What is there now stays: a full collection would walk through all of it, and stop every thread meanwhile.
        gc.collect()
        gc.freeze()
        proved.set()
        on_ready()
    await serving
    watching.cancel()


async def _problem(service: Service, serving: asyncio.Task[None]) -> str | None:
    """What the self-test finds wrong with the engine; None also when the server ends before the test does."""
    proving = asyncio.create_task(service.selftest())
    await asyncio.wait((proving, serving), return_when=asyncio.FIRST_COMPLETED)
    if not proving.done():
        proving.cancel()
        return None
    try:
        verdict = await proving
    except RequestError as problem:
        return problem.text
    if verdict.passed:
        return None
    return f"the engine's logits differ by {verdict.difference:.2g} of the largest from PyTorch's"
