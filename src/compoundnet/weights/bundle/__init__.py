"""TensorFlow's checkpoints ("tensor bundles": an index and data files), read without TensorFlow and verified."""

from .locating import is_bundle as is_bundle
from .reading import Bundle as Bundle
from .reading import open_bundle as open_bundle
from .reading import read_bundle as read_bundle
