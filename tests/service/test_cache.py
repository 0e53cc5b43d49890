"""The cache computes a value once, evicts by weight, and does not cache exceptions."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from service import queries
from service.cache import SingleFlightCache


def test_a_value_is_computed_once_for_concurrent_requests() -> None:
    """Threads with the same key wait for the first one. A thread with another key does not wait."""
    cache: SingleFlightCache[int] = SingleFlightCache(10)
    calls = []
    start = threading.Event()

    def slow() -> int:
        calls.append(1)
        assert start.wait(10)
        return 7

    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(cache.get, "slow", slow) for _ in range(19)]
        assert pool.submit(cache.get, "quick", lambda: 1).result(10) == 1
        start.set()
        assert [future.result(10) for future in futures] == [7] * 19
    assert len(calls) == 1


def test_an_exception_is_not_cached() -> None:
    """If the computation raises, every waiting thread gets the exception.

    The next call computes the value again.
    """
    cache: SingleFlightCache[int] = SingleFlightCache(10)

    def fail() -> int:
        time.sleep(0.05)
        raise OSError("unavailable")

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(cache.get, "a", fail) for _ in range(4)]:
            with pytest.raises(OSError, match="unavailable"):
                future.result(10)
    assert cache.get("a", lambda: 3) == 3


def test_the_least_recently_used_value_is_evicted() -> None:
    """The least recently used value is evicted when the total weight exceeds the capacity.

    The newest value is always kept.
    """
    cache: SingleFlightCache[str] = SingleFlightCache(10, len)
    computed = []

    def value(key: str, length: int) -> str:
        def compute() -> str:
            computed.append(key)
            return key * length

        return cache.get(key, compute)

    for key in "abab":
        value(key, 4)
    assert computed == ["a", "b"]
    value("a", 4)
    value("c", 4)  # All three exceed the capacity, and b was used least recently.
    value("a", 4)
    assert computed == ["a", "b", "c"]
    value("b", 4)
    assert computed == ["a", "b", "c", "b"]
    assert value("d", 100) == "d" * 100
    assert value("d", 100) == "d" * 100
    assert computed[-1] == "d"
    assert computed.count("d") == 1


def test_snapshots_are_weighed_by_their_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many snapshots with one trial fit into the cache; two with 60 and 61 trials do not."""
    monkeypatch.setattr(queries, "_RECORDS", 100)
    monkeypatch.setattr(queries, "version", lambda state: state.version)
    sweep_queries = queries.SweepQueries("")
    read = []

    def request(version: int, trials: int) -> None:
        def make(state: Any) -> Any:
            read.append(state.version)
            return SimpleNamespace(records=(None,) * trials)

        monkeypatch.setattr(sweep_queries, "_read", make)
        sweep_queries.snapshot(SimpleNamespace(version=version))  # type: ignore[arg-type]

    for version in (*range(50), *range(50)):
        request(version, 1)
    assert read == list(range(50))
    request(50, 60)
    request(51, 61)  # Evicts all others: 60 and 61 trials exceed the capacity of 100.
    request(51, 61)
    request(50, 60)
    assert read == [*range(50), 50, 51, 50]
