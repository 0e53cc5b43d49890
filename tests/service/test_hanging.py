"""MLflow or Ray that takes connections and never answers: what does not need it goes on."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from jobs.submission import Jobs
from service import ServiceSettings
from service.controller import SweepController
from service.problems import ProblemError
from service.queries import SweepQueries

MANY = 45  # more than a service has threads


@pytest.fixture
def hanging() -> Iterator[tuple[str, Callable[[], None]]]:
    """An address that takes connections and never answers, and what hangs up on all of them."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(500)
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}", deaf.close


def seconds_of(client: httpx.Client, path: str) -> float:
    began = time.monotonic()
    assert client.get(path).status_code == 200
    return time.monotonic() - began


def test_a_cluster_that_hangs_keeps_nobody_from_reading(
    fresh_store: Path,
    make_sweep: Callable[..., Any],
    serve: Callable[..., Any],
    hanging: tuple[str, Callable[[], None]],
) -> None:
    """However many submissions wait; each ends with 503, and the next one learns it at once."""
    make_sweep(fresh_store, 4, name="to read")
    address, hang_up = hanging
    with ExitStack() as stack:
        served = stack.enter_context(serve(fresh_store, ray_jobs=address))
        stack.callback(hang_up)
        client = stack.enter_context(served.client())
        pool = stack.enter_context(ThreadPoolExecutor(MANY))

        def submit(place: int) -> httpx.Response:
            key = {"Idempotency-Key": str(place)}
            return client.post("/sweeps", json={"method": "vib"}, headers=key)

        waiting = [pool.submit(submit, place) for place in range(MANY)]
        time.sleep(1)
        for path in ("/methods", "/sweeps", "/sweeps/to read/front", "/metrics"):
            assert seconds_of(client, path) < 5, path
        assert not any(post.done() for post in waiting)
        answers = [post.result() for post in waiting]
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        began = time.monotonic()
        assert submit(MANY).status_code == 503
        assert time.monotonic() - began < 2


def test_a_store_that_hangs_keeps_nobody_from_what_is_not_in_it(
    tmp_path: Path, serve: Callable[..., Any], hanging: tuple[str, Callable[[], None]]
) -> None:
    """The catalogue, the pages' files and the service's own numbers."""
    address, hang_up = hanging
    with ExitStack() as stack:
        served = stack.enter_context(serve(tmp_path, tracking_uri=address))
        stack.callback(hang_up)
        client = stack.enter_context(served.client())
        pool = stack.enter_context(ThreadPoolExecutor(MANY))
        reading: list[Future[httpx.Response]] = [
            pool.submit(client.get, f"/sweeps/{place:032x}") for place in range(MANY)
        ]
        time.sleep(1)
        for path in ("/methods", "/datasets", "/models", "/searches", "/static/service.js"):
            assert seconds_of(client, path) < 5, path
        assert seconds_of(client, "/metrics") < 10
        assert not any(read.done() for read in reading)
        hang_up()
        assert {read.result().status_code for read in reading} == {503}


def test_a_request_waits_for_its_turn_no_longer_than_it_should(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What has begun meanwhile ends as it would have."""
    monkeypatch.setattr("service.controller.PATIENCE", 0.3)
    settings = ServiceSettings(auth=False)
    runner = SweepController(SweepQueries(None), Jobs(settings.ray_jobs), settings)
    said: list[Any] = []

    async def call(name: str) -> None:
        try:
            said.append(await runner.in_turn(slow, name))
        except ProblemError as problem:
            said.append(problem.kind)

    def slow(name: str) -> Any:
        time.sleep(0.6)
        return name

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, "first")
            tasks.start_soon(call, "second")

    anyio.run(both)
    assert said == ["busy", "first"]
