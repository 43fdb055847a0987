"""Recipes: how a network is trained, as values. Everything in one vanishes when the network only predicts."""

from .comparing import Difference as Difference
from .comparing import diff as diff
from .comparing import settings as settings
from .effects import EFFECTS as EFFECTS
from .effects import Effect as Effect
from .letterhead import IMAGENET as IMAGENET
from .letterhead import Entry as Entry
from .letterhead import Letterhead as Letterhead
from .recipe import AdvProp as AdvProp
from .recipe import Augment as Augment
from .recipe import Optimizer as Optimizer
from .recipe import Recipe as Recipe
from .released import imagenet as imagenet
from .released import imagenet_advprop as imagenet_advprop
from .released import imagenet_randaugment as imagenet_randaugment
from .rescaling import Change as Change
from .rescaling import Rescaled as Rescaled
from .rescaling import scaled as scaled
from .schedule import Pace as Pace
from .schedule import Schedule as Schedule
from .table import RECIPES as RECIPES
from .table import entry as entry
from .table import finetune as finetune
from .table import proxy as proxy
from .table import small as small
from .table import transfer_kornblith as transfer_kornblith
