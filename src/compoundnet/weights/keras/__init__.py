"""Keras files: reading them with numpy alone, and writing them with h5py."""

from .reading import SUFFIXES as SUFFIXES
from .reading import KerasFile as KerasFile
from .reading import read_keras as read_keras
from .writing import write_keras as write_keras
