"""Recipes: how a network is trained, as values. Everything in one vanishes when the network only predicts."""

from .recipe import AdvProp as AdvProp
from .recipe import Augment as Augment
from .recipe import Optimizer as Optimizer
from .recipe import Recipe as Recipe
from .schedule import Pace as Pace
from .schedule import Schedule as Schedule
