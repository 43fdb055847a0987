"""Search: step 1 of the paper (alpha, beta, gamma on your own data), and section 4's search for the base network."""

from .problem import Costs as Costs
from .problem import NothingAdmittedError as NothingAdmittedError
from .problem import Outcome as Outcome
from .problem import Problem as Problem
from .problem import one_hot as one_hot
from .space import Choice as Choice
from .space import Point as Point
from .space import Space as Space
