"""The machine that a run uses, and Lightning on it: quiet, and missed with one clear line."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from compoundnet.schema import require, require_count, require_number

from .state import TrainingError


@dataclass(frozen=True, kw_only=True)
class Host:
    """What a run may use. None of it is part of the recipe; ``devices`` and ``threads`` change what is rounded.

    A run goes on with as many of both as it began with. ``devices`` processes on this machine; under torchrun it is
    torchrun that says. ``workers`` processes decode pictures. ``threads`` of each process compute; None leaves torch's
    number. A state is saved every ``save_minutes``, every ``save_steps`` steps where given, and after each epoch.
    """

    accelerator: str = "auto"
    devices: int = 1
    workers: int = 0
    threads: int | None = None
    compile: bool = False
    save_minutes: float = 10.0
    save_steps: int | None = None
    tensorboard: bool = False

    def __post_init__(self) -> None:
        require_count(self.devices, "devices")
        require(self.workers >= 0, "workers", f"{self.workers} is below 0")
        require_number(self.save_minutes, "save_minutes", "a number of minutes above 0", above=0)
        for name in ("threads", "save_steps"):
            if getattr(self, name) is not None:
                require_count(getattr(self, name), name)


def require_lightning() -> None:
    """Raise TrainingError, with the remedy, unless Lightning is installed."""
    if importlib.util.find_spec("pytorch_lightning") is None:
        raise TrainingError("training needs pytorch-lightning: pip install 'compoundnet[train]'")


def require_writer(host: "Host") -> None:
    """Raise TrainingError, with the remedy, where events for TensorBoard are asked for and nothing can write them."""
    found = (importlib.util.find_spec(name) for name in ("tensorboardX", "tensorboard"))
    if host.tensorboard and not any(spec and spec.loader for spec in found):  # a mere folder of that name has no loader
        raise TrainingError("tensorboard needs tensorboardX: pip install 'compoundnet[train,tensorboard]'")


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning without its notes and its advice; what matters is said by us."""
    import pytorch_lightning  # noqa: F401 - it sets the levels when it is imported

    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric|torch)[.]")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def on_threads(count: int | None) -> Iterator[None]:
    """torch on so many threads while the context is open; None leaves its number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
