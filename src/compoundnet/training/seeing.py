"""How the trained network sees a picture when it is validated and used: at the network's side, not the training's."""

from dataclasses import replace

from compoundnet.network import Network
from compoundnet.preprocess import Preprocess, released_crop
from compoundnet.recipes import Recipe
from compoundnet.schema import require


def own_preprocess(network: Network, recipe: Recipe) -> Preprocess:
    """The released evaluation, or all of the picture where training crops nothing; with AdvProp, pixels from -1 to 1.

    >>> from compoundnet.families import named
    >>> own_preprocess(named("efficientnet_b0"), Recipe(resolution=192)).size
    (224, 224)
    """
    side = network.resolution
    half = (0.5, 0.5, 0.5)
    given = Preprocess(size=(side, side), crop=1.0 if recipe.augment.least_area == 1 else released_crop(side))
    return given if recipe.advprop is None else replace(given, mean=half, std=half)


def at_side(preprocess: Preprocess, side: int) -> Preprocess:
    """The same for another side; a released crop becomes that of the side, another stays.

    >>> at_side(Preprocess(size=(224, 224), crop=released_crop(224)), 32).crop
    0.5
    """
    released = preprocess.crop == released_crop(preprocess.size[0])
    crop = released_crop(side) if released else preprocess.crop
    return replace(preprocess, size=(side, side), crop=crop)


def require_sized(preprocess: Preprocess, network: Network) -> None:
    """Raise FieldError for a preprocessing of another side than the network's."""
    side = network.resolution
    remedy = f"give size=({side}, {side}), and resolution in the recipe to train at another side"
    problem = f"{preprocess.size[0]} x {preprocess.size[1]} pixels, the network takes {side}; {remedy}"
    require(preprocess.size == (side, side), "preprocess.size", problem)
