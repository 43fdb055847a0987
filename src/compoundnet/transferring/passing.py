"""Passing: what is done once with every picture, and kept: decoding, and the frozen part of the network."""

import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compoundnet.data.examples import Examples
from compoundnet.data.splitting import subset
from compoundnet.data.vetting import noted
from compoundnet.modules import ConvNet
from compoundnet.schema import encode
from compoundnet.whole import write_whole

from . import features
from .choosing import Settings
from .clock import REPORT_SHARE, Clock
from .looking import Pixels, read
from .place import Place
from .splitting import Split
from .views import View, views

Watch: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
HEAD_VIEWS = 2
_MARGIN = 1.1
_AUTO_VIEWS, _AUTO_SECONDS = 1000, 120.0


@dataclass(frozen=True)
class Passing:
    """The pictures and the network, and where what they give is kept."""

    examples: Examples
    model: ConvNet
    place: Place
    clock: Clock
    settings: Settings
    threads: int
    watch: Watch

    @property
    def _sides(self) -> str:
        """What tells files of one resolution from those of another."""
        return "x".join(str(side) for side in self.settings.preprocess.size)

    def pictures(self) -> Pixels:
        """Every picture, decoded once."""
        about = self.place.work / f"pixels_{self._sides}.json"

        def make(path: Path) -> None:
            with self.watch("pictures read") as on_done:
                made = read(self.examples, self.settings.preprocess, path, self.threads, on_done)
            known = {"kept": made.kept.tolist(), "corrupt": list(made.corrupt), "same": made.same.tolist()}
            write_whole(about, json.dumps(known))

        array = self.place.once(f"pixels_{self._sides}", make)
        known = self.place.known(about.name)
        kept, same = np.array(known["kept"], np.int64), np.array(known["same"], np.int64)
        self.place.spend(self.clock.elapsed)
        return Pixels(array[: len(kept)], kept, tuple(known["corrupt"]), same)

    def note(self, pixels: Pixels, parts: Split) -> None:
        """Write down which pictures train and which judge, by their files, unless an earlier run of this work did.

        So nobody takes one of them for a test picture later. What was left out as a copy is neither.
        """
        if self.place.vetted.exists():
            return
        train, validation = (
            subset(self.examples, pixels.kept[each].tolist()) for each in (parts.train, parts.validation)
        )
        with self.watch("pictures noted") as on_done:
            found = noted(train, validation, on_done)
        write_whole(self.place.vetted, json.dumps(encode(found)) + "\n")
        self.place.spend(self.clock.elapsed)

    def engine(self, pictures: int) -> str:
        """The fastest engine, where finding it out takes less than it saves."""
        if pictures * len(views(self.settings.symmetry)) < _AUTO_VIEWS or self.clock.budget < _AUTO_SECONDS:
            return "torch"
        return features.engine_for(self.model, self.settings.preprocess.size, self.threads)

    def pooled(self, pixels_NHWC: NDArray[np.uint8], engine: str) -> tuple[Tensor, float]:
        """Pooled features of at most HEAD_VIEWS views, float32 (V, N, D), and the seconds that one view took.

        Raises ValueError for too small a budget.
        """
        network = features.pooled(self.model)
        self._require_enough(network, pixels_NHWC, engine)
        about, start = self.place.work / f"pooled_{self._sides}.json", time.monotonic()
        made = self.passed("pooled", network, pixels_NHWC, views(self.settings.symmetry)[:HEAD_VIEWS], engine)
        if not about.exists():  # what goes on later reads the features, which takes no time
            write_whole(about, json.dumps({"view_seconds": (time.monotonic() - start) / len(made)}))
        return torch.from_numpy(made.astype(np.float32)), float(self.place.known(about.name)["view_seconds"])

    def passed(
        self, name: str, network: ConvNet, pixels_NHWC: NDArray[np.uint8], seen: tuple[View, ...], engine: str
    ) -> NDArray[np.float16]:
        """What a network gives for the views of every picture, made once under this name and resolution."""

        def make(path: Path) -> None:
            with self.watch(f"views through the frozen network on {engine}") as on_done:
                preprocess, threads = self.settings.preprocess, self.threads
                features.passed(network, pixels_NHWC, seen, preprocess, engine, path, threads, on_done)

        made = self.place.once(f"{name}_{self._sides}", make)
        self.place.spend(self.clock.elapsed)
        return made

    def _require_enough(self, network: ConvNet, pixels_NHWC: NDArray[np.uint8], engine: str) -> None:
        """Raise ValueError for a budget that the pass alone would use up."""
        count = len(pixels_NHWC) * len(views(self.settings.symmetry)[:HEAD_VIEWS])
        if (self.place.work / f"pooled_{self._sides}.npy").exists():
            return
        seconds = count * features.seconds_each(network, pixels_NHWC, self.settings.preprocess, engine, self.threads)
        needed = (self.clock.elapsed + seconds) * _MARGIN / (1 - REPORT_SHARE)
        if needed > self.clock.budget:
            problem = f"a budget of {self.clock.budget:.0f} s is too small"
            why = f"{count:,} views take about {seconds:.0f} s to pass through the network once"
            raise ValueError(f"{problem}: {why}; give at least {math.ceil(needed)} s")
