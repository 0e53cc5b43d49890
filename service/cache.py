"""Single-flight LRU cache."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class SingleFlightCache(Generic[V]):
    """LRU cache. If several threads need the same value at the same time, one computes it.

    `weigh` gives the weight of a value. The least recently used values are evicted while the total
    weight exceeds `capacity`; the newest value stays even if it alone is heavier than `capacity`.
    An exception is raised in every waiting thread and is not cached.

    `cachetools` has no such cache: after an exception, the threads that wait for its lock compute
    the value one after the other, and its `LRUCache` rejects a value heavier than the capacity.
    """

    def __init__(self, capacity: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._lock = Lock()
        self._futures: OrderedDict[Hashable, Future[V]] = OrderedDict()
        self._weights: dict[Hashable, int] = {}

    def get(self, key: Hashable, compute: Callable[[], V]) -> V:
        """The value of a key, computed if it is not cached; raises what `compute` raises."""
        with self._lock:
            if cached := self._futures.get(key):
                self._futures.move_to_end(key)
            else:
                new = self._futures[key] = Future()
        return cached.result() if cached else self._compute(key, new, compute)

    def _compute(self, key: Hashable, future: "Future[V]", compute: Callable[[], V]) -> V:
        try:
            value = compute()
        except BaseException as error:
            with self._lock:
                self._futures.pop(key, None)
            future.set_exception(error)
            raise
        future.set_result(value)
        with self._lock:
            self._weights[key] = self._weigh(value)
            self._evict()
        return value

    def _evict(self) -> None:
        computed: list[Any] = [key for key in self._futures if key in self._weights]
        weight = sum(self._weights.values())
        for key in computed[:-1]:
            if weight <= self._capacity:
                return
            weight -= self._weights.pop(key)
            self._futures.pop(key)
