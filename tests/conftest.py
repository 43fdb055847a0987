"""What holds for every test."""

import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from compoundnet.weights import Pretrained

    from .postgres import Server


@pytest.fixture(scope="module")
def parent() -> "Pretrained":
    """A tiny network for pictures of 32 x 32 pixels, with weights that nobody trained: what tests transfer from."""
    from compoundnet.export import random_weights
    from compoundnet.families import named

    return random_weights(replace(named("tiny"), resolution=32), "tiny")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in one order: two libraries give the same numbers only then."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def clothes() -> None:
    """Fashion-MNIST where Debian's package puts it. Without it a test is skipped, but not in CI."""
    from compoundnet.data.arrays import FASHION_MNIST

    if not FASHION_MNIST.is_dir():
        reason = "no Fashion-MNIST here: apt-get install dataset-fashion-mnist"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def database_server() -> "Iterator[Server]":
    """A PostgreSQL server of this process's own. Without Debian's package a test is skipped, but not in CI."""
    from .postgres import Server, binaries, free_port

    programs = binaries()
    if programs is None:
        reason = "no PostgreSQL server here: apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server's user looks into it
        server = Server(programs, Path(folder) / "server", free_port())
        server.make()
        server.start()
        yield server
        server.kill()


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, also where the suite itself runs in a shell's background.

    Such a shell has it ignored, and programs inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test's cases under ``some(n)``, n evenly spread ones stay in the quick suite; the others are slow."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("some"):
            cases.setdefault(item.nodeid.split("[")[0], []).append(item)
    for name, found in cases.items():
        mark = found[0].get_closest_marker("some")
        quick = int(mark.args[0]) if mark else 0
        if not 1 <= quick < len(found) and len(found) > 1:
            raise pytest.UsageError(f"{name}: some({quick}) of {len(found)} cases")
        stay = {(2 * number + 1) * len(found) // (2 * quick) for number in range(quick)}
        for place, item in enumerate(found):
            if place not in stay and len(found) > 1:
                item.add_marker(pytest.mark.slow)
