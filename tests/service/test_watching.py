"""`GET /sweeps/{sweep}/events`: a sweep as it runs, told once, also to one who comes back."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from httpx_sse import ServerSentEvent, connect_sse

from paretoib.fronts import nondominated
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial


@pytest.fixture(scope="module")
def live(
    empty_store: Path, serve: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Any]]:
    """A store to write to, and a service over it that lets three streams be open."""
    import shutil

    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("live") / "store")
    with serve(store, max_streams="3") as served:
        yield store, served


@pytest.fixture
def running(live: tuple[Path, Any], library: Any) -> tuple[Any, Any, Any, list[Any]]:
    """A sweep that runs: the service, the store, the sweep, and the trials that it will have."""
    folder, served = live
    spec = SweepSpec.from_document({"method": "vib", "trials": 12})
    store = library.tracker_of(folder)
    info = store.create(spec)
    store.begin(info.id, library.ruler)
    return served, store, info, library.records_of(spec, 12)


def told(events: Iterator[ServerSentEvent], until: str) -> list[ServerSentEvent]:
    """The events up to one of this name."""
    found = []
    for event in events:
        if event.event != "message":
            found.append(event)
        if event.event == until:
            return found
    raise AssertionError(f"no event `{until}` came")


def entered(records: list[Any]) -> list[str]:
    """The trials that were on the front when they ended, by building the front anew each time."""
    found = []
    plane: list[tuple[float, float]] = []
    for record in records:
        if record.test is None:
            continue
        here = (record.test.rate_bits, record.test.lost_bits)
        if here not in plane and nondominated([*plane, here])[-1]:
            found.append(record.trial)
        plane.append(here)
    return found


def keys(events: list[ServerSentEvent]) -> list[str]:
    return [json.loads(event.data)["trial"] for event in events if event.event == "point"]


def write(store: Any, sweep_id: str, records: list[Any]) -> None:
    store.add(sweep_id, [EndedTrial(record, 60.0) for record in records])


def test_points_are_told_as_they_enter_the_front_and_then_the_end(running: Any) -> None:
    """Each once, in the order in which they ended; progress after each batch."""
    served, store, info, records = running
    with (
        served.client("reader") as client,
        connect_sse(client, "GET", f"/sweeps/{info.id}/events") as source,
    ):
        assert source.response.headers["content-type"].startswith("text/event-stream")
        assert source.response.headers["x-accel-buffering"] == "no"
        events = source.iter_sse()
        (first,) = told(events, "progress")
        assert json.loads(first.data)["trials"]["finished"] == 0
        assert first.retry == 2000
        write(store, info.id, records[:5])
        seen = told(events, "progress")
        progress = json.loads(seen[-1].data)
        assert progress["trials"] == {"total": 12, "finished": 4, "stopped": 0, "failed": 1}
        assert progress["status"] == "running"
        write(store, info.id, records[5:])
        seen += told(events, "progress")
        store.close(info.id, "finished", None, [])
        seen += told(events, "end")
        assert json.loads(seen[-1].data) == {"status": "finished"}
    assert keys(seen) == entered(records)
    assert len(keys(seen)) < 12
    places = [int(event.id) for event in seen]
    assert places == sorted(places)
    assert places[-1] == 12


def test_one_who_comes_back_is_told_of_what_came_since(running: Any) -> None:
    """By Last-Event-ID, wherever the stream was cut: nothing twice, nothing left out."""
    served, store, info, records = running
    write(store, info.id, records)
    store.close(info.id, "finished", None, [])
    path = f"/sweeps/{info.id}/events"
    with served.client() as client:

        def from_(last: int | None) -> list[ServerSentEvent]:
            headers = {} if last is None else {"Last-Event-ID": str(last)}
            with connect_sse(client, "GET", path, headers=headers) as source:
                return told(source.iter_sse(), "end")

        whole = from_(None)
        points = [event for event in whole if event.event == "point"]
        assert len(points) == len(entered(records))
        for cut in range(len(points)):
            rest = from_(int(points[cut].id))
            assert keys(points[: cut + 1]) + keys(rest) == keys(points)
        assert keys(from_(12)) == keys(from_(10**6)) == []


def test_a_sweep_that_has_ended_is_told_at_once(live: tuple[Path, Any], make_sweep: Any) -> None:
    """Progress and end; with nothing in it, no point."""
    folder, served = live
    info = make_sweep(folder, 0, status="failed")
    with (
        served.client() as client,
        connect_sse(client, "GET", f"/sweeps/{info.id}/events") as source,
    ):
        seen = told(source.iter_sse(), "end")
    assert [event.event for event in seen] == ["progress", "end"]
    assert json.loads(seen[-1].data) == {"status": "failed"}


def test_a_stream_of_no_sweep_is_an_error_and_no_stream(running: Any) -> None:
    """404 as for any other route; a wrong Last-Event-ID is told."""
    served, _, info, _ = running
    with served.client() as client:
        assert client.get("/sweeps/nosuch/events").status_code == 404
        headers = {"Last-Event-ID": "latest"}
        assert client.get(f"/sweeps/{info.id}/events", headers=headers).status_code == 422


def test_only_so_many_streams_are_open_at_a_time(running: Any) -> None:
    """One more is refused, and counted by the metrics; when they go, there is room again."""
    served, _, info, _ = running
    path = f"/sweeps/{info.id}/events"
    with served.client() as client:
        with ExitStack() as streams:
            sources = [streams.enter_context(connect_sse(client, "GET", path)) for _ in range(3)]
            # Kept, as a stream is closed when nobody reads on.
            events = [source.iter_sse() for source in sources]
            assert [len(told(each, "progress")) for each in events] == [1, 1, 1]
            refused = client.get(path)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 0
            assert "paretoib_event_streams 3.0" in client.get("/metrics").text
        deadline = time.monotonic() + 10
        while "paretoib_event_streams 0.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
        with connect_sse(client, "GET", path) as source:
            assert told(source.iter_sse(), "progress")
