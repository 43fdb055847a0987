"""How the trained network sees a picture when it is validated and used: at the network's side, not the training's."""

from dataclasses import replace

from compoundnet.network import Network
from compoundnet.preprocess import Preprocess, released_crop
from compoundnet.recipes import Recipe
from compoundnet.schema import require
from compoundnet.weights import Pretrained

_LEAST_SIDE = 224  # of the released networks


def usual_crop(side: int) -> float:
    """The released central crop, r / (r + 32), and below its smallest side, 224, the one that it has there.

    The released rule leaves a margin of 32 pixels, which at side 32 would be three quarters of the picture's area. The
    crop of 0.875 stays: random crops magnify what they show (Touvron et al. 2019), by a factor that does not hang on
    the side.

    >>> usual_crop(32), usual_crop(224), round(usual_crop(600), 3)
    (0.875, 0.875, 0.949)
    """
    return released_crop(max(side, _LEAST_SIDE))


def view_of(network: Network, recipe: Recipe, weights: Pretrained | None) -> Preprocess:
    """What ``train`` takes where no preprocessing is given: that of the weights, else the network's own."""
    taken = own_preprocess(network, recipe) if weights is None else weights.weights.preprocess
    return at_side(taken, network.resolution)


def own_preprocess(network: Network, recipe: Recipe) -> Preprocess:
    """The usual evaluation, or all of the picture where training crops nothing; with AdvProp, pixels from -1 to 1.

    >>> from compoundnet.families import named
    >>> own_preprocess(named("efficientnet_b0"), Recipe(resolution=192)).size
    (224, 224)
    """
    side = network.resolution
    half = (0.5, 0.5, 0.5)
    given = Preprocess(size=(side, side), crop=1.0 if recipe.augment.least_area == 1 else usual_crop(side))
    return given if recipe.advprop is None else replace(given, mean=half, std=half)


def at_side(preprocess: Preprocess, side: int) -> Preprocess:
    """The same for another side; a released or usual crop becomes the usual one of the side, another stays.

    >>> at_side(Preprocess(size=(224, 224), crop=released_crop(224)), 300).crop == released_crop(300)
    True
    """
    before = preprocess.size[0]
    if preprocess.size == (side, side):
        return preprocess
    follows = preprocess.crop in (released_crop(before), usual_crop(before))
    return replace(preprocess, size=(side, side), crop=usual_crop(side) if follows else preprocess.crop)


def require_sized(preprocess: Preprocess, network: Network) -> None:
    """Raise FieldError for a preprocessing of another side than the network's."""
    side = network.resolution
    remedy = f"give size=({side}, {side}), and resolution in the recipe to train at another side"
    problem = f"{preprocess.size[0]} x {preprocess.size[1]} pixels, the network takes {side}; {remedy}"
    require(preprocess.size == (side, side), "preprocess.size", problem)
