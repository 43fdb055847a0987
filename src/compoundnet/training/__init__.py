"""Parts of the paper's training recipe (section 5.2), each exact by itself: schedule, RMSProp, moving averages."""

from compoundnet.recipes import Schedule as Schedule

from .averaging import average_decay as average_decay
from .averaging import averaged as averaged
from .decaying import decay_groups as decay_groups
from .rmsprop import RMSProp as RMSProp
