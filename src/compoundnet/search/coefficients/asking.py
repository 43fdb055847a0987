"""What a coefficient search is asked for, as one value; and the task that it makes of a network, a seed, a rung."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

from compoundnet.network import Network
from compoundnet.recipes import Augment, Optimizer, Recipe
from compoundnet.scaling import RELEASED, Rounding
from compoundnet.schema import encode, require, require_choice, require_count, require_number
from compoundnet.search.material import Material
from compoundnet.search.trial import Task

from .growing import Look, looks
from .halving import Fidelity, ladder
from .iso import TOLERANCE
from .verdict import MARGIN

Candidates: TypeAlias = Literal["grid", "directions", "sweep", "width_sweep", "surrogate"]
FRESH = 1_000  # the first seed of a confirmation: no search has that many
_WARMUP = 0.15  # of all epochs


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A search for alpha, beta and gamma.

    ``budget`` and ``transfer`` are factors of the base's own costs, by the names of ``Budget``'s limits. ``seeds``
    rank the candidates in ``rungs`` rungs, of which each leaves the better ``1 / eta``, but no fewer than
    ``finalists``; ``confirm`` fresh seeds are for the verdict, and more of them, ``up_to`` so many, while it is
    undecided (see ``looks``). ``trials`` bounds the candidates of a surrogate. ``rung_side`` trains all rungs at that
    share of each network's resolution. Raises FieldError for impossible values.
    """

    network: Network
    recipe: Recipe
    budget: Mapping[str, float] = field(default_factory=lambda: {"macs": 2.0})
    candidates: Candidates = "grid"
    rounding: Rounding = RELEASED
    by_stage: bool = False
    tolerance: float = TOLERANCE
    pictures: int | None = None
    seeds: int = 3
    rungs: int = 2
    eta: float = 2.0
    rung_side: float = 1.0
    finalists: int = 4
    confirm: int = 5
    up_to: int | None = None
    trials: int = 16
    transfer: Mapping[str, float] = field(default_factory=dict)
    margin: float = MARGIN

    def __post_init__(self) -> None:
        require_choice(self.candidates, get_args(Candidates), "candidates")
        for name in ("seeds", "rungs", "finalists", "confirm", "trials"):
            require_count(getattr(self, name), name)
        looks(self.confirm, self.up_to)
        require(self.seeds <= FRESH, "seeds", f"{self.seeds:,}; at most {FRESH:,}")
        require_number(self.eta, "eta", "a factor above 1", above=1)
        require_number(self.rung_side, "rung_side", "a share of the resolution, at most 1", above=0, most=1)
        require(len(self.budget) > 0, "budget", "nothing is limited; give a factor such as 2x")
        if self.pictures is not None:
            require_count(self.pictures, "pictures")

    @property
    def spread(self) -> int:
        """How many of a surrogate's networks are spread out before it is asked: half of them."""
        return max(2, self.trials // 2)

    @property
    def sweeps(self) -> bool:
        """Whether its networks have different costs, so that none of them can win."""
        return self.candidates in ("sweep", "width_sweep")

    @property
    def looks(self) -> tuple[Look, ...]:
        """How often the verdict may be asked for, and how sure each must be."""
        return looks(self.confirm, None if self.sweeps else self.up_to)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: two searches are the same where these are."""
        return encode(self)

    def pictures_of(self, material: Material) -> int:
        """How many pictures train at the highest fidelity."""
        return len(material.train) if self.pictures is None else self.pictures

    def ladder(self, material: Material) -> tuple[Fidelity, ...]:
        """The rungs' fidelities, the cheapest first."""
        full = self.full(material)
        return ladder(full, self.rungs, self.eta, self.recipe.batch, self.rung_side)

    def full(self, material: Material) -> Fidelity:
        """The fidelity of the confirmation."""
        return Fidelity(epochs=self.recipe.epochs, pictures=self.pictures_of(material))


def quick(epochs: float = 8.0, rate: float = 4e-3, weight_decay: float = 0.05) -> Recipe:
    """The recipe of small trials: AdamW in one cycle, batches of 128, mirrored and shifted by up to 2 pixels.

    ``rate`` and ``weight_decay`` fit small networks for a few epochs; the best ones differ between wide and deep
    networks, so that a comparison that matters tunes them for each.
    """
    optimizer = Optimizer(
        name="adamw",
        rate=rate,
        per=128,
        weight_decay=weight_decay,
        decay_kind="cosine",
        warmup_epochs=_WARMUP * epochs,
        clip_norm=1.0,
    )
    return Recipe(
        epochs=epochs,
        batch=128,
        optimizer=optimizer,
        augment=Augment(least_area=1.0, shift=2),
        ema_decay=None,
        bn_momentum=0.9,
        dropout=0.0,
        drop_connect=0.0,
    )


def task_of(network: Network, base: Network, recipe: Recipe, fidelity: Fidelity, seed: int, data: Material) -> Task:
    """A network's task at a fidelity: the shift scaled with the side, the warm-up the same share of the epochs.

    ``data`` are the pictures of that fidelity.
    """
    side = max(network.total_stride, round(network.resolution * fidelity.side))
    shorter = fidelity.epochs / recipe.epochs
    pace = replace(recipe.optimizer, warmup_epochs=recipe.optimizer.warmup_epochs * shorter)
    pace = replace(pace, decay_epochs=pace.decay_epochs * shorter)
    augment = replace(recipe.augment, shift=round(recipe.augment.shift * side / base.resolution))
    changed = replace(recipe, epochs=fidelity.epochs, optimizer=pace, augment=augment, seed=seed)
    return Task(network=replace(network, resolution=side), recipe=changed, data=data.digest)


def require_trainable(asked: Asked, material: Material) -> None:
    """Raise FieldError for a network that cannot take the pictures, and for more of them than there are, or too few."""
    network = asked.network
    channels = network.in_channels
    require(channels in (1, 3), "in_channels", f"{channels}; pictures are grey (1) or RGB (3)")
    fits = material.channels in (1, channels)
    require(fits, "in_channels", f"{channels} for pictures of {material.channels} channels")
    wanted, most = asked.pictures_of(material), len(material.train)
    require(wanted <= most, "pictures", f"{wanted:,} of {most:,} that train; ask for at most as many")
    batch, remedy = asked.recipe.batch, f"give a batch of at most {wanted}"
    require(batch <= wanted, "batch", f"{batch} is more than the {wanted} training images; {remedy}")
    outputs, classes = network.classes, len(material.train.classes)
    remedy = f"give dataclasses.replace(network, classes={classes})"
    require(outputs == classes, "classes", f"{outputs} for data of {classes}; {remedy}")
