"""`GET /sweeps/{sweep}/events` sends each event once, also after a reconnect."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from httpx_sse import ServerSentEvent, connect_sse

from paretoib.fronts import nondominated
from paretoib.records import PackProgress, RunningPacks
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial


@pytest.fixture(scope="module")
def live(
    empty_store: Path, serve: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Any]]:
    """A store to write to, and a service on it with at most three open event streams."""
    import shutil

    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("live") / "store")
    with serve(store, max_streams="3") as served:
        yield store, served


@pytest.fixture
def running(live: tuple[Path, Any], store_tools: Any) -> Iterator[tuple[Any, Any, Any, list[Any]]]:
    """A running sweep: the service, the tracker, the sweep, and the records to write."""
    folder, served = live
    spec = SweepSpec.from_document({"method": "vib", "trials": 12})
    store = store_tools.open_tracker(folder)
    info = store.create(spec)
    store.begin(info.id, store_tools.ruler)
    with store_tools.heartbeats(folder, info.id):
        yield served, store, info, store_tools.records(spec, 12)


def read_until(events: Iterator[ServerSentEvent], until: str) -> list[ServerSentEvent]:
    """The events up to the first with this name."""
    result = []
    for event in events:
        if event.event != "message":
            result.append(event)
        if event.event == until:
            return result
    raise AssertionError(f"the stream ended without an event `{until}`")


def front_entries(records: list[Any]) -> list[str]:
    """The trials that were on the front when they ended, found by a new front for each trial."""
    trials = []
    plane: list[tuple[float, float]] = []
    for record in records:
        if record.test is None:
            continue
        point = (record.test.rate_bits, record.test.lost_bits)
        if point not in plane and nondominated([*plane, point])[-1]:
            trials.append(record.trial)
        plane.append(point)
    return trials


def keys(events: list[ServerSentEvent]) -> list[str]:
    """The trial keys of the `point` events."""
    return [json.loads(event.data)["trial"] for event in events if event.event == "point"]


def write(store: Any, sweep_id: str, records: list[Any]) -> None:
    store.add(sweep_id, [EndedTrial(record, 60.0) for record in records])


def test_points_are_sent_as_they_enter_the_front(running: Any) -> None:
    """Each point is sent once, in the order of the ended trials; `progress` follows each batch."""
    served, store, info, records = running
    with (
        served.client("reader") as client,
        connect_sse(client, "GET", f"/sweeps/{info.id}/events") as source,
    ):
        assert source.response.headers["content-type"].startswith("text/event-stream")
        assert source.response.headers["x-accel-buffering"] == "no"
        events = source.iter_sse()
        (first,) = read_until(events, "progress")
        assert json.loads(first.data)["trials"]["finished"] == 0
        assert first.retry == 2000
        write(store, info.id, records[:5])
        seen = read_until(events, "progress")
        progress = json.loads(seen[-1].data)
        assert progress["trials"] == {"total": 12, "finished": 4, "stopped": 0, "failed": 1}
        assert progress["status"] == "running"
        write(store, info.id, records[5:])
        seen += read_until(events, "progress")
        store.close(info.id, "finished", None, [])
        seen += read_until(events, "end")
        assert json.loads(seen[-1].data) == {"status": "finished"}
    assert keys(seen) == front_entries(records)
    assert len(keys(seen)) < 12
    ids = [int(event.id) for event in seen]
    assert ids == sorted(ids)
    assert ids[-1] == 12


def test_the_epochs_of_packs_are_sent(live: tuple[Path, Any], store_tools: Any) -> None:
    """A heartbeat with other packs in training sends `progress` with the same id and counts."""
    folder, served = live
    store = store_tools.open_tracker(folder)
    info = store.create(SweepSpec.from_document({"method": "vib", "trials": 12}))
    store.begin(info.id, store_tools.ruler)
    with (
        served.client("reader") as client,
        connect_sse(client, "GET", f"/sweeps/{info.id}/events") as source,
    ):
        events = source.iter_sse()
        (first,) = read_until(events, "progress")
        assert json.loads(first.data)["packs"] is None
        packs = RunningPacks.of([PackProgress(trials=12, epoch=24, epochs=50)])
        store.heartbeat(info.id, packs)
        (second,) = read_until(events, "progress")
        assert (second.id, json.loads(second.data)["packs"]) == ("0", packs.document)
        assert json.loads(second.data)["trials"] == json.loads(first.data)["trials"]
        store.close(info.id, "cancelled", None, [])
        *_, last, _ = read_until(events, "end")
        assert json.loads(last.data)["packs"] is None


def test_a_reconnect_continues_after_the_last_event(running: Any) -> None:
    """After a reconnect with the id of any `point`, no `point` is repeated and none is missing."""
    served, store, info, records = running
    write(store, info.id, records)
    store.close(info.id, "finished", None, [])
    path = f"/sweeps/{info.id}/events"
    with served.client() as client:

        def events_after(last: int | None) -> list[ServerSentEvent]:
            headers = {} if last is None else {"Last-Event-ID": str(last)}
            with connect_sse(client, "GET", path, headers=headers) as source:
                return read_until(source.iter_sse(), "end")

        points = [event for event in events_after(None) if event.event == "point"]
        assert len(points) == len(front_entries(records))
        for cut in range(len(points)):
            rest = events_after(int(points[cut].id))
            assert keys(points[: cut + 1]) + keys(rest) == keys(points)
        assert keys(events_after(12)) == keys(events_after(10**6)) == []


def test_a_resumed_sweep_repeats_no_event(
    running: Any, store_tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream of a resumed sweep repeats no `point`, and none is missing.

    The writer is killed after it has written a trial and before it updates the counts, so the
    resumed sweep has the same status and counts as before this trial.
    """
    served, store, info, records = running
    path = f"/sweeps/{info.id}"

    def log_except_counts(run_id: str, **values: Any) -> None:
        if run_id != info.id or "metrics" not in values:
            type(store)._log(store, run_id, **values)

    with served.client() as client:
        seen: list[ServerSentEvent] = []

        def follow(until: str) -> None:
            headers = {"Last-Event-ID": seen[-1].id if seen else "0"}
            with connect_sse(client, "GET", f"{path}/events", headers=headers) as source:
                seen.extend(read_until(source.iter_sse(), until))

        write(store, info.id, records[:6])
        follow("progress")
        with monkeypatch.context() as patch:
            patch.setattr(store, "_log", log_except_counts)
            write(store, info.id, records[6:7])
        store.close(info.id, "interrupted", None, [])
        follow("end")
        store.begin(info.id, store_tools.ruler)
        deadline = time.monotonic() + 10
        while client.get(path).json()["status"] != "running":
            assert time.monotonic() < deadline
        follow("progress")
        write(store, info.id, records[7:])
        store.close(info.id, "finished", None, [])
        follow("end")
    assert keys(seen) == front_entries(records)
    ids = [int(event.id) for event in seen]
    assert ids == sorted(ids)


def test_the_stream_of_an_ended_sweep_ends_at_once(live: tuple[Path, Any], make_sweep: Any) -> None:
    """The stream of an ended sweep without trials sends `progress` and `end`, and no `point`."""
    folder, served = live
    info = make_sweep(folder, 0, status="failed")
    with (
        served.client() as client,
        connect_sse(client, "GET", f"/sweeps/{info.id}/events") as source,
    ):
        seen = read_until(source.iter_sse(), "end")
    assert [event.event for event in seen] == ["progress", "end"]
    assert json.loads(seen[-1].data) == {"status": "failed"}


def test_an_unknown_sweep_or_event_id_is_an_error(running: Any) -> None:
    """A request for the stream of an unknown sweep gets 404; an invalid Last-Event-ID gets 422."""
    served, _, info, _ = running
    with served.client() as client:
        assert client.get("/sweeps/nosuch/events").status_code == 404
        headers = {"Last-Event-ID": "latest"}
        assert client.get(f"/sweeps/{info.id}/events", headers=headers).status_code == 422


def test_the_number_of_open_streams_is_limited(running: Any) -> None:
    """At the limit, a new stream gets 429 until a stream is closed.

    The metrics count open streams.
    """
    served, _, info, _ = running
    path = f"/sweeps/{info.id}/events"
    with served.client() as client:
        with ExitStack() as streams:
            sources = [streams.enter_context(connect_sse(client, "GET", path)) for _ in range(3)]
            # Keep the iterators: a discarded iterator closes the stream.
            events = [source.iter_sse() for source in sources]
            assert [len(read_until(each, "progress")) for each in events] == [1, 1, 1]
            refused = client.get(path)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 0
            assert "paretoib_event_streams 3.0" in client.get("/metrics").text
        deadline = time.monotonic() + 10
        while "paretoib_event_streams 0.0" not in client.get("/metrics").text:
            assert time.monotonic() < deadline
        with connect_sse(client, "GET", path) as source:
            assert read_until(source.iter_sse(), "progress")
