"""What was computed and may be asked for again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class SingleFlightCache(Generic[V]):
    """Values by key. Each is made once, however many threads ask for it at a time.

    What was used least lately goes when the values weigh more than `room` together. A value that
    could not be made is not kept.
    """

    def __init__(self, room: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._room = room
        self._weigh = weigh
        self._lock = Lock()
        self._values: OrderedDict[Hashable, Future[V]] = OrderedDict()
        self._weights: dict[Hashable, int] = {}

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, made now if it is not kept; raises what `make` raises."""
        with self._lock:
            if found := self._values.get(key):
                self._values.move_to_end(key)
            else:
                mine = self._values[key] = Future()
        return found.result() if found else self._make(key, mine, make)

    def _make(self, key: Hashable, future: "Future[V]", make: Callable[[], V]) -> V:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                self._values.pop(key, None)
            future.set_exception(error)
            raise
        future.set_result(value)
        with self._lock:
            self._weights[key] = self._weigh(value)
            self._shrink()
        return value

    def _shrink(self) -> None:
        finished: list[Any] = [key for key in self._values if key in self._weights]
        weight = sum(self._weights.values())
        for key in finished[:-1]:
            if weight <= self._room:
                return
            weight -= self._weights.pop(key)
            self._values.pop(key)
