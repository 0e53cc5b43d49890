"""`GET /metrics`: what the service counts of itself, for Prometheus."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.types import Scope

from paretoib.records import Status


class Metrics:
    """Requests by route, open streams, sweeps by status."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        by_route = ("method", "route")
        self._requests = Counter(
            "paretoib_requests",
            "Requests answered.",
            (*by_route, "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "paretoib_request_seconds",
            "Seconds until an answer was sent whole.",
            by_route,
            registry=self._registry,
        )
        self._sweeps = Gauge(
            "paretoib_sweeps", "Sweeps in the store.", ("status",), registry=self._registry
        )
        self._streams = Gauge(
            "paretoib_event_streams", "Open event streams.", registry=self._registry
        )
        self.streams = 0

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count an open event stream."""
        self.streams += 1
        self._streams.set(self.streams)
        try:
            yield
        finally:
            self.streams -= 1
            self._streams.set(self.streams)

    def request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one; of what no route takes neither path nor method is told: it may be anything."""
        taken = scope.get("route")
        route = getattr(taken, "path", "unmatched")
        method = scope["method"] if scope["method"] in getattr(taken, "methods", ()) else "any"
        self._requests.labels(method, route, str(status or 499)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def sweeps(self, counted: Mapping[str, int]) -> None:
        """So many sweeps of each status."""
        for status in get_args(Status):
            self._sweeps.labels(status).set(counted.get(status, 0))

    def text(self) -> bytes:
        """The page."""
        return generate_latest(self._registry)
