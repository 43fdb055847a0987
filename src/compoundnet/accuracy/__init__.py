"""The accuracy law: top-1 as a function of depth, width, resolution and multiply-adds, with intervals."""

from .factors import depths as depths
from .factors import factors as factors
from .factors import widths as widths
from .law import GROUPS as GROUPS
from .law import Law as Law
from .law import accuracy_law as accuracy_law
from .points import Point as Point
from .points import published as published
from .predicting import Prediction as Prediction
from .reading import read_points as read_points
