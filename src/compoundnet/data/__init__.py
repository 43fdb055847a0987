"""Data: labelled pictures from folders, lists, shards and data sets, as one protocol."""

from .examples import Examples as Examples
from .examples import Task as Task
