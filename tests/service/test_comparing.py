"""`GET /compare`: the library's comparison, quickly."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest

from paretoib.fronts import compare
from paretoib.records import Comparison, Front, SweepInfo

BOTH = "/compare?linear=a grid of β&adaptive=adaptive weights"


def test_a_comparison_is_the_librarys(client: httpx.Client) -> None:
    """As `compare --json` of the same fronts; the sides keep their places."""
    fronts = [
        Front.from_json(client.get(f"/sweeps/{name}/front").content)
        for name in ("a grid of β", "adaptive weights")
    ]
    answer = client.get(BOTH)
    assert answer.status_code == 200
    assert Comparison.from_json(answer.content) == compare(fronts[:1], fronts[1:])
    swapped = client.get("/compare?linear=adaptive weights&adaptive=a grid of β").json()
    assert swapped["left"]["label"] == answer.json()["right"]["label"] == "mib"


def test_several_sweeps_of_a_side_are_pooled(client: httpx.Client) -> None:
    """Each side is repeatable."""
    answer = client.get("/compare?linear=a grid of β&linear=no good&adaptive=adaptive weights")
    assert answer.status_code == 200
    assert len(answer.json()["left"]["sweeps"]) == 2


def test_an_unchanged_comparison_is_not_sent_again(client: httpx.Client) -> None:
    """Its tag is that of its content."""
    tag = client.get(BOTH).headers["etag"]
    assert client.get(BOTH, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(f"{BOTH}&format=png").content.startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def large(
    empty_store: Path,
    make_sweep: Callable[..., SweepInfo],
    serve: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A service over two sweeps of 1 000 trials."""
    import shutil

    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("large") / "store")
    make_sweep(store, 1000, name="left")
    make_sweep(store, 1000, name="right", method="mib", seeds=[0], shift=0.05)
    with serve(store, requests_per_minute="1000000") as served:
        yield served


@pytest.mark.slow
def test_two_sweeps_of_1000_trials_are_compared_in_300_ms(large: Any) -> None:
    """Warm, the slowest of twenty; meanwhile the service answers others at once."""
    with large.client() as client:
        path = "/compare?linear=left&adaptive=right"
        began = time.perf_counter()
        assert client.get(path).status_code == 200
        cold = time.perf_counter() - began
        taken = []
        for _ in range(20):
            began = time.perf_counter()
            assert client.get(path).status_code == 200
            taken.append(time.perf_counter() - began)
        print(f"cold {cold:.2f} s, warm {1000 * max(taken):.0f} ms at most")
        assert max(taken) < 0.3


@pytest.mark.slow
def test_100_clients_read_for_30_seconds_without_an_error(large: Any) -> None:
    """Fronts and comparisons of sweeps of 1 000 trials, all clients at once; p50, p95, p99 told."""
    paths = (
        "/sweeps/left/front",
        "/sweeps/right/front?format=csv",
        "/compare?linear=left&adaptive=right",
        "/sweeps?limit=10",
    )
    headers = dict(large.client().headers)
    taken: list[float] = []
    wrong: list[Any] = []

    async def read(place: int, until: float) -> None:
        async with httpx.AsyncClient(base_url=large.address, headers=headers, timeout=60) as client:
            while time.monotonic() < until:
                path = paths[place % len(paths)]
                place += 1
                began = time.perf_counter()
                try:
                    answer = await client.get(path)
                except httpx.HTTPError as error:
                    wrong.append(error)
                    continue
                taken.append(time.perf_counter() - began)
                if answer.status_code != 200:
                    wrong.append(answer.status_code)

    async def all_at_once() -> None:
        until = time.monotonic() + 30
        async with anyio.create_task_group() as tasks:
            for place in range(100):
                tasks.start_soon(read, place, until)

    anyio.run(all_at_once)
    p50, p95, p99 = (1000 * np.quantile(taken, q) for q in (0.5, 0.95, 0.99))
    print(f"{len(taken)} requests, p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms")
    assert wrong == []
    assert len(taken) > 100
