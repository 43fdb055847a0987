"""HDF5 as Keras writes it, read without the HDF5 library: a damaged or hostile file is a line, never a crash."""

from .chunks import TIGHTEST as TIGHTEST
from .groups import datasets as datasets
from .source import Source as Source
from .source import beginning as beginning
from .values import Values as Values
from .values import values as values
