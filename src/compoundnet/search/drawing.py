"""Drawing points that hard limits admit, also where hardly any is admitted: rejection, then descent and a walk."""

import math
import random
from collections.abc import Callable

from .space import Point, Space

TRIES = 200  # uniform draws before a walk: an acceptance of one in 40 is met all but surely
STARTS = 4  # descents before a space is said to admit nothing
STEPS = 10  # of the walk for each choice


def draw(space: Space, excess: Callable[[Point], float], rng: random.Random, tries: int = TRIES) -> Point | None:
    """A point whose ``excess`` is 0 (it is more the further a point is from the limits), None where none is found.

    The first of ``tries`` uniform draws that is admitted is a uniform draw of all that are. Where none is, a descent
    from a uniform draw finds one, and a walk leads away from it: ten steps for each choice to a uniform neighbour,
    which is refused where limits do not admit it. Long walks are uniform over the admitted points that single
    changes connect; one of this length still favours what is near a descent's end.
    """
    for _ in range(tries):
        point = space.sample(rng)
        if excess(point) <= 0:
            return point
    for _ in range(STARTS):
        point = descended(space, excess, rng, goal=0.0)
        if excess(point) <= 0:
            return _walked(space, excess, rng, point)
    return None


def descended(space: Space, cost: Callable[[Point], float], rng: random.Random, goal: float = -math.inf) -> Point:
    """A point that no change of a single choice makes cheaper, or the first one met that costs at most ``goal``.

    From a uniform draw, each choice in random order is changed to a cheapest option, until none helps.
    """
    point = space.sample(rng)
    least = cost(point)
    places = [place for place, count in enumerate(space.shape) if count > 1]
    found = True
    while found and least > goal:
        found = False
        for place in rng.sample(places, len(places)):
            for index in rng.sample(range(space.shape[place]), space.shape[place]):
                other = (*point[:place], index, *point[place + 1 :])
                costs = cost(other)
                if costs < least:
                    point, least, found = other, costs, True
                if least <= goal:
                    return point
    return point


def _walked(space: Space, excess: Callable[[Point], float], rng: random.Random, point: Point) -> Point:
    for _ in range(STEPS * len(space.choices) if space.size > 1 else 0):
        other = space.mutated(point, rng)
        if excess(other) <= 0:
            point = other
    return point
