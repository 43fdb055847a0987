"""The seal: a SHA-256 of a whole artefact that stands inside it, so that damage shows before anything is parsed.

It is computed with its own digits as zeros. It finds accidents, not forgers: whoever can change the
file can seal it again, but then ``verify`` still compares answers.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_MARK = "compoundnet-seal:"
BLANK = _MARK + "0" * 64
_SEAL = re.compile(re.escape(_MARK.encode()) + rb"[0-9a-f]{64}")


def sealed(contents: Iterable[bytes]) -> bytes:
    """The seal of some contents, whatever seal they hold now."""
    digest = hashlib.sha256()
    for part in contents:
        blank = _SEAL.sub(BLANK.encode(), part)
        digest.update(len(blank).to_bytes(8, "little"))
        digest.update(blank)
    return f"{_MARK}{digest.hexdigest()}".encode()


def close(paths: Sequence[Path]) -> None:
    """Seal files together; the first holds the record with room for the seal."""
    contents = [path.read_bytes() for path in paths]
    paths[0].write_bytes(_SEAL.sub(sealed(contents), contents[0]))


def problem(contents: Sequence[bytes]) -> str:
    """What is wrong with sealed contents; "" when nothing is."""
    found = {seal for part in contents for seal in _SEAL.findall(part)}
    if len(found) != 1:
        return "holds no compoundnet record, or is cut off; export the model again"
    if found != {sealed(contents)}:
        return "damaged: its contents do not match its seal; copy it again, or export the model again"
    return ""
