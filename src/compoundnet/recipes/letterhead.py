"""What stands above a recipe: how to run it, on what, how long it takes, what came out, who says so."""

from dataclasses import dataclass

from compoundnet.schema import require_count

from .recipe import Recipe

IMAGENET = 1_281_167  # training images of ILSVRC 2012
UNKNOWN = "not published"


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """The head of a recipe.

    ``command`` runs when its words in capitals are replaced: NET, WEIGHTS (of NET: a name or a file), the folders DIR
    and IMAGENET, and RUN, the new folder. ``images`` is the number of training images it was made for: epochs, and all
    that is counted in steps, are of them. ``hardware``, ``time`` and ``expected`` say what is published or measured,
    or that nothing is; ``source`` where the settings come from.
    """

    command: str
    expected: str
    source: str
    hardware: str = UNKNOWN
    time: str = UNKNOWN
    images: int = IMAGENET

    def __post_init__(self) -> None:
        require_count(self.images, "images")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A recipe and its letterhead."""

    recipe: Recipe
    letterhead: Letterhead
