"""Rate limit on requests: one token bucket for each access token."""

import time
from collections.abc import Callable


class RateLimiter:
    """A token bucket for each name, with room for `per_minute` requests; it fills in a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, name: str) -> float:
        """Seconds to wait before this request is allowed; 0 if it is allowed now."""
        now = self._clock()
        available, updated = self._buckets.get(name, (self._capacity, now))
        available = min(self._capacity, available + (now - updated) * self._capacity / 60)
        if available < 1:
            self._buckets[name] = available, now
            return (1 - available) * 60 / self._capacity
        self._buckets[name] = available - 1, now
        return 0.0
