"""PyTorch's files since 1.6: a zip archive with one pickle and an entry for each storage, each with its CRC-32."""

from io import BufferedReader

from compoundnet.weights.errors import DamagedError, RefusedError

from .archive import Entry, content, entries
from .machine import MAX_BYTES, Machine
from .rebuilding import call
from .stored import Contents, Storage, storage

PICKLE = "data.pkl"


def read(file: BufferedReader) -> Contents:
    """What an open archive holds. Raises DamagedError or RefusedError."""
    rows = {row.name: row for row in entries(file)}
    root = _root(rows)
    if f"{root}byteorder" in rows and content(file, rows[f"{root}byteorder"]) != b"little":
        raise RefusedError("its numbers are big-endian; save it again on a machine of the usual, little-endian kind")
    pickle = rows[root + PICKLE]
    if pickle.size > MAX_BYTES:
        raise DamagedError(f"its pickle has {pickle.size:,} bytes; at most {MAX_BYTES:,} are read")
    tree = Machine(content(file, pickle), 0, call, storage).run()

    def fetch(wanted: Storage) -> bytearray:
        row = rows.get(f"{root}data/{wanted.key}")
        if row is None or row.size != wanted.size:
            held = "no entry" if row is None else f"{row.size:,} bytes"
            raise DamagedError(f"a storage of {wanted.size:,} bytes has {held} in the archive")
        return content(file, row)

    return Contents(tree, fetch, checked=True)


def _root(rows: dict[str, Entry]) -> str:
    """The folder in the archive that everything lies in, with its slash."""
    found = [name.removesuffix(PICKLE) for name in rows if name.endswith(f"/{PICKLE}") and name.count("/") == 1]
    if len(found) != 1:
        raise DamagedError(f"the archive has {len(found)} pickles; PyTorch writes one")
    return found[0]
