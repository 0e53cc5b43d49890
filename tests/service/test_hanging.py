"""If MLflow or Ray accepts connections and never answers, other requests still work."""

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

MANY = 45  # more requests than the service has threads


@pytest.fixture
def hanging() -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of a server that never answers, and a function that closes it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(500)
        yield f"http://127.0.0.1:{server.getsockname()[1]}", server.close


def seconds_of(client: httpx.Client, path: str) -> float:
    """The duration of a successful GET."""
    began = time.monotonic()
    assert client.get(path).status_code == 200
    return time.monotonic() - began


def test_reads_work_while_ray_hangs(
    fresh_store: Path,
    make_sweep: Callable[..., Any],
    serve: Callable[..., Any],
    hanging: tuple[str, Callable[[], None]],
) -> None:
    """Submissions that wait for Ray block no read.

    They get 503 after `jobs.submission.TIMEOUT`, and a later submission gets 503 at once.
    """
    make_sweep(fresh_store, 4, name="to read")
    address, close = hanging
    with ExitStack() as stack:
        setup = "import jobs.submission\njobs.submission.TIMEOUT = 10"
        served = stack.enter_context(serve(fresh_store, ray_jobs=address, setup=setup))
        stack.callback(close)
        client = stack.enter_context(served.client())
        pool = stack.enter_context(ThreadPoolExecutor(MANY))

        def submit(number: int) -> httpx.Response:
            key = {"Idempotency-Key": str(number)}
            return client.post("/sweeps", json={"method": "vib"}, headers=key)

        waiting = [pool.submit(submit, number) for number in range(MANY)]
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


def test_routes_without_sweeps_work_while_mlflow_hangs(
    tmp_path: Path, serve: Callable[..., Any], hanging: tuple[str, Callable[[], None]]
) -> None:
    """While MLflow hangs, the catalogue, the metrics and the static files are served.

    Reads of sweeps wait, and then get 503.
    """
    address, close = hanging
    with ExitStack() as stack:
        served = stack.enter_context(serve(tmp_path, tracking_uri=address))
        stack.callback(close)
        client = stack.enter_context(served.client())
        pool = stack.enter_context(ThreadPoolExecutor(MANY))
        reading: list[Future[httpx.Response]] = [
            pool.submit(client.get, f"/sweeps/{number:032x}") for number in range(MANY)
        ]
        time.sleep(1)
        for path in ("/methods", "/models", "/searches", "/presets", "/static/service.js"):
            assert seconds_of(client, path) < 5, path
        assert seconds_of(client, "/metrics") < 10
        assert not any(read.done() for read in reading)
        close()
        assert {read.result().status_code for read in reading} == {503}


def test_a_queued_request_times_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call that waits too long in the queue gets the problem `busy`.

    The call before it completes.
    """
    monkeypatch.setattr("service.controller.QUEUE_TIMEOUT", 0.3)
    settings = ServiceSettings(auth=False)
    controller = SweepController(SweepQueries(None), Jobs(settings.ray_jobs), settings)
    results: list[Any] = []

    async def call(name: str) -> None:
        try:
            results.append(await controller.queued(slow, name))
        except ProblemError as problem:
            results.append(problem.kind)

    def slow(name: str) -> Any:
        time.sleep(0.6)
        return name

    async def call_twice() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, "first")
            tasks.start_soon(call, "second")

    anyio.run(call_twice)
    assert results == ["busy", "first"]
