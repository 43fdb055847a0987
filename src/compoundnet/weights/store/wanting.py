"""What is wanted: a name, an address, a file name, and the hashes that its bytes must have."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from compoundnet.schema import require, shown

MOST_NAME, MOST_FILE = 150, 150  # of a name, and of a file name, in bytes: file systems take 255 with what we add
_PIECE = r"[A-Za-z0-9][A-Za-z0-9_.+=-]*"
_NAME = re.compile(rf"{_PIECE}(/{_PIECE})*")
_FORBIDDEN = frozenset('/\\:*?"<>|')
_HEX = frozenset("0123456789abcdef")
_SHA256, _MD5, _SHORTEST = 64, 32, 6
_STEP = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A file of weights that somebody published.

    ``file`` is the name it keeps in the store, ``url`` an https address, or ``hf://owner/name[@revision]/file`` for
    the Hugging Face hub; "" where there is none. Of ``sha256`` (64 hex digits), ``md5`` (32) and ``sha256_prefix``
    (the first digits, as many as were published) and ``bytes`` (exact) those are given that are known, and all
    of them must agree with what comes. Raises FieldError for a name, file name or hash that is none.

    >>> Wanted(name="b0", file="../b0.pth")
    Traceback (most recent call last):
    compoundnet.schema.FieldError: file: '../b0.pth' is no plain file name
    """

    name: str
    file: str
    url: str = ""
    sha256: str = ""
    md5: str = ""
    sha256_prefix: str = ""
    bytes: int | None = None

    def __post_init__(self) -> None:
        require(is_name(self.name), "name", f"{shown(self.name)} is no name; use letters, digits and . _ + = - /")
        require(is_file_name(self.file), "file", f"{shown(self.file)} is no plain file name")
        for field, digits in (("sha256", _SHA256), ("md5", _MD5)):
            value = getattr(self, field)
            object.__setattr__(self, field, value.lower())
            fits = not value or (len(value) == digits and set(value.lower()) <= _HEX)
            require(fits, field, f"{shown(value)} is not {digits} hex digits")
        prefix = self.sha256_prefix.lower()
        object.__setattr__(self, "sha256_prefix", prefix)
        fits = not prefix or (_SHORTEST <= len(prefix) <= _SHA256 and set(prefix) <= _HEX)
        require(fits, "sha256_prefix", f"{shown(prefix)} is not {_SHORTEST} to {_SHA256} hex digits")
        require(self.bytes is None or self.bytes > 0, "bytes", f"{self.bytes} is not above 0")

    @property
    def certain(self) -> bool:
        """Whether a hash is known that nobody can meet with other bytes; the first digits of one are too few."""
        return bool(self.sha256 or self.md5)

    @property
    def hashed(self) -> bool:
        """Whether any hash is known, so that other bytes are noticed."""
        return self.certain or bool(self.sha256_prefix)

    def refuses(self, found: "Digest") -> str:
        """Why a file of that digest is not the wanted one, in words; "" when it is.

        >>> wanted = Wanted(name="b0", file="b0.pth", sha256_prefix="7f5810bc")
        >>> wanted.refuses(Digest(sha256="7f5810bc" + 56 * "0", md5="", bytes=3))
        ''
        """
        if self.sha256 and found.sha256 != self.sha256:
            return f"its SHA-256 is {found.sha256}, expected {self.sha256}"
        if self.md5 and found.md5 != self.md5:
            return f"its MD5 is {found.md5}, expected {self.md5}"
        if not found.sha256.startswith(self.sha256_prefix):
            return f"its SHA-256 is {found.sha256}, expected one that begins with {self.sha256_prefix}"
        if self.bytes is not None and found.bytes != self.bytes:
            return f"it has {found.bytes:,} bytes, expected {self.bytes:,}"
        return ""

    def expected(self) -> str:
        """The hash that is known, in words.

        >>> Wanted(name="b0", file="b0.pth", sha256_prefix="7f5810bc").expected()
        'SHA-256 7f5810bc...'
        """
        if self.sha256:
            return f"SHA-256 {self.sha256}"
        if self.md5:
            return f"MD5 {self.md5}"
        return f"SHA-256 {self.sha256_prefix}..." if self.sha256_prefix else "no hash is published"


@dataclass(frozen=True, kw_only=True)
class Digest:
    """The hashes and the size of a file as it is on the disk."""

    sha256: str
    md5: str
    bytes: int


def digest(path: Path) -> Digest:
    """Read a file once for both hashes. Raises OSError as reading does."""
    sha, md5, count = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while block := file.read(_STEP):
            sha.update(block)
            md5.update(block)
            count += len(block)
    return Digest(sha256=sha.hexdigest(), md5=md5.hexdigest(), bytes=count)


def is_name(text: str) -> bool:
    """Whether a name is plain: pieces of letters, digits and . _ + = -, with / between them.

    >>> is_name("timm/tf_efficientnet_b0.ns_jft_in1k"), is_name("../b0"), is_name("b0//x"), is_name("")
    (True, False, False, False)
    """
    return len(text) <= MOST_NAME and _NAME.fullmatch(text) is not None


def is_file_name(text: str) -> bool:
    """Whether a file name is one and nothing else on every system, and no hidden file.

    >>> is_file_name("b0 (1).pth"), is_file_name("../b0.pth"), is_file_name(".b0"), is_file_name("C:b0")
    (True, False, False, False)
    """
    plain = text.isprintable() and not _FORBIDDEN & set(text) and text == text.strip()
    return plain and 0 < len(text.encode("utf-8", "replace")) <= MOST_FILE and text[0] not in ".-" and text[-1] != "."
