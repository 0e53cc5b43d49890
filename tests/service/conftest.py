"""Fixtures: service processes on loopback, SQLite stores with synthetic trials, a Ray cluster."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from paretoib.records import SweepInfo

from .browser_session import LAPTOP, BrowserSession
from .ray_cluster import Cluster, ray_head
from .service_process import SECRETS, Served, serving
from .synthetic_sweeps import (
    RULER,
    heartbeat_process,
    heartbeats,
    open_tracker,
    synthetic_records,
    write_sweep,
)


@pytest.fixture(scope="session")
def token_of() -> dict[str, str]:
    """Tokens by client: `reader`, `writer`, `wrong` (an unknown token) and `none` (empty)."""
    return {**SECRETS, "wrong": "a token of another service", "none": ""}


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Served]]:
    """`with serve(store, **settings) as served:` runs a service on a store."""
    return serving


@pytest.fixture
def fresh_store(empty_store: Path, tmp_path: Path) -> Path:
    """The folder of a new, empty store."""
    return shutil.copytree(empty_store, tmp_path / "store")


@pytest.fixture(scope="session")
def make_sweep() -> Callable[..., SweepInfo]:
    """`make_sweep(store, ended, **spec)` writes a sweep with this number of ended trials."""
    return write_sweep


@pytest.fixture(scope="session")
def store_tools() -> SimpleNamespace:
    """Helpers that write to a store while a service reads it."""
    return SimpleNamespace(
        open_tracker=open_tracker, records=synthetic_records, ruler=RULER, heartbeats=heartbeats
    )


@pytest.fixture(scope="session")
def cluster(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Ray cluster on loopback with token authentication, as the service needs it."""
    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("cluster") / "store")
    with ray_head(store) as cluster:
        yield cluster


@pytest.fixture
def serve_cluster(cluster: Cluster) -> Callable[..., AbstractContextManager[Served]]:
    """`with serve_cluster(**settings) as served:` runs a service on the cluster and its store."""

    def start(**settings: str) -> AbstractContextManager[Served]:
        settings = {"ray_jobs": cluster.jobs, "reconcile_seconds": "2", **settings}
        return serving(cluster.store, cluster.environment, **settings)

    return start


@dataclass(frozen=True)
class Sample:
    """A service on a store with five sweeps, which tests do not change.

    `sweeps` maps the names of the sweeps to the sweeps.
    """

    served: Served
    store: Path
    sweeps: dict[str, SweepInfo]


@pytest.fixture(scope="session")
def sample(
    empty_store: Path,
    make_sweep: Callable[..., SweepInfo],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sample]:
    """A service on five sweeps: running, interrupted, failed, and two finished ones to compare.

    Two trials of the sweep `a grid of β` have models.
    """
    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("sample") / "store")
    sweeps = [
        make_sweep(store, 16, name="a grid of β", models=2),
        make_sweep(store, 12, name="adaptive weights", method="mib", seeds=[0], shift=0.05),
        make_sweep(store, 8, name="gaussian", data="gaussian", status="interrupted"),
        make_sweep(store, 0, name="not begun", status="running"),
        make_sweep(store, 4, name="no good", method="vib_squared", status="failed"),
    ]
    by_name = {info.name: info for info in sweeps}
    with (
        heartbeat_process(store, by_name["not begun"].id),
        serving(store, requests_per_minute="100000") as served,
    ):
        yield Sample(served, store, by_name)


@pytest.fixture
def client(sample: Sample) -> Iterator[httpx.Client]:
    """A client of the sample service, with the token of `writer`."""
    with sample.served.client() as client:
        yield client


@pytest.fixture
def run_remotely(
    run: Callable[..., Any], tmp_path: Path, token_of: dict[str, str]
) -> Callable[..., Any]:
    """`run_remotely(served, "list")` runs a command on a service, without access to its store."""

    def call(served: Any, *arguments: str, who: str = "writer") -> Any:
        unused = tmp_path / "unused"
        ended = run(unused, *arguments, "--server", served.address, PARETOIB_TOKEN=token_of[who])
        assert not unused.exists()
        return ended

    return call


@pytest.fixture
def open_browser(browser: Any) -> Iterator[Callable[..., BrowserSession]]:
    """`open_browser(address)` opens a browser session with its own cookies."""
    sessions: list[BrowserSession] = []

    def start(address: str, viewport: dict[str, int] = LAPTOP) -> BrowserSession:
        sessions.append(BrowserSession(browser, address, viewport))
        return sessions[-1]

    yield start
    for session in sessions:
        session.context.close()
