"""Recipe: everything about training that vanishes when the network only predicts (section 5.2 of the paper)."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from compoundnet.schema import require, require_choice, require_count, require_number

from .schedule import Pace, Schedule

Policy: TypeAlias = Literal["none", "autoaugment_v0", "autoaugment_paper", "randaugment"]
Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]

BEYOND = 30  # the largest magnitude that RandAugment takes


@dataclass(frozen=True, kw_only=True)
class Optimizer(Pace):
    """How gradients become steps. The defaults are the paper's RMSProp, with TensorFlow's arithmetic.

    The learning rate is ``Pace``'s. ``rho`` and ``eps`` are RMSProp's; ``momentum`` is AdamW's first beta too.
    ``weight_decay`` reaches all but batch norms, coupled (L2 in the gradient) unless the optimizer is "adamw".
    ``clip_norm`` bounds the norm of all gradients; None does not.
    """

    name: Literal["rmsprop", "sgd", "adamw"] = "rmsprop"
    momentum: float = 0.9
    rho: float = 0.9
    eps: float = 1e-3
    weight_decay: float = 1e-5
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice(self.name, ("rmsprop", "sgd", "adamw"), "name")
        for name in ("momentum", "rho"):
            require_number(getattr(self, name), name, "a rate in [0, 1)", least=0, below=1)
        require_number(self.eps, "eps", "a number above 0", above=0)
        require_number(self.weight_decay, "weight_decay", "a number of at least 0", least=0)
        if self.clip_norm is not None:
            require_number(self.clip_norm, "clip_norm", "a norm above 0", above=0)


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What is done to training pictures and labels.

    A crop of at least ``least_area`` of the picture (1 keeps all of it), mirrored with probability ``flip``, then
    ``policy``; ``layers`` and ``magnitude`` are RandAugment's. ``mixup`` and ``cutmix`` are the alphas of their Beta
    distributions, 0 for none; one of the two is drawn for each batch where both are given. ``shift`` moves the
    picture by up to so many pixels each way, and ``cutout`` blackens a square of that side (DeVries & Taylor 2017).
    """

    least_area: float = 0.08
    flip: float = 0.5
    policy: Policy = "none"
    layers: int = 2
    magnitude: float = 10.0
    mixup: float = 0.0
    cutmix: float = 0.0
    shift: int = 0
    cutout: int = 0

    def __post_init__(self) -> None:
        require_choice(self.policy, get_args(Policy), "policy")
        require_number(self.least_area, "least_area", "a share in (0, 1]", above=0, most=1)
        require_number(self.flip, "flip", "a probability", least=0, most=1)
        require_count(self.layers, "layers")
        for name in ("magnitude", "mixup", "cutmix"):
            require_number(getattr(self, name), name, "a number of at least 0", least=0)
        if self.policy == "randaugment":
            require_number(self.magnitude, "magnitude", f"a magnitude from 0 to {BEYOND}", least=0, most=BEYOND)
        for name in ("shift", "cutout"):
            value = getattr(self, name)
            require(type(value) is int and value >= 0, name, f"{value!r} is not a number of pixels, 0 or more")


@dataclass(frozen=True, kw_only=True)
class AdvProp:
    """Adversarial copies through batch norms of their own (Xie et al. 2019), in units of a pixel's 255 steps.

    Targeted PGD: ``steps`` steps of ``step_size`` towards a random wrong class, within ``epsilon`` of the picture.
    """

    epsilon: float = 4.0
    steps: int = 5
    step_size: float = 1.0

    def __post_init__(self) -> None:
        require_number(self.epsilon, "epsilon", "a number above 0, of 255", above=0, most=255)
        require_count(self.steps, "steps")
        require_number(self.step_size, "step_size", "a number above 0, of 255", above=0, most=255)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run but for its network and data. The defaults are the paper's for B0 (section 5.2).

    ``batch`` is the images of one step over all processes and ``accumulate`` parts. ``ema_decay`` is the most that
    the moving average of weights and statistics keeps; None averages nothing. ``bn_momentum`` is how much a batch norm
    keeps of its statistics (0.99: torch calls that 0.01). ``drop_connect`` is the drop rate of the last block,
    growing linearly. ``resolution`` trains at another side than the network's, at which it is validated and used;
    ``grow_from`` starts smaller and grows to it in equal steps ("progressive resizing"), None does not. ``patience``
    stops early after so many epochs without a better validation score, None never. Raises FieldError for
    impossible values.
    """

    epochs: float = 350.0
    batch: int = 4096
    accumulate: int = 1
    optimizer: Optimizer = field(default_factory=Optimizer)
    augment: Augment = field(default_factory=Augment)
    advprop: AdvProp | None = None
    ema_decay: float | None = 0.9999
    bn_momentum: float = 0.99
    label_smoothing: float = 0.1
    dropout: float = 0.2
    drop_connect: float = 0.2
    resolution: int | None = None
    grow_from: int | None = None
    patience: int | None = None
    precision: Precision = "float32"
    checkpointing: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        require_number(self.epochs, "epochs", "a number of epochs above 0", above=0)
        for name in ("batch", "accumulate"):
            require_count(getattr(self, name), name)
        require(self.batch % self.accumulate == 0, "accumulate", f"{self.batch} images do not split into as many parts")
        for name in ("bn_momentum", "label_smoothing", "dropout", "drop_connect"):
            require_number(getattr(self, name), name, "a share in [0, 1)", least=0, below=1)
        if self.ema_decay is not None:
            require_number(self.ema_decay, "ema_decay", "a decay in [0, 1)", least=0, below=1)
        for name in ("resolution", "grow_from", "patience"):
            if getattr(self, name) is not None:
                require_count(getattr(self, name), name)
        require_choice(self.precision, get_args(Precision), "precision")
        whole = type(self.seed) is int and self.seed >= 0
        require(whole, "seed", f"{self.seed!r} is not a whole number of at least 0")
        warmup = "optimizer.warmup_epochs"
        whole = f"{self.optimizer.warmup_epochs:g} of {self.epochs:g} epochs; add {warmup}=0, or give more epochs"
        require(self.optimizer.warmup_epochs < self.epochs, warmup, whole)

    @property
    def schedule(self) -> Schedule:
        """The learning rate by step."""
        return self.optimizer.over(self.epochs)
