"""Step 1 of the paper: alpha, beta and gamma on your own data, from the exact iso-cost set to a verdict."""

from .asking import Asked as Asked
from .asking import quick as quick
from .asking import task_of as task_of
from .choosing import chosen as chosen
from .choosing import per_doubling as per_doubling
from .choosing import step2 as step2
from .found import Comparison as Comparison
from .found import Found as Found
from .growing import looks as looks
from .halving import Fidelity as Fidelity
from .iso import Arm as Arm
from .iso import Iso as Iso
from .iso import grown as grown
from .iso import iso as iso
from .iso import reach as reach
from .running import Search as Search
from .sets import directions as directions
from .sets import grid as grid
from .sets import lattice as lattice
from .sets import sweep as sweep
from .verdict import Verdict as Verdict
from .verdict import verdict as verdict
