"""The search of section 4: the best network of a space by accuracy and cost, on your own pictures."""

from .asking import ArchitectureSearch as ArchitectureSearch
from .early import Stop as Stop
from .found import Architectures as Architectures
