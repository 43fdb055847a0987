"""Micro-batching: single pictures in, runs of the model on several of them at once."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .limits import Limits, RequestError

Pixels: TypeAlias = NDArray[np.float32]
Runner: TypeAlias = Callable[[Pixels], NDArray[np.float32]]


@dataclass(frozen=True)
class Ran:
    """One picture's row of the model's output, the milliseconds it waited and ran, and how many ran together."""

    row: NDArray[np.float32]
    wait_ms: float
    infer_ms: float
    batch: int


@dataclass(frozen=True)
class _Job:
    pixels: Pixels
    answer: asyncio.Future[Ran]
    arrived: float


class Batcher:
    """Calls ``run`` (N x 3 x H x W in, N rows out) in ``executor`` on as many pictures as wait, at most ``batch``.

    ``coming()`` counts the pictures that are being decoded: a first picture waits for them, at most
    ``wait_ms``, and not at all when there are none. ``run_forever`` must be running as a task.
    """

    def __init__(self, run: Runner, executor: Executor, limits: Limits, coming: Callable[[], int]) -> None:
        self._run = run
        self._executor = executor
        self._limits = limits
        self._coming = coming
        self._waiting: asyncio.Queue[_Job] = asyncio.Queue(limits.queue)

    async def __call__(self, pixels_CHW: Pixels) -> Ran:
        """The output for one picture of shape (3, H, W). Raises RequestError 503 when too many wait."""
        job = _Job(pixels_CHW, asyncio.get_running_loop().create_future(), time.perf_counter())
        try:
            self._waiting.put_nowait(job)
        except asyncio.QueueFull:
            text = f"{self._limits.queue} pictures wait for the model, as many as may; try again later"
            raise RequestError(503, text, self._limits.retry_seconds) from None
        return await job.answer

    async def run_forever(self) -> None:
        """Run batches until cancelled; a batch that fails is its pictures' failure, not the server's."""
        while True:
            jobs = await self._gathered()
            try:
                self._settle(jobs, *await self._ran(jobs))
            except Exception as error:  # whatever an engine raises goes to those who asked
                for job in jobs:
                    if not job.answer.done():
                        job.answer.set_exception(
                            RequestError(500, f"the model failed: {type(error).__name__}: {error}")
                        )

    async def _gathered(self) -> list[_Job]:
        """The next batch: those that wait, and those that come within the bound."""
        jobs = [await self._waiting.get()]
        until = jobs[0].arrived + self._limits.wait_ms / 1e3
        while len(jobs) < self._limits.batch:
            if not self._waiting.empty():
                jobs.append(self._waiting.get_nowait())
                continue
            left = until - time.perf_counter()
            if left <= 0 or self._coming() == 0:
                break
            try:
                jobs.append(await asyncio.wait_for(self._waiting.get(), left))
            except TimeoutError:
                break
        return [job for job in jobs if not job.answer.done()]

    async def _ran(self, jobs: list[_Job]) -> tuple[NDArray[np.float32], float, float]:
        if not jobs:
            return np.empty((0, 0), np.float32), 0.0, 0.0
        start = time.perf_counter()
        x_NCHW = np.stack([job.pixels for job in jobs])
        rows = await asyncio.get_running_loop().run_in_executor(self._executor, self._run, x_NCHW)
        if len(rows) != len(jobs):
            raise ValueError(f"{len(rows)} rows for {len(jobs)} pictures")
        return rows, start, 1e3 * (time.perf_counter() - start)

    def _settle(self, jobs: list[_Job], rows: NDArray[np.float32], start: float, infer_ms: float) -> None:
        for job, row in zip(jobs, rows, strict=True):
            if not job.answer.done():
                job.answer.set_result(Ran(row, 1e3 * (start - job.arrived), infer_ms, len(jobs)))
