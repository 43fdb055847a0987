"""Pictures from thread to thread: what is read ahead, what runs together, what comes back."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from compoundnet.serve import line as line_
from compoundnet.serve.limits import Limits, RequestError
from compoundnet.serve.line import Line, Model
from compoundnet.serve.reading import Picture, Pixels
from compoundnet.serve.sized import Sized, times_faster


def batch_of(rows: int, limits: Limits, slow: float = 0.0) -> tuple[list[int], float]:
    """The batch each of ``rows`` pictures ran in, and the seconds it all took; the last is read slowly."""

    def run(x_NCHW: Pixels) -> Any:
        return x_NCHW.sum(axis=(2, 3))

    def read(index: int) -> Picture:
        time.sleep(slow if index == rows - 1 else 0)
        return Picture(np.full((3, 2, 2), index, np.float32), 0.0, 0.0)

    async def go() -> tuple[list[int], float]:
        line, model = Line(2, limits.wait_ms, ahead=2 * limits.batch), Model(run, limits.batch)
        with line.at_work():
            start = time.perf_counter()
            found = await asyncio.gather(*(line(partial(read, index), model) for index in range(rows)))
            seconds = time.perf_counter() - start
        assert [float(ran.row[0]) for ran in found] == [4.0 * index for index in range(rows)]
        return [ran.batch for ran in found], seconds

    return asyncio.run(go())


def test_a_batch_is_never_larger_than_the_limit() -> None:
    batches, _ = batch_of(7, Limits(batch=3, wait_ms=5000))
    assert sorted(batches) == [1, 3, 3, 3, 3, 3, 3]


def test_a_picture_waits_for_others_only_while_some_are_being_read_and_no_longer_than_the_bound() -> None:
    alone, seconds = batch_of(1, Limits(wait_ms=5000))
    assert (alone, seconds < 2) == ([1], True)
    together, _ = batch_of(2, Limits(wait_ms=5000), slow=0.2)
    assert together == [2, 2]
    apart, seconds = batch_of(2, Limits(wait_ms=50), slow=0.5)
    assert (apart, seconds < 2) == ([1, 1], True)


def test_no_more_pictures_are_read_ahead_of_the_model_than_the_line_allows() -> None:
    read: list[int] = []
    free = threading.Event()

    def reader(index: int) -> Picture:
        read.append(index)
        return Picture(np.zeros((3, 1, 1), np.float32), 0.0, 0.0)

    def run(x_NCHW: Pixels) -> Any:
        free.wait(10)
        return x_NCHW[:, :, 0, 0]

    async def go() -> None:
        line, model = Line(1, 0.0, ahead=2), Model(run)
        with line.at_work():
            waiting = [asyncio.create_task(line(partial(reader, index), model)) for index in range(9)]
            await asyncio.sleep(0.3)
            assert read == [0, 1, 2]  # one is at the model, two are ready
            free.set()
            await asyncio.gather(*waiting)
        assert read == list(range(9))

    asyncio.run(go())


@pytest.mark.parametrize(("seconds", "most", "least"), [(0.001, 7, 5), (0.015, 10, 10)], ids=["short", "long"])
def test_the_answers_of_short_runs_go_back_two_at_a_time_while_more_wait_and_those_of_long_ones_at_once(
    monkeypatch: pytest.MonkeyPatch, seconds: float, most: int, least: int
) -> None:
    times: list[int] = []

    def run(x_NCHW: Pixels) -> Any:
        time.sleep(seconds)
        return x_NCHW[:, :, 0, 0]

    def hand_back(loop: asyncio.AbstractEventLoop, outcomes: Any) -> None:
        times.append(len(outcomes))
        original(loop, outcomes)

    async def go() -> None:
        line, model = Line(1, 0.0, ahead=10), Model(run)
        with line.at_work():
            await asyncio.gather(
                *(line(lambda: Picture(np.zeros((3, 1, 1), np.float32), 0, 0), model) for _ in range(10))
            )

    original = line_.hand_back
    monkeypatch.setattr(line_, "hand_back", hand_back)
    asyncio.run(go())
    times = [count for count in times if count]
    assert sum(times) == 10
    assert max(times) <= 2
    assert least <= len(times) <= most


def nothing() -> Picture:
    return Picture(np.zeros((3, 1, 1), np.float32), 0.0, 0.0)


def slowly() -> Picture:
    time.sleep(0.5)
    return nothing()


def brief(x_NCHW: Pixels) -> Any:
    time.sleep(0.004)  # meanwhile the next picture is read
    return x_NCHW[:, :, 0, 0]


def long(x_NCHW: Pixels) -> Any:
    time.sleep(0.5)
    return x_NCHW[:, :, 0, 0]


def test_the_answer_of_a_short_run_does_not_wait_for_a_long_one_of_another_model() -> None:
    async def go() -> float:
        line, one, other = Line(1, 0.0, ahead=10), Model(brief), Model(long)
        with line.at_work():
            start = time.perf_counter()
            first, second = (asyncio.create_task(line(nothing, model)) for model in (one, other))
            await first
            seconds = time.perf_counter() - start
            await second
        return seconds

    assert min(asyncio.run(go()) for _ in range(2)) < 0.3


def test_the_answers_of_a_batch_do_not_wait_for_the_next_one_to_fill() -> None:
    async def go() -> float:
        line, model = Line(1, 2000.0, ahead=10), Model(brief, batch=2)
        with line.at_work():
            start = time.perf_counter()
            waiting = [asyncio.create_task(line(read, model)) for read in (nothing, nothing, nothing, slowly)]
            await waiting[0]
            seconds = time.perf_counter() - start
            await asyncio.gather(*waiting)
        return seconds

    assert min(asyncio.run(go()) for _ in range(2)) < 0.3


def test_who_waits_when_the_line_closes_and_who_comes_then_is_told_so() -> None:
    async def go() -> list[Any]:
        line, model = Line(1, 0.0, ahead=1), Model(long)
        with line.at_work():
            waiting = [asyncio.create_task(line(nothing, model)) for _ in range(4)]
            await asyncio.sleep(0.2)  # one is at the model, one is ready, two are not read
        waiting.append(asyncio.create_task(line(nothing, model)))
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)

    first, *others = asyncio.run(go())
    assert first.batch == 1
    assert [(error.status, error.text) for error in others] == [
        (503, "the server is starting or stopping; try again later")
    ] * 4


def test_what_a_reader_raises_goes_to_the_one_who_sent_the_picture() -> None:
    def read(error: Exception | None) -> Picture:
        if error is not None:
            raise error
        return Picture(np.zeros((3, 1, 1), np.float32), 0.0, 0.0)

    async def go() -> list[Any]:
        line, model = Line(2, 0.0, ahead=2), Model(lambda x_NCHW: x_NCHW[:, :, 0, 0])
        errors = (RequestError(400, "no picture"), OverflowError("too\nlarge"), None)
        with line.at_work():
            calls = (line(partial(read, error), model) for error in errors)
            return await asyncio.gather(*calls, return_exceptions=True)

    told, broken, fine = asyncio.run(go())
    assert (told.status, told.text) == (400, "no picture")
    assert (broken.status, broken.text) == (500, "reading the picture failed: OverflowError: too large")
    assert fine.batch == 1


def test_whole_batches_run_together_and_the_rest_one_by_one() -> None:
    seen: list[int] = []

    def prepare(count: int) -> Callable[[Pixels], Any]:
        def run(x_NCHW: Pixels) -> Any:
            assert len(x_NCHW) == count
            seen.append(count)
            return x_NCHW.mean(axis=(2, 3))

        return run

    runner = Sized(prepare(1), prepare(4), 4)
    for count, expected in ((4, [4]), (3, [1, 1, 1]), (1, [1])):
        x_NCHW = np.random.default_rng(0).random((count, 3, 4, 4), np.float32)
        seen.clear()
        assert np.allclose(runner(x_NCHW), x_NCHW.mean(axis=(2, 3)))
        assert seen == expected


def test_batches_are_used_only_where_they_are_faster() -> None:
    def slow(x_NCHW: Pixels) -> Any:
        time.sleep(0.001 * len(x_NCHW))
        return x_NCHW[:, :, 0, 0]

    def fixed(x_NCHW: Pixels) -> Any:
        time.sleep(0.002)
        return x_NCHW[:, :, 0, 0]

    assert times_faster(slow, fixed, (8, 3, 2, 2)) > 2
    assert times_faster(slow, lambda x_NCHW: slow(np.repeat(x_NCHW, 2, 0)), (8, 3, 2, 2)) < 0.8
