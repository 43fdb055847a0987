"""``python -m compoundnet.cli``."""

import sys

from . import main

sys.exit(main())
