"""What was computed is kept, made once, and does not grow without end."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from service import queries
from service.cache import SingleFlightCache


def test_a_value_is_made_once_however_many_ask_at_a_time() -> None:
    """The others wait for the first; another key does not wait for it."""
    kept: SingleFlightCache[int] = SingleFlightCache(10)
    made = []
    go = threading.Event()

    def slow() -> int:
        made.append(1)
        assert go.wait(10)
        return 7

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(kept.get, "slow", slow) for _ in range(19)]
        assert pool.submit(kept.get, "quick", lambda: 1).result(10) == 1
        go.set()
        assert [future.result(10) for future in asked] == [7] * 19
    assert len(made) == 1


def test_what_could_not_be_made_is_tried_again() -> None:
    """Everyone who waited is told why; the next one makes it."""
    kept: SingleFlightCache[int] = SingleFlightCache(10)

    def fail() -> int:
        time.sleep(0.05)
        raise OSError("away")

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(kept.get, "a", fail) for _ in range(4)]:
            with pytest.raises(OSError, match="away"):
                future.result(10)
    assert kept.get("a", lambda: 3) == 3


def test_the_least_lately_used_goes_when_there_is_no_room() -> None:
    """By weight; what is used stays, and the newest is kept even if it is too large."""
    kept: SingleFlightCache[str] = SingleFlightCache(10, len)
    made = []

    def value(key: str, length: int) -> str:
        def make() -> str:
            made.append(key)
            return key * length

        return kept.get(key, make)

    for key in "abab":
        value(key, 4)
    assert made == ["a", "b"]
    value("a", 4)
    value("c", 4)  # No room for three of them: b was used least lately.
    value("a", 4)
    assert made == ["a", "b", "c"]
    value("b", 4)
    assert made == ["a", "b", "c", "b"]
    assert value("d", 100) == "d" * 100
    assert value("d", 100) == "d" * 100
    assert made[-1] == "d"
    assert made.count("d") == 1


def test_snapshots_are_kept_by_their_trials_not_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a sweep that grows the old versions go; many small ones stay, also such without trials."""
    monkeypatch.setattr(queries, "_RECORDS", 100)
    library = queries.SweepQueries("")
    read = []

    def look(version: int, trials: int) -> None:
        def make(row: Any) -> Any:
            read.append(row.version)
            return SimpleNamespace(records=(None,) * trials)

        monkeypatch.setattr(library, "_read", make)
        library.snapshot(SimpleNamespace(version=version))  # type: ignore[arg-type]

    for version in (*range(50), *range(50)):
        look(version, 1)
    assert read == list(range(50))
    look(50, 60)
    look(51, 61)  # no room for both
    look(51, 61)
    look(50, 60)
    assert read == [*range(50), 50, 51, 50]
