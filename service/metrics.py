"""Prometheus metrics of the service."""

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
    """Requests by route, open event streams, sweeps by status."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        by_route = ("method", "route")
        self._requests = Counter(
            "paretoib_requests",
            "HTTP requests, by method, route and status.",
            (*by_route, "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "paretoib_request_seconds",
            "Seconds from the start of a request to the end of its response.",
            by_route,
            registry=self._registry,
        )
        self._sweeps = Gauge(
            "paretoib_sweeps",
            "Sweeps in the store, by status.",
            ("status",),
            registry=self._registry,
        )
        self._streams = Gauge(
            "paretoib_event_streams", "Open event streams.", registry=self._registry
        )
        self.open_streams = 0

    @contextmanager
    def open_stream(self) -> Iterator[None]:
        """Count an event stream as open while the context is active."""
        self.open_streams += 1
        self._streams.set(self.open_streams)
        try:
            yield
        finally:
            self.open_streams -= 1
            self._streams.set(self.open_streams)

    def count_request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request; status 0 (the client disconnected) is counted as 499.

        All paths without a route share one label, and all methods without a route share another.
        Otherwise each different path that a client sends would become a time series.
        """
        matched = scope.get("route")
        route = getattr(matched, "path", "unmatched")
        method = scope["method"] if scope["method"] in getattr(matched, "methods", ()) else "any"
        self._requests.labels(method, route, str(status or 499)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def set_sweeps(self, counts: Mapping[str, int]) -> None:
        """Set the number of sweeps with each status."""
        for status in get_args(Status):
            self._sweeps.labels(status).set(counts.get(status, 0))

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
