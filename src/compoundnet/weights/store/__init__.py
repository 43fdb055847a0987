"""The store of fetched weights: files by their SHA-256, in a cache folder, under names.

Nothing here opens a connection but ``fetch`` and ``fetch_locked``; nothing needs PyTorch.
"""

from compoundnet.weights.errors import CheckpointError as CheckpointError

from .access import Access as Access
from .access import access as access
from .checking import Checked as Checked
from .checking import check as check
from .fetching import Fetched as Fetched
from .fetching import fetch as fetch
from .folder import Store as Store
from .folder import Stored as Stored
from .folder import default_store as default_store
from .importing import Imported as Imported
from .importing import import_file as import_file
from .lockfile import LOCK_FILE as LOCK_FILE
from .lockfile import Locked as Locked
from .lockfile import add_to_lock as add_to_lock
from .lockfile import read_lock as read_lock
from .lockfile import require_lock as require_lock
from .rows import known as known
from .rows import not_stored as not_stored
from .rows import wanted as wanted
from .wanting import Wanted as Wanted
