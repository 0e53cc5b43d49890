"""Sweeps on a real Ray cluster, over HTTP: submitted, watched, cancelled, resumed, lost."""

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

from paretoib.specs import SweepSpec
from paretoib.tracking._mlflow.submissions import SubmissionTracker

SMALL = {
    "method": "vib",
    "model": {"name": "mlp", "hidden": [16], "latent": 4},
    "training": {"epochs": 2},
    "grid": {"beta": [0.1, 0.01]},
}
# Two trials that end at once, and then two that take longer than a test.
LONG = {**SMALL, "grid": {"epochs": [1, 2000], "beta": [0.1, 0.01]}, "data": "digits"}
PATIENCE = 120.0  # seconds


def wait_until(true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.3)
    return found


def submit(client: httpx.Client, document: dict[str, Any], **headers: str) -> httpx.Response:
    return client.post("/sweeps", json=document, headers=headers)


def accepted(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 202 else None


def sweep_of(client: httpx.Client, sweep: str) -> dict[str, Any]:
    document: dict[str, Any] = client.get(f"/sweeps/{sweep}").json()
    return document


def ended(client: httpx.Client, sweep: str, *statuses: str) -> dict[str, Any]:
    """The sweep, once it has one of these statuses."""
    wait_until(lambda: sweep_of(client, sweep)["status"] in statuses)
    return sweep_of(client, sweep)


def job_of(sweep: str) -> int | None:
    """The process that runs a sweep, if there is one."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:4] == [b"-m", b"jobs.sweep", sweep.encode()]:
            return int(command.parent.name)
    return None


def test_a_sweep_is_submitted_watched_and_read(serve_cluster: Callable[..., Any]) -> None:
    """From the POST to the front: each trial once, its history, and the end."""
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
        told = {data["trial"] for name, data in events if name == "point"}
        assert told <= {point["trial"] for point in points}
        trial = client.get(f"/sweeps/{sweep}/trials/{points[0]['trial']}").json()
        assert len(next(iter(trial["history"].values()))) == 2
        refused = client.delete(f"/sweeps/{sweep}")
        assert refused.status_code == 409
        assert client.post(f"/sweeps/{sweep}/resume").status_code == 409


def test_a_sweep_that_the_cluster_has_no_room_for_says_why(
    serve_cluster: Callable[..., Any],
) -> None:
    """It is interrupted rather than waiting for ever, with the reason for whoever looks."""
    with serve_cluster() as served, served.client() as client:
        sweep = submit(client, {**SMALL, "name": "no GPU", "resources": {"gpus": 0.5}}).json()["id"]
        found = ended(client, sweep, "interrupted")
        assert found["reason"] == (
            "resources: a node should have room for a pack (1 CPU and 0.5 GPU); "
            "found nodes with 2 CPU"
        )
        with connect_sse(client, "GET", f"/sweeps/{sweep}/events") as source:
            *_, last = source.iter_sse()
        assert json.loads(last.data) == {"status": "interrupted", "reason": found["reason"]}
        page = client.get(f"/sweeps/{sweep}", headers={"Accept": "text/html"}).text
        assert found["reason"] in page


def test_one_key_makes_one_sweep(serve_cluster: Callable[..., Any]) -> None:
    """Of 50 posts at a time, and of one after the service has been killed; of each client's own."""
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
        # It went on meanwhile: the service is not what runs it.
        assert ended(client, sweep, "finished")["trials"]["finished"] == 2


def test_a_request_that_was_cut_off_is_finished_by_its_repetition(
    serve_cluster: Callable[..., Any], cluster: Any
) -> None:
    """Wherever between the writing of the sweep and the handing over to Ray it was cut off."""
    store = SubmissionTracker(f"sqlite:///{cluster.store}/mlflow.db")
    document = {**SMALL, "name": "cut off"}

    def made(key: str) -> str:
        request = hashlib.sha256(f"writer\n{key}".encode()).hexdigest()
        return store.create_submitted(SweepSpec.from_document(document), request).id

    killed, refused, cancelled = made("killed"), made("refused"), made("cancelled")
    # Ray did not take it, or a service found it after a kill.
    store.close(refused, "interrupted", None, [])
    # Somebody wanted it no more.
    store.cancel(cancelled)
    store.close(cancelled, "interrupted", None, [])
    with serve_cluster() as served, served.client() as client:

        def again(key: str) -> tuple[str, str]:
            sweep = submit(client, document, **{"Idempotency-Key": key}).json()
            return sweep["id"], sweep["status"]

        assert again("killed") == (killed, "running")
        assert again("refused") == (refused, "running")
        assert again("cancelled") == (cancelled, "interrupted")
        for sweep in (killed, refused):
            assert ended(client, sweep, "finished")["trials"]["finished"] == 2
            assert client.get("/sweeps?name=cut off").json()["total"] == 3
        assert again("refused") == (refused, "finished")


@pytest.mark.slow
def test_a_cancelled_sweep_keeps_what_had_ended_and_goes_on(
    serve_cluster: Callable[..., Any],
) -> None:
    """DELETE ends it as interrupted; resume takes up the rest, and is refused while it runs."""
    with serve_cluster(max_running="1") as served, served.client() as client:
        # Another test's job may be just ending.
        posted = wait_until(lambda: accepted(submit(client, {**LONG, "name": "cancelled"})))
        sweep = posted.json()["id"]
        wait_until(lambda: sweep_of(client, sweep)["trials"]["finished"] >= 2)
        full = submit(client, SMALL)
        assert full.status_code == 429
        assert full.json()["type"] == "urn:paretoib:problem:too-many-sweeps"
        assert client.post(f"/sweeps/{sweep}/resume").status_code == 409
        began = time.monotonic()
        assert client.delete(f"/sweeps/{sweep}").status_code == 202
        ended(client, sweep, "interrupted")
        assert time.monotonic() - began < 60
        kept = [trial["trial"] for trial in client.get(f"/sweeps/{sweep}/trials").json()["trials"]]
        assert len(kept) == 2
        answer = wait_until(
            lambda: (a := client.post(f"/sweeps/{sweep}/resume")).status_code == 202 and a
        )
        assert answer.json()["status"] == "running"
        wait_until(lambda: job_of(sweep))
        assert client.delete(f"/sweeps/{sweep}").status_code == 202
        ended(client, sweep, "interrupted")
        again = client.get(f"/sweeps/{sweep}/trials").json()["trials"]
        assert [trial["trial"] for trial in again][:2] == kept


@pytest.mark.slow
def test_a_lost_job_is_shown_as_interrupted_within_a_minute(
    serve_cluster: Callable[..., Any],
) -> None:
    """Also where the service was away when it happened; nothing that had ended is lost."""
    with serve_cluster() as served, served.client() as client:
        sweep = submit(client, {**LONG, "name": "lost"}).json()["id"]
        wait_until(lambda: sweep_of(client, sweep)["trials"]["finished"] >= 2)
        served.process.kill()
    job = job_of(sweep)
    assert job
    os.kill(job, signal.SIGKILL)
    began = time.monotonic()
    with serve_cluster() as served, served.client() as client:
        found = ended(client, sweep, "interrupted")
        assert time.monotonic() - began < 60
        assert found["trials"]["finished"] == 2
        assert len(client.get(f"/sweeps/{sweep}/front").json()["points"]) == 2


def test_sweeps_that_nobody_runs_are_called_interrupted(
    fresh_store: Path,
    make_sweep: Callable[..., Any],
    serve: Callable[..., Any],
    library: Any,
) -> None:
    """One that the service submitted for good; of those started elsewhere, as long as it seems so.

    What runs elsewhere is left alone, and, as Ray does not answer, what may yet come to its turn.
    """
    lost, gone, runs = (make_sweep(fresh_store, 3, name=n, status="running") for n in "abc")
    waits = make_sweep(fresh_store, 0, name="d", status="running")
    for submitted in (lost, waits):
        SubmissionTracker(f"sqlite:///{fresh_store}/mlflow.db").mark_submitted(submitted.id)
    # As if it had been an hour ago.
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
    stored = library.tracker_of(fresh_store)
    with (
        library.alive(fresh_store, runs.id),
        serve(fresh_store, reconcile_seconds="0.5") as served,
        served.client() as client,
    ):
        assert ended(client, lost.id, "interrupted")["trials"]["finished"] == 3
        found = ended(client, gone.id, "interrupted")
        assert (found["ended"], found["reason"]) == (None, "no heartbeat for 20 s or more")
        assert stored.find(lost.id).status == "interrupted"
        # Nobody has closed it; every reader finds that its heartbeat stopped.
        assert stored.find(gone.id).stale
        assert stored._run(gone.id).info.status == "RUNNING"
        answer = client.delete(f"/sweeps/{gone.id}")
        assert (answer.status_code, answer.json()["detail"]) == (
            409,
            "a sweep should be running; found interrupted",
        )
        assert sweep_of(client, runs.id)["status"] == "running"
        assert sweep_of(client, waits.id)["status"] == "running"
        assert client.get("/metrics").text.count('paretoib_sweeps{status="running"} 2.0') == 1
        with library.alive(fresh_store, gone.id):
            ended(client, gone.id, "running")


def test_a_cancel_that_would_be_lost_is_not_accepted(
    fresh_store: Path, serve: Callable[..., Any], library: Any
) -> None:
    """One that waits in a Ray that is away would begin all the same; a writer hears of it."""
    store = SubmissionTracker(f"sqlite:///{fresh_store}/mlflow.db")
    waits, begun = (
        store.create_submitted(SweepSpec.from_document({**SMALL, "name": n}), None).id for n in "ab"
    )
    writer = library.tracker_of(fresh_store)
    time.sleep(1)  # A sign of life is told in whole seconds.
    writer.begin(begun, library.ruler)
    with serve(fresh_store) as served, served.client() as client:
        refused = client.delete(f"/sweeps/{waits}")
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (503, True)
        assert refused.json()["type"] == "urn:paretoib:problem:cluster-unavailable"
        assert sweep_of(client, waits)["status"] == "running"
        assert client.delete(f"/sweeps/{begun}").status_code == 202
    assert writer.heartbeat(begun) is True
