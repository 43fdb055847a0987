"""Search: step 1 of the paper (alpha, beta, gamma on your own data), and section 4's search for the base network."""

from .admitting import Survey as Survey
from .admitting import problem_of as problem_of
from .admitting import survey as survey
from .around import per_stage as per_stage
from .designs import Decision as Decision
from .designs import Design as Design
from .mnasnet import mnasnet as mnasnet
from .mnasnet import space_for as space_for
from .objective import Objective as Objective
from .problem import Costs as Costs
from .problem import NothingAdmittedError as NothingAdmittedError
from .problem import Outcome as Outcome
from .problem import Problem as Problem
from .problem import one_hot as one_hot
from .space import Choice as Choice
from .space import Point as Point
from .space import Space as Space
