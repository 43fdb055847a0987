"""prepare(): a model made ready to run on one engine, at one setting."""

from dataclasses import dataclass, field

import numpy as np

from compoundnet.modules import ConvNet

from .choice import CHOICE_SECONDS, Choice, chosen
from .forms import Forms
from .pytorch import Array, Runner
from .setting import Setting
from .table import known, lacking


@dataclass(frozen=True)
class Prepared:
    """A model on an engine. Called with float32 images of exactly ``shape`` (N, C, H, W), it gives logits N x classes.

    ``choice`` says why this engine, when it was left open. A Prepared is called by as many threads at a time
    as its setting has ``streams``. With one it leaves PyTorch's number of threads as it was; with more, that
    number is the caller's affair, as PyTorch has one for all new threads.
    """

    engine: str
    setting: Setting
    shape: tuple[int, int, int, int]
    choice: Choice | None
    run: Runner = field(repr=False)

    def __call__(self, images_NCHW: Array) -> Array:
        """The logits. Raises ValueError for images of another shape or type."""
        images = np.asarray(images_NCHW)
        if images.shape != self.shape or images.dtype != np.float32:
            got = f"{images.dtype} of shape {images.shape}"
            remedy = "prepare the model for that setting, or convert the images"
            raise ValueError(f"images: expected float32 of shape {self.shape}, got {got}; {remedy}")
        return self.run(np.require(images, requirements=["C", "W"]))


def prepare(model: ConvNet, setting: Setting | None = None, engine: str = "auto", *, patient: bool = False) -> Prepared:
    """Make ``model`` ready to run on an engine, with its batch norms folded; its logits stay the same.

    ``setting`` defaults to one image at the network's own resolution on one thread. ``engine`` is a name in
    ``ENGINES`` or "auto": the fastest that is installed (see ``choose``; ``patient`` tries also those that
    compile for minutes). Raises ValueError, one line, for an unknown engine, one that is not installed, and
    images too small for the network.

    >>> import numpy as np
    >>> from compoundnet.building import build
    >>> from compoundnet.families import named
    >>> run = prepare(build(named("tiny")), Setting(size=(32, 48), batch=2), "torch")
    >>> run(np.zeros((2, 3, 32, 48), np.float32)).shape
    (2, 1000)
    """
    side = model.network.resolution
    setting = Setting(size=(side, side)) if setting is None else setting
    if engine != "auto" and (problem := lacking(known(engine))) is not None:
        raise ValueError(problem)
    forms = Forms(model, setting.shape(model.network))
    if engine == "auto":
        choice, runners = chosen(model, setting, forms, CHOICE_SECONDS, patient)
        return Prepared(choice.engine, setting, forms.shape, choice, runners[choice.engine])
    return Prepared(engine, setting, forms.shape, None, known(engine).start(forms, setting.threads, setting.streams))
