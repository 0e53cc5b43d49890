"""Real servers on loopback over real stores on SQLite; trials with made-up numbers."""

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
from paretoib.tracking._mlflow.tracker import MLflowTracker

from .made_up import RULER, alive, make, records_of, tracker_of
from .ray_head import Cluster, ray_head
from .serving import SECRETS, Served, serving
from .visiting import LAPTOP, Visit


@pytest.fixture(scope="session")
def secrets_of() -> dict[str, str]:
    """Tokens: of `reader` and `writer`, one that is `wrong`, and `none`."""
    return {**SECRETS, "wrong": "a token of another service", "none": ""}


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Served]]:
    """`serve(store, **settings)` runs a service for as long as it is needed."""
    return serving


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MLflow's tables and nothing in them."""
    folder = tmp_path_factory.mktemp("empty")
    MLflowTracker(f"sqlite:///{folder}/mlflow.db")
    return folder


@pytest.fixture
def fresh_store(empty_store: Path, tmp_path: Path) -> Path:
    """The folder of a fresh store."""
    return shutil.copytree(empty_store, tmp_path / "store")


@pytest.fixture(scope="session")
def make_sweep() -> Callable[..., SweepInfo]:
    """A sweep in a store, with so many of its trials ended."""
    return make


@pytest.fixture(scope="session")
def library() -> SimpleNamespace:
    """What makes stores, rulers and trials, for tests that write while a service looks on."""
    return SimpleNamespace(tracker_of=tracker_of, records_of=records_of, ruler=RULER, alive=alive)


@pytest.fixture(scope="session")
def cluster(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Ray as an administrator starts it for the service: on loopback, with a token."""
    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("cluster") / "store")
    with ray_head(store) as cluster:
        yield cluster


@pytest.fixture
def serve_cluster(cluster: Cluster) -> Callable[..., AbstractContextManager[Served]]:
    """A service over the cluster and its store."""

    def start(**settings: str) -> AbstractContextManager[Served]:
        known = {"ray_jobs": cluster.jobs, "reconcile_seconds": "2", **settings}
        return serving(cluster.store, cluster.environment, **known)

    return start


@dataclass(frozen=True)
class Filled:
    """A service over a store with some sweeps, which tests look at and leave alone."""

    served: Served
    store: Path
    sweeps: dict[str, SweepInfo]


@pytest.fixture(scope="session")
def filled(
    empty_store: Path,
    make_sweep: Callable[..., SweepInfo],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Filled]:
    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("filled") / "store")
    sweeps = [
        make_sweep(store, 16, name="a grid of β"),
        make_sweep(store, 12, name="adaptive weights", method="mib", seeds=[0], shift=0.05),
        make_sweep(store, 8, name="gaussian", data="gaussian", status="interrupted"),
        make_sweep(store, 0, name="not begun", status="running"),
        make_sweep(store, 4, name="no good", method="vib_squared", status="failed"),
    ]
    named = {info.name: info for info in sweeps}
    with (
        alive(store, named["not begun"].id),
        serving(store, requests_per_minute="100000") as served,
    ):
        yield Filled(served, store, named)


@pytest.fixture
def client(filled: Filled) -> Iterator[httpx.Client]:
    """A client of the filled service, with the token that reads and writes."""
    with filled.served.client() as client:
        yield client


@pytest.fixture
def remotely(
    run: Callable[..., Any], tmp_path: Path, secrets_of: dict[str, str]
) -> Callable[..., Any]:
    """`remotely(served, "list")`: the command on a service, away from its store."""

    def do(served: Any, *arguments: str, who: str = "writer") -> Any:
        away = tmp_path / "away"
        ended = run(away, *arguments, "--server", served.address, PARETOIB_TOKEN=secrets_of[who])
        assert not away.exists()
        return ended

    return do


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """`visit(address)` opens a page as a person would."""
    visits: list[Visit] = []

    def begin(address: str, viewport: dict[str, int] = LAPTOP) -> Visit:
        visits.append(Visit(browser, address, viewport))
        return visits[-1]

    yield begin
    for each in visits:
        each.context.close()
