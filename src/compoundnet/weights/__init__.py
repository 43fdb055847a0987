"""Pretrained weights: where they come from, how they are named, and loading and saving them."""

from .catalogue import PACKAGED as PACKAGED
from .errors import CheckpointError as CheckpointError
from .files import Checkpoint as Checkpoint
from .files import load_state as load_state
from .files import read_checkpoint as read_checkpoint
from .files import sha256 as sha256
from .files import verify as verify
from .loading import Pretrained as Pretrained
from .loading import load as load
from .loading import save as save
from .matching import LoadReport as LoadReport
from .matching import Recognised as Recognised
from .matching import adapt_stem as adapt_stem
from .matching import load_into as load_into
from .matching import recognise as recognise
from .names import ECOSYSTEMS as ECOSYSTEMS
from .names import from_ours as from_ours
from .names import names as names
from .names import to_ours as to_ours
from .records import Weights as Weights
from .records import imagenet_classes as imagenet_classes
