"""Files of the Hugging Face hub: its own library knows its endpoint, and what a revision holds."""

import importlib.util
from dataclasses import dataclass, replace

from compoundnet.weights.errors import CheckpointError

from .access import Access, hub_file, require_reachable
from .problems import TRY, words
from .wanting import Wanted

_SHA256, _HEX = 64, frozenset("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A file of the hub as it is now: what is wanted with the hub's own hash, where it is, and its commit's address."""

    wanted: Wanted
    url: str
    source: str


def resolved(wanted: Wanted, how: Access) -> Resolved:
    """Ask the hub for the commit, the size and the SHA-256 of a file, which it knows of all but small ones.

    Raises CheckpointError, one line, where the library is missing, the hub does not answer, the file is not there, or
    it is another one than is wanted.
    """
    hub = hub_file(wanted.url)
    if importlib.util.find_spec("huggingface_hub") is None:
        remedy = "pip install 'compoundnet[hub]', or use --mirror https://huggingface.co"
        raise CheckpointError(f"{wanted.name}: files of the hub need huggingface_hub; {remedy}")
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        asked = hf_hub_url(hub.repository, hub.file, revision=hub.revision)
        require_reachable(asked, wanted.name)
        about = get_hf_file_metadata(asked, timeout=how.timeout, token=False)
    except CheckpointError:
        raise
    except Exception as error:  # its own, and those of what it is built on
        raise CheckpointError(f"{wanted.name}: {wanted.url}: {words(error)}; {TRY}") from None
    commit = about.commit_hash or hub.revision
    tag = about.etag or ""
    sha256 = tag if len(tag) == _SHA256 and set(tag) <= _HEX else ""
    if sha256 and (wanted.sha256 not in ("", sha256) or not sha256.startswith(wanted.sha256_prefix)):
        problem = f"the hub has SHA-256 {sha256}, expected {wanted.expected()}"
        raise CheckpointError(f"{wanted.name}: {wanted.url}: {problem}; it is another file or revision")
    return Resolved(
        wanted=replace(wanted, sha256=wanted.sha256 or sha256, bytes=wanted.bytes or about.size),
        url=hf_hub_url(hub.repository, hub.file, revision=commit),
        source=f"hf://{hub.repository}@{commit}/{hub.file}",
    )
