"""What holds for every test."""

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from compoundnet.weights import Pretrained


@pytest.fixture(scope="module")
def parent() -> "Pretrained":
    """A tiny network for pictures of 32 x 32 pixels, with weights that nobody trained: what tests transfer from."""
    from compoundnet.export import random_weights
    from compoundnet.families import named

    return random_weights(replace(named("tiny"), resolution=32), "tiny")


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, also where the suite itself runs in a shell's background.

    Such a shell has it ignored, and programs inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
