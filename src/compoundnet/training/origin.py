"""The step that a run adds to the card of its weights: by which recipe, on which pictures, from when on."""

from dataclasses import replace

from compoundnet.data import Examples
from compoundnet.recipes import RECIPES, Recipe, diff
from compoundnet.schema import counted, encode
from compoundnet.weights.cards import Made, Provenance, clipped
from compoundnet.weights.hashing import json_sha256

_MOST_CHANGED = 8  # settings: with more, a recipe is another one


def step(name: str, made: Made, examples: Examples, recipe: Recipe) -> Provenance:
    """What a run called ``name`` does, before anything is known of how well."""
    from compoundnet import __version__

    return Provenance(
        deed="trained",
        name=clipped(name),
        data=described(made.data, examples),
        recipe=recipe_name(recipe),
        recipe_sha256=json_sha256(encode(recipe)),
        date=made.date,
        tool=f"compoundnet {__version__}",
    )


def described(name: str, examples: Examples) -> str:
    """The pictures in words: what they are called, how many, and what is to be learnt of them."""
    outputs = counted(len(examples.classes), "class", "classes") if examples.task != "regression" else "numbers"
    what = "" if examples.task == "multiclass" else f" ({examples.task})"
    return clipped(f"{name or 'pictures'}: {counted(len(examples), 'picture')}, {outputs}{what}")


def recipe_name(recipe: Recipe) -> str:
    """The recipe's name in the table, whatever its seed, with what differs from the nearest one; "" for one far off.

    >>> known = RECIPES["finetune"].recipe
    >>> recipe_name(replace(known, seed=7)), recipe_name(replace(known, epochs=3))
    ('finetune', 'finetune, epochs=3')
    """
    found = [(diff(replace(each.recipe, seed=recipe.seed), recipe), name) for name, each in RECIPES.items()]
    changes, name = min(found, key=lambda row: len(row[0]))
    if len(changes) > _MOST_CHANGED:
        return ""
    return clipped(", ".join([name, *(f"{each.path}={_plain(each.second)}" for each in changes)]))


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
