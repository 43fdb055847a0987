"""Training: the exact parts of the paper's recipe (section 5.2), and the engine that runs a recipe on a network.

What trains needs pytorch-lightning (the extra ``train``); the parts need PyTorch only.
"""

from compoundnet.recipes import Schedule as Schedule

from .advprop import auxiliary_twin as auxiliary_twin
from .averaging import average_decay as average_decay
from .averaging import averaged as averaged
from .decaying import decay_groups as decay_groups
from .folder import RunFolder as RunFolder
from .host import Host as Host
from .in_memory import InMemory as InMemory
from .planning import Plan as Plan
from .rmsprop import RMSProp as RMSProp
from .running import Interrupted as Interrupted
from .running import Trained as Trained
from .running import load_run as load_run
from .running import train as train
from .state import TrainingError as TrainingError
