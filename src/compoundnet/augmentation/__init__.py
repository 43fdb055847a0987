"""AutoAugment and RandAugment as tables: operations on pictures, and the policies that choose them."""

from .operations import OPERATIONS as OPERATIONS
from .operations import Operation as Operation
from .operations import Picture as Picture
from .operations import as_pixels as as_pixels
from .policies import POLICIES as POLICIES
from .policies import Policy as Policy
from .policies import RandAugment as RandAugment
from .policies import Step as Step
