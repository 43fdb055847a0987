"""What a server accepts, and the answer to what it does not."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from compoundnet.images import MAX_PIXELS
from compoundnet.schema import counted, require, require_count


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds of one server; with them its memory is bounded too.

    ``queue`` counts the requests at work at once, from the first byte read to the answer. ``batch``
    pictures at most go through the model together; a picture waits at most ``wait_ms`` for others,
    and only while others are on their way. ``connections`` are open at most. A request's head has to arrive
    within ``head_seconds`` of the connection or of its own first byte, its body within ``body_seconds``, and an
    answer has to be taken within ``answer_seconds``.
    Raises FieldError for impossible values.
    """

    max_bytes: int = 16_000_000
    max_pixels: int = MAX_PIXELS
    queue: int = 64
    batch: int = 8
    wait_ms: float = 5.0
    connections: int = 1000
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 30.0
    retry_seconds: int = 1

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "queue", "batch", "connections", "retry_seconds"):
            require_count(getattr(self, name), name)
        require(0 <= self.wait_ms <= 10_000, "wait_ms", f"{self.wait_ms!r} is not between 0 and 10,000 milliseconds")
        for name in ("head_seconds", "body_seconds", "answer_seconds"):
            require(getattr(self, name) > 0, name, f"{getattr(self, name)!r} is not positive")


class RequestError(Exception):
    """A request that gets no answer but an error: the HTTP status and one line."""

    def __init__(self, status: int, text: str, retry_seconds: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_seconds = retry_seconds


class Gate:
    """Counts the requests at work and refuses one too many at once, before anything of it is read."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.inside = 0

    @contextmanager
    def entered(self) -> Generator[None]:
        """One place, given back at the end. Raises RequestError 503 when all are taken."""
        if self.inside >= self._limits.queue:
            work = counted(self.inside, "request is", "requests are")
            text = f"{work} at work; the limit is {self._limits.queue}; try again later"
            raise RequestError(503, text, self._limits.retry_seconds)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
