"""Sweeps on a real Ray cluster: submit, watch, cancel and resume; lost and stale sweeps."""

import hashlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

import paretoib
from paretoib.settings import settings
from paretoib.specs import SweepSpec
from paretoib.tracking._mlflow.submissions import SubmissionTracker

SMALL = {
    "method": "vib",
    "model": {"name": "mlp", "hidden": [16], "latent": 4},
    "training": {"epochs": 2},
    "grid": {"beta": [0.1, 0.01]},
}
# Two trials that end soon after their start, then two that run longer than a test.
LONG = {**SMALL, "grid": {"epochs": [1, 2000], "beta": [0.1, 0.01]}, "data": "digits"}
PATIENCE = 120.0  # seconds


def wait_until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until a condition is true; returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.3)
    return value


def submit(client: httpx.Client, document: dict[str, Any], **headers: str) -> httpx.Response:
    return client.post("/sweeps", json=document, headers=headers)


def accepted(answer: httpx.Response) -> httpx.Response | None:
    """The response if its status is 202, else None."""
    return answer if answer.status_code == 202 else None


def sweep_of(client: httpx.Client, sweep: str) -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"/sweeps/{sweep}").json()
    return document


def wait_for_status(client: httpx.Client, sweep: str, *statuses: str) -> dict[str, Any]:
    """Wait until the sweep has one of these statuses; returns the sweep."""
    wait_until(lambda: sweep_of(client, sweep)["status"] in statuses)
    return sweep_of(client, sweep)


def job_of(sweep: str) -> int | None:
    """The id of the process that runs a sweep; None if no process does."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:4] == [b"-m", b"jobs.sweep", sweep.encode()]:
            return int(command.parent.name)
    return None


def test_a_sweep_is_submitted_watched_and_read(serve_cluster: Callable[..., Any]) -> None:
    """A client submits a sweep, and reads its events, its front and the history of a trial.

    After the end of the sweep, DELETE and resume get 409.
    """
    with serve_cluster() as served, served.client() as client:
        wait_until(lambda: client.get("/readyz").json() == {"mlflow": "ok", "ray": "ok"})
        answer = submit(client, {**SMALL, "name": "over HTTP"})
        assert answer.status_code == 202
        sweep = answer.json()["id"]
        assert answer.headers["location"] == f"/sweeps/{sweep}"
        assert answer.json()["status"] == "running"
        with connect_sse(client, "GET", f"/sweeps/{sweep}/events") as source:
            events = [(e.event, json.loads(e.data)) for e in source.iter_sse() if e.data]
        assert events[-1] == ("end", {"status": "finished"})
        assert events[-2][1]["trials"]["finished"] == 2
        points = client.get(f"/sweeps/{sweep}/front").json()["points"]
        assert len(points) == 2
        on_front = {data["trial"] for name, data in events if name == "point"}
        assert on_front <= {point["trial"] for point in points}
        trial = client.get(f"/sweeps/{sweep}/trials/{points[0]['trial']}").json()
        assert len(next(iter(trial["history"].values()))) == 2
        assert client.delete(f"/sweeps/{sweep}").status_code == 409
        assert client.post(f"/sweeps/{sweep}/resume").status_code == 409


def test_a_sweep_with_a_preset_is_submitted_and_stored(serve_cluster: Callable[..., Any]) -> None:
    """The stored sweep has all values of the preset, those of the body, and the preset's name."""
    body = {
        "method": "sfnn",
        "preset": "imb-fig1",
        "seeds": [3],
        "model": {"hidden": [4], "latent": 3},
        "training": {"epochs": 1},
    }
    with serve_cluster() as served, served.client() as client:
        answer = submit(client, body)
        assert answer.status_code == 202
        stored = wait_for_status(client, answer.json()["id"], "finished")["spec"]
        assert stored == SweepSpec.from_document(body).document
        assert (stored["preset"], stored["seeds"]) == ("imb-fig1", [3])
        assert stored["training"]["optimiser"] == "sgd"
        trial = client.get(f"/sweeps/{answer.json()['id']}/trials").json()["trials"][0]
        assert trial["spec"]["data"]["train_share"] == 0.8
        assert trial["spec"]["model"]["hidden"] == [4]


def test_a_sweep_that_does_not_fit_the_cluster_has_a_reason(
    serve_cluster: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that fits no node fails and does not wait.

    JSON, events, page and log show the reason, and `watch` of the remote backend returns None.
    """
    with serve_cluster() as served, served.client() as client:
        monkeypatch.setenv("PARETOIB_TOKEN", served.secret)
        settings.cache_clear()
        backend = paretoib.connect(served.address)
        settings.cache_clear()
        spec = {**SMALL, "name": "no GPU", "resources": {"gpus": 0.5}}
        submitted = backend.submit(SweepSpec.from_document(spec))
        assert backend.watch(submitted) is None
        sweep = submitted.id
        state = sweep_of(client, sweep)
        assert (state["status"], state["trials"]["finished"]) == ("failed", 0)
        assert state["reason"] in backend.logs("no GPU").text
        assert state["reason"] == (
            "resources: a node should have room for a pack (1 CPU and 0.5 GPU); "
            "found nodes with 2 CPU"
        )
        with connect_sse(client, "GET", f"/sweeps/{sweep}/events") as source:
            *_, last = source.iter_sse()
        assert json.loads(last.data) == {"status": "failed", "reason": state["reason"]}
        page = client.get(f"/sweeps/{sweep}", headers={"Accept": "text/html"}).text
        assert state["reason"] in page


def test_one_idempotency_key_creates_one_sweep(serve_cluster: Callable[..., Any]) -> None:
    """50 concurrent requests with one key get the same sweep.

    A request with this key gets this sweep even after a restart of the service.
    """
    document = {**SMALL, "name": "once"}
    with serve_cluster() as served:
        with served.client() as client, ThreadPoolExecutor(50) as pool:
            posts = [
                pool.submit(submit, client, document, **{"Idempotency-Key": "k"}) for _ in range(50)
            ]
            answers = [post.result() for post in posts]
        assert {answer.status_code for answer in answers} == {202}
        (sweep,) = {answer.json()["id"] for answer in answers}
        served.process.kill()
    with serve_cluster() as served, served.client() as client:
        assert submit(client, document, **{"Idempotency-Key": "k"}).json()["id"] == sweep
        assert client.get("/sweeps?name=once").json()["total"] == 1
        other = submit(client, {**document, "seeds": [1]}, **{"Idempotency-Key": "k"})
        assert other.status_code == 422
        assert other.json()["type"] == "urn:paretoib:problem:key-reused"
        # The sweep went on while the service was down, because its job runs in Ray.
        assert wait_for_status(client, sweep, "finished")["trials"]["finished"] == 2


def test_repeating_a_failed_request_submits_its_sweep(
    serve_cluster: Callable[..., Any], cluster: Any
) -> None:
    """If a failed request has created a sweep, repeating the request submits this sweep to Ray.

    A sweep that a user has cancelled is not submitted.
    """
    store = SubmissionTracker(f"sqlite:///{cluster.store}/mlflow.db")
    document = {**SMALL, "name": "cut off"}

    def create(key: str) -> str:
        request = hashlib.sha256(f"writer\n{key}".encode()).hexdigest()
        return store.create_submitted(SweepSpec.from_document(document), request).id

    killed, refused, cancelled = create("killed"), create("refused"), create("cancelled")
    # As if Ray rejected the sweep, or the service closed it after a restart.
    store.close(refused, "interrupted", None, [])
    # As if a user cancelled the sweep.
    store.cancel(cancelled)
    store.close(cancelled, "interrupted", None, [])
    with serve_cluster() as served, served.client() as client:

        def repeat(key: str) -> tuple[str, str]:
            sweep = submit(client, document, **{"Idempotency-Key": key}).json()
            return sweep["id"], sweep["status"]

        assert repeat("killed") == (killed, "running")
        assert repeat("refused") == (refused, "running")
        assert repeat("cancelled") == (cancelled, "cancelled")
        for sweep in (killed, refused):
            assert wait_for_status(client, sweep, "finished")["trials"]["finished"] == 2
            assert client.get("/sweeps?name=cut off").json()["total"] == 3
        assert repeat("refused") == (refused, "finished")


@pytest.mark.slow
def test_a_cancelled_sweep_keeps_its_trials_and_can_be_resumed(
    serve_cluster: Callable[..., Any],
) -> None:
    """The ended trials of a cancelled sweep are kept in order.

    A running sweep cannot be resumed.
    """
    with serve_cluster(max_running="1") as served, served.client() as client:
        # The job of another test may still be ending.
        posted = wait_until(lambda: accepted(submit(client, {**LONG, "name": "cancelled"})))
        sweep = posted.json()["id"]
        wait_until(lambda: sweep_of(client, sweep)["trials"]["finished"] >= 2)
        full = submit(client, SMALL)
        assert full.status_code == 429
        assert full.json()["type"] == "urn:paretoib:problem:too-many-sweeps"
        assert client.post(f"/sweeps/{sweep}/resume").status_code == 409
        began = time.monotonic()
        assert client.delete(f"/sweeps/{sweep}").status_code == 202
        wait_for_status(client, sweep, "cancelled")
        assert time.monotonic() - began < 60
        kept = [trial["trial"] for trial in client.get(f"/sweeps/{sweep}/trials").json()["trials"]]
        assert len(kept) == 2
        answer = wait_until(
            lambda: (a := client.post(f"/sweeps/{sweep}/resume")).status_code == 202 and a
        )
        assert answer.json()["status"] == "running"
        wait_until(lambda: job_of(sweep))
        assert client.delete(f"/sweeps/{sweep}").status_code == 202
        wait_for_status(client, sweep, "cancelled")
        again = client.get(f"/sweeps/{sweep}/trials").json()["trials"]
        assert [trial["trial"] for trial in again][:2] == kept


@pytest.mark.slow
def test_a_lost_job_is_shown_as_interrupted_within_a_minute(
    serve_cluster: Callable[..., Any],
) -> None:
    """If a job is killed while the service is down, its sweep is interrupted within a minute.

    No ended trial is lost.
    """
    with serve_cluster() as served, served.client() as client:
        sweep = submit(client, {**LONG, "name": "lost"}).json()["id"]
        wait_until(lambda: sweep_of(client, sweep)["trials"]["finished"] >= 2)
        served.process.kill()
    job = job_of(sweep)
    assert job
    os.kill(job, signal.SIGKILL)
    began = time.monotonic()
    with serve_cluster() as served, served.client() as client:
        state = wait_for_status(client, sweep, "interrupted")
        assert time.monotonic() - began < 60
        assert state["trials"]["finished"] == 2
        assert len(client.get(f"/sweeps/{sweep}/front").json()["points"]) == 2


def test_sweeps_without_a_writer_are_interrupted(
    fresh_store: Path,
    make_sweep: Callable[..., Any],
    serve: Callable[..., Any],
    store_tools: Any,
) -> None:
    """The service shows stale sweeps as interrupted, and closes those that it has submitted.

    `lost` is stale and submitted. `stale` is stale, but another process started it. `running` has
    heartbeats. `waiting` is submitted and has not begun. As long as Ray does not answer, its status
    stays `running`.
    """
    lost, stale, running = (make_sweep(fresh_store, 3, name=n, status="running") for n in "abc")
    waiting = make_sweep(fresh_store, 0, name="d", status="running")
    for submitted in (lost, waiting):
        SubmissionTracker(f"sqlite:///{fresh_store}/mlflow.db").mark_submitted(submitted.id)
    # Move all starts an hour back, submissions to the last century and the heartbeat of `lost` to
    # 2001, and delete the other heartbeats.
    with closing(sqlite3.connect(fresh_store / "mlflow.db")) as database, database:
        database.execute("UPDATE runs SET start_time = start_time - 3600000")
        database.execute(
            "UPDATE tags SET value = replace(value, '20', '19') "
            "WHERE key = 'mlflow.paretoib.submitted'"
        )
        writer = "key = 'mlflow.paretoib.writer' AND run_uuid"
        database.execute(f"DELETE FROM tags WHERE {writer} != '{lost.id}'")
        database.execute(
            "UPDATE tags SET value = json_set(value, '$.alive', 1000000000) "
            f"WHERE {writer} = '{lost.id}'"
        )
    tracker = store_tools.open_tracker(fresh_store)
    with (
        store_tools.heartbeats(fresh_store, running.id),
        serve(fresh_store, reconcile_seconds="0.5") as served,
        served.client() as client,
    ):
        assert wait_for_status(client, lost.id, "interrupted")["trials"]["finished"] == 3
        state = wait_for_status(client, stale.id, "interrupted")
        assert (state["ended"], state["reason"]) == (None, "no heartbeat for 20 s or more")
        assert tracker.find(lost.id).status == "interrupted"
        # The store still has status RUNNING; every reader applies the stale rule.
        assert tracker.find(stale.id).stale
        assert tracker._run(stale.id).status == "RUNNING"
        answer = client.delete(f"/sweeps/{stale.id}")
        assert (answer.status_code, answer.json()["detail"]) == (
            409,
            "a sweep should be running; found interrupted",
        )
        assert sweep_of(client, running.id)["status"] == "running"
        assert sweep_of(client, waiting.id)["status"] == "running"
        assert client.get("/metrics").text.count('paretoib_sweeps{status="running"} 2.0') == 1
        with store_tools.heartbeats(fresh_store, stale.id):
            wait_for_status(client, stale.id, "running")


def test_a_sweep_that_has_not_begun_cannot_be_cancelled_without_ray(
    fresh_store: Path, serve: Callable[..., Any], store_tools: Any
) -> None:
    """Without Ray, DELETE gets 503 for a sweep that has not begun: its job would start later.

    A sweep that has begun can be cancelled, because its writer polls the store.
    """
    store = SubmissionTracker(f"sqlite:///{fresh_store}/mlflow.db")
    waiting, begun = (
        store.create_submitted(SweepSpec.from_document({**SMALL, "name": n}), None).id for n in "ab"
    )
    writer = store_tools.open_tracker(fresh_store)
    time.sleep(1)  # Heartbeats have a resolution of one second.
    writer.begin(begun, store_tools.ruler)
    with (
        store_tools.heartbeats(fresh_store, begun),
        serve(fresh_store) as served,
        served.client() as client,
    ):
        refused = client.delete(f"/sweeps/{waiting}")
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (503, True)
        assert refused.json()["type"] == "urn:paretoib:problem:cluster-unavailable"
        assert sweep_of(client, waiting)["status"] == "running"
        assert client.delete(f"/sweeps/{begun}").status_code == 202
    assert writer.heartbeat(begun) is True
