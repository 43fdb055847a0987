"""How a run is cut into epochs, steps and parts. The number of steps that are done says where it is."""

from dataclasses import dataclass

from compoundnet.recipes import Recipe, Schedule
from compoundnet.schema import require


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A recipe applied to a number of images on ``world`` processes.

    What does not fill a step at the end of an epoch is left out, as the released code does. Raises FieldError for
    fewer images than one step takes, and for a batch that does not split into its parts.
    """

    recipe: Recipe
    images: int
    world: int = 1

    def __post_init__(self) -> None:
        batch, parts = self.recipe.batch, self.recipe.accumulate * self.world
        require(batch % parts == 0, "batch", f"{batch} does not split into {parts} equal parts; choose a multiple")
        remedy = f"give a batch of at most {self.images}" if self.images else "check the data"
        require(self.images >= batch, "batch", f"{batch} is more than the {self.images} training images; {remedy}")

    @property
    def part(self) -> int:
        """Images in one forward pass of one process."""
        return self.recipe.batch // (self.recipe.accumulate * self.world)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps."""
        return self.images // self.recipe.batch

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.schedule.steps(self.steps_per_epoch)

    @property
    def epochs(self) -> int:
        """Epochs that are begun; the last may be cut short."""
        return -(-self.steps // self.steps_per_epoch)

    @property
    def schedule(self) -> Schedule:
        """The recipe's learning rate by step."""
        return self.recipe.schedule

    def rate(self, step: int) -> float:
        """The learning rate of a step, the first being 0."""
        return self.schedule.at(step, self.steps_per_epoch, self.recipe.batch)

    def end(self, epoch: int) -> int:
        """How many steps are done when an epoch, the first being 0, is over."""
        return min(self.steps, (epoch + 1) * self.steps_per_epoch)

    def side(self, epoch: int, resolution: int) -> int:
        """The side of training images in an epoch, for a network of ``resolution``: grows to the last epoch's.

        >>> recipe = Recipe(epochs=6, batch=10, grow_from=128)
        >>> [Plan(recipe=recipe, images=50).side(epoch, 224) for epoch in range(6)]
        [128, 147, 166, 186, 205, 224]
        """
        last = self.recipe.resolution or resolution
        first = self.recipe.grow_from or last
        return round(first + (last - first) * epoch / max(1, self.epochs - 1))
