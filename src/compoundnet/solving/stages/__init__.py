"""Scaling every stage by itself: the best widths and repeats within a budget, exactly, with a certificate."""

from .choices import Choices as Choices
from .choices import stage_choices as stage_choices
from .gains import Gains as Gains
from .objectives import Elastic as Elastic
from .objectives import Nearest as Nearest
from .solver import StageSolution as StageSolution
from .solver import solve_stages as solve_stages
