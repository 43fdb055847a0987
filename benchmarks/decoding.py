"""What scaled JPEG decoding saves on a large photograph."""

from collections.abc import Iterator
from typing import Any

from compoundnet.images import decode
from compoundnet.measuring.picture import photograph

from .timing import side_by_side


def records(rounds: int) -> Iterator[dict[str, Any]]:
    """A 12-megapixel JPEG for a 224-pixel network: scaled decode against a full one."""
    data = photograph(4000, 3000)
    figures = side_by_side(lambda: decode(data, at_least=256), lambda: decode(data), max(1, rounds // 3))
    yield {"what": "decode", "image": "4000x3000 JPEG", "at_least": 256, "threads": 1, **figures}
