"""Real servers on loopback over real stores on SQLite; trials with made-up numbers."""

import hashlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from paretoib.records import Metrics, Reference, Status, SweepInfo, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import Ended, Ruler, front_of
from paretoib.tracking._mlflow import MLflowTracker

LABELS = 3.3  # bits
RULER = Ruler(Reference(rate_bits=33.0, lost_bits=LABELS), LABELS)
SECRETS = {"reader": "a token that reads", "writer": "a token that reads and writes"}
NOWHERE = "http://127.0.0.1:9"  # where no Ray answers


@pytest.fixture(scope="session")
def secrets_of() -> dict[str, str]:
    """Tokens: of `reader` and `writer`, one that is `wrong`, and `none`."""
    return {**SECRETS, "wrong": "a token of another service", "none": ""}


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


TOKENS = f"reader:read:{hashed(SECRETS['reader'])},writer:read+write:{hashed(SECRETS['writer'])}"


@dataclass(frozen=True)
class Served:
    """A running service."""

    address: str
    process: "subprocess.Popen[str]"
    log: list[str]

    def client(self, who: str | None = "writer") -> httpx.Client:
        """A client with the token of `reader` or `writer`, or without one."""
        headers = {"Authorization": f"Bearer {SECRETS[who]}"} if who else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60)

    @property
    def secret(self) -> str:
        """What a person types to sign in as `writer`."""
        return SECRETS["writer"]


@contextmanager
def serving(
    store: Path, environment: Mapping[str, str] | None = None, /, **settings: str
) -> Iterator[Served]:
    """`python -m service` over a store, known to `reader` and `writer`; more settings by name."""
    configured = {"port": "0", "tokens": TOKENS, "ray_jobs": NOWHERE, **settings}
    variables = {
        **os.environ,
        **(environment or {}),
        "PARETOIB_STORE": str(store),
        **{_variable(name): value for name, value in configured.items()},
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "service"],
        env=variables,
        cwd=store,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    log: list[str] = []
    address = None
    for line in process.stderr:
        log.append(line)
        if found := re.search(r"running on (http://\S+)", line):
            address = found[1]
            break
    assert address is not None, "".join(log)
    # Read on, lest the pipe fill up.
    reading = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    reading.start()
    try:
        yield Served(address, process, log)
    finally:
        process.terminate()
        process.wait(30)
        reading.join(5)
        process.stderr.close()


def _variable(setting: str) -> str:
    library = ("tracking_uri", "ray_address")
    return f"PARETOIB_{'' if setting in library else 'SERVICE_'}{setting.upper()}"


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


def tracker_of(folder: Path) -> MLflowTracker:
    return MLflowTracker(f"sqlite:///{folder}/mlflow.db")


def records_of(spec: SweepSpec, count: int, shift: float = 0.0) -> list[TrialRecord]:
    """Trials along a convex front, every fifth one diverged, every third a little behind it."""
    found = []
    for place in range(count):
        # Four seeds of each setting.
        varied = "beta" if "beta" in spec.weighting.params else "mu"
        trial = spec.template.with_fields({"seed": place % 4, varied: 0.001 * (1 + place // 4)})
        rate = 0.1 * 1.4 ** (place % 16) + place / 1e4
        lost = LABELS / (1 + rate) + shift + 0.2 * (place % 3 == 2)
        metrics = Metrics(
            examples=360,
            rate_bits=rate,
            rate_lower_bits=0.9 * rate,
            rate_se_bits=0.01,
            relevance_bits=LABELS - lost,
            relevance_se_bits=0.01,
            ceiling_bits=LABELS,
            lost_bits=lost,
            cross_entropy_bits=lost,
            accuracy=0.9,
        )
        diverged = place % 5 == 4
        found.append(
            TrialRecord(
                trial=trial.key,
                spec=trial.document,
                status="diverged" if diverged else "finished",
                reason="the loss was not finite in epoch 7" if diverged else None,
                validation=None if diverged else metrics,
                test=None if diverged else metrics,
                history={"train/prediction": (1.5, 0.5, place / 100)},
                seconds=2.0,
                device="cpu",
            )
        )
    return found


@pytest.fixture(scope="session")
def make_sweep() -> Callable[..., SweepInfo]:
    """A sweep in a store, with so many of its trials ended."""

    def make(
        folder: Path,
        ended: int,
        *,
        status: Status = "finished",
        shift: float = 0.0,
        **document: Any,
    ) -> SweepInfo:
        spec = SweepSpec.from_document({"method": "vib", "trials": max(1, ended), **document})
        store = tracker_of(folder)
        info = store.create(spec)
        if ended:
            store.begin(info.id, RULER)
            records = records_of(spec, ended, shift)
            store.add(info.id, [Ended(record, 60.0 + i) for i, record in enumerate(records)])
        if status != "running":
            front = front_of(info, records, RULER) if ended else None
            store.close(info.id, status, front, [])
        return info

    return make


@pytest.fixture(scope="session")
def library() -> SimpleNamespace:
    """What makes stores, rulers and trials, for tests that write while a service looks on."""
    return SimpleNamespace(tracker_of=tracker_of, records_of=records_of, ruler=RULER)


@dataclass(frozen=True)
class Cluster:
    """A Ray head at work, and the store that its jobs write to."""

    jobs: str
    store: Path
    environment: dict[str, str]


@pytest.fixture(scope="session")
def cluster(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Ray as an administrator starts it for the service: on loopback, with a token."""
    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("cluster") / "store")
    gcs, dashboard, agent, agent_grpc, client, metrics = free_ports(6)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    programs = Path(sys.executable).parent
    options = {
        "--node-ip-address": "127.0.0.1",
        "--port": gcs,
        "--dashboard-host": "127.0.0.1",
        "--dashboard-port": dashboard,
        "--dashboard-agent-listen-port": agent,
        "--dashboard-agent-grpc-port": agent_grpc,
        "--ray-client-server-port": client,
        "--metrics-export-port": metrics,
        "--min-worker-port": 0,
        "--max-worker-port": 0,
        "--num-cpus": 2,
    }
    words = [str(word) for option in options.items() for word in option]
    head = subprocess.Popen(
        [programs / "ray", "start", "--head", "--block", "--include-dashboard", "true", *words],
        env={
            **os.environ,
            **token,
            # Jobs are run by the `python` of the path.
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PARETOIB_STORE": str(store),
            # Else Ray would take another address than loopback's.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert head.stdout is not None
    for line in head.stdout:
        if "Ray runtime started" in line:
            break
    reading = threading.Thread(target=head.stdout.read, daemon=True)
    reading.start()
    try:
        yield Cluster(f"http://127.0.0.1:{dashboard}", store, token)
    finally:
        head.terminate()
        head.wait(60)
        reading.join(5)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [int(free.getsockname()[1]) for free in sockets]


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
    with serving(store, requests_per_minute="100000") as served:
        yield Filled(served, store, {info.name: info for info in sweeps})


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
