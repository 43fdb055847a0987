"""Pictures: a file or bytes to an RGB image, and an RGB image to a network's input."""

from .arrays import DRAFT_MARGIN as DRAFT_MARGIN
from .arrays import DRAFT_MAX as DRAFT_MAX
from .arrays import DRAFT_MEAN as DRAFT_MEAN
from .arrays import DRAFT_PROBABILITY as DRAFT_PROBABILITY
from .arrays import centre as centre
from .arrays import decoded_for as decoded_for
from .arrays import normalised as normalised
from .arrays import prepared as prepared
from .arrays import read as read
from .arrays import to_array as to_array
from .arrays import window as window
from .arrays import within as within
from .decoding import FORMATS as FORMATS
from .decoding import MAX_PIXELS as MAX_PIXELS
from .decoding import Decoded as Decoded
from .decoding import ImageError as ImageError
from .decoding import Opened as Opened
from .decoding import decode as decode
from .decoding import opened as opened
from .names import SUFFIXES as SUFFIXES
from .names import is_picture as is_picture
from .names import natural as natural
from .names import pictures_below as pictures_below
