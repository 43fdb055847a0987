"""What mends a file of the store that is damaged or has gone: where it came from decides."""

from compoundnet.schema import shown

from .folder import Stored
from .rows import catalogued, known, not_stored


def remedy(each: Stored) -> str:
    """The command that brings the bytes back that a name stands for.

    >>> remedy(Stored(name="b0", file="b0.pth", sha256="12" * 32, bytes=3, source="https://weights.example/b0.pth"))
    'compoundnet weights fetch b0 replaces it'
    >>> remedy(Stored(name="mine", file="my b0.pth", sha256="12" * 32, bytes=3))
    "it was brought by hand; bring 'my b0.pth' again: compoundnet weights import FILE --name mine"
    """
    if not each.sha256:
        return not_stored(each.name)
    if each.name in known() or each.source:
        return f"compoundnet weights fetch {each.name} replaces it"
    named = "" if each.name in catalogued() else f" --name {each.name}"
    return f"it was brought by hand; bring {shown(each.file)} again: compoundnet weights import FILE{named}"


def locked_remedy(each: Stored, here: bool = False) -> str:
    """The same for what a lock file notes; ``here``: the bytes are, only not under that name.

    >>> locked_remedy(Stored(name="b0", file="b0.pth", sha256="12" * 32, bytes=3, source="https://weights.example/b0"))
    'compoundnet weights fetch b0 --locked FILE brings it'
    """
    return f"compoundnet weights fetch {each.name} --locked FILE brings it" if each.source or here else remedy(each)
