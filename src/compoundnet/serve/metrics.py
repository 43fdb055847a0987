"""What the server counts, for Prometheus."""

import time
from collections.abc import Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "compoundnet_requests", "Requests answered", ["path", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "compoundnet_request_seconds",
            "From the request's head to the end of its answer",
            ["path"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.stages = Histogram(
            "compoundnet_stage_seconds",
            "One picture's decode, preprocess, wait and infer",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.batches = Histogram(
            "compoundnet_batch_pictures",
            "How many pictures ran together, once for each of them",
            buckets=_SIZES,
            registry=self._registry,
        )
        # Looking a child up takes longer than counting; there are as many as there are routes and statuses.
        self._by_stage, self._by_path = cache(self.stages.labels), cache(self.seconds.labels)
        self._by_answer = cache(self.requests.labels)
        self.at_work = Gauge("compoundnet_requests_at_work", "Requests inside the limit", registry=self._registry)
        self.connections = Gauge("compoundnet_connections", "Connections that are open", registry=self._registry)

    def observe(self, ms: Mapping[str, float], batch: int) -> None:
        """One picture's milliseconds by stage, and the size of its batch."""
        for stage, value in ms.items():
            self._by_stage(stage).observe(value / 1e3)
        self.batches.observe(batch)

    def count(self, path: str, status: str, seconds: float) -> None:
        """One request answered."""
        self._by_answer(path, status).inc()
        self._by_path(path).observe(seconds)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)


class Counted:
    """ASGI middleware: counts every request by route and status, and clocks it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = "none"  # the client left before it had an answer

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # Only our own routes become labels: a scanner's paths must not fill the memory.
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.count(path, status, time.perf_counter() - start)
