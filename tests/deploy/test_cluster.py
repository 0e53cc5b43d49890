"""The services of docker-compose.yml as processes, with their commands and health checks.

Each of five containers is killed twice while a β grid and an adaptive sweep run: ten faults.
"""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

pytestmark = pytest.mark.slow

PATIENCE = 240.0  # seconds until a service is healthy, on a busy machine
RECOVERY = 60.0  # seconds after a fault until the state is correct again
VICTIMS = ("service", "worker-2", "mlflow", "postgres", "ray")


class Cluster:
    """All containers of `docker compose up`, and requests to the service."""

    def __init__(self, document: Mapping[str, Any], host: Any, token: str) -> None:
        self._token = token
        self.address = f"http://127.0.0.1:{host.ports['8080']}"
        self.containers: dict[str, Any] = {}
        self._stop = Event()
        self._restarter = Thread(target=self._restart, daemon=True)
        self._services = {n: s for n, s in document["services"].items() if "profiles" not in s}
        for name, service in self._services.items():
            for replica in range(service.get("deploy", {}).get("replicas", 1)):
                container = f"{name}-{replica + 1}" if "deploy" in service else name
                self.containers[container] = host.container(container, service)

    def up(self) -> None:
        """Start each service once its dependencies are healthy."""
        waiting = dict(self._services)
        while waiting:
            name = next(
                n for n, s in waiting.items() if not set(s.get("depends_on", {})) & set(waiting)
            )
            del waiting[name]
            for container in self.containers_of(name):
                container.start()
            for container in self.containers_of(name):
                wait_until(container.healthy, PATIENCE, f"{container.name} is not healthy")
        self._restarter.start()

    def containers_of(self, name: str) -> list[Any]:
        """The containers of a service."""
        return [c for c in self.containers.values() if re.fullmatch(rf"{name}(-\d+)?", c.name)]

    def down(self) -> None:
        """Kill all containers."""
        self._stop.set()
        if self._restarter.is_alive():
            self._restarter.join()
        for container in self.containers.values():
            container.kill()

    def client(self) -> httpx.Client:
        """An HTTP client of the service, with the token."""
        headers = {"Authorization": f"Bearer {self._token}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=20)

    def request(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """The JSON of the response to a GET or, with a body, to a POST; `OSError` for an error."""
        method = method or ("GET" if body is None else "POST")
        with self.client() as client:
            try:
                answer = client.request(method, path, json=body)
            except httpx.HTTPError as error:
                raise OSError(str(error)) from error
        if answer.is_error:
            raise OSError(f"{answer.status_code}: {answer.text}")
        return answer.json()

    def trials(self, sweep: str) -> dict[str, str]:
        """The status of each ended trial, by key, in the order in which the trials ended."""
        page = self.request(f"/sweeps/{sweep}/trials?limit=1000")
        assert page["total"] == len(page["trials"])
        return {trial["trial"]: trial["status"] for trial in page["trials"]}

    def status(self, sweep: str) -> str:
        """The status of a sweep; `unknown` while the service does not answer."""
        try:
            self.request("/readyz")
            return str(self.request(f"/sweeps/{sweep}")["status"])
        except OSError:
            return "unknown"

    def _restart(self) -> None:
        while not self._stop.wait(1):
            for container in self.containers.values():
                container.restart_if_ended()


def wait_until(condition: Callable[[], object], seconds: float, failure: str) -> float:
    """Wait until a condition holds (`OSError` counts as false); returns the seconds waited."""
    began = time.monotonic()
    while not _holds(condition):
        assert time.monotonic() - began < seconds, f"{failure} after {seconds:g} s"
        time.sleep(0.5)
    return time.monotonic() - began


def _holds(condition: Callable[[], object]) -> bool:
    with suppress(OSError):
        return bool(condition())
    return False


@pytest.fixture(scope="module")
def cluster(
    host: Any,
    read_compose: Callable[[Mapping[str, str | None]], dict[str, Any]],
    filled: dict[str, str],
) -> Iterator[Cluster]:
    """One cluster for all tests of this module."""
    token = secrets.token_urlsafe()
    tokens = f"me:read+write:{hashlib.sha256(token.encode()).hexdigest()}"
    variables = {"PARETOIB_SERVICE_TOKENS": tokens, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    cluster = Cluster(read_compose({**filled, **variables, "WORKER_CPUS": "1"}), host, token)
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()


class Watch:
    """A client of a sweep's event stream that reconnects after each disconnection."""

    def __init__(self, cluster: Cluster, sweep: str) -> None:
        self.points: list[str] = []
        self.progress: list[int] = []
        self.ends: list[str] = []
        self._address = f"/sweeps/{sweep}/events"
        self._cluster = cluster
        self._thread = Thread(target=self._follow, daemon=True)
        self._thread.start()

    def check_complete(self, trials: int) -> None:
        """Wait for the end; check that no point was repeated and that progress never went back."""
        self._thread.join(RECOVERY)
        assert self.ends[-1:] == ["finished"], "the stream has no end event"
        assert self.points
        assert len(self.points) == len(set(self.points))
        assert self.progress == sorted(self.progress)
        assert self.progress[-1] == trials

    def _follow(self) -> None:
        last = "0"
        while "finished" not in self.ends:
            # The service or MLflow may be down, or the sweep may be waiting to be resumed.
            with suppress(httpx.HTTPError), self._cluster.client() as client:
                headers = {"Last-Event-ID": last}
                with connect_sse(client, "GET", self._address, headers=headers) as source:
                    for event in source.iter_sse():
                        if event.data:
                            last = event.id
                            self._add(event.event, json.loads(event.data))
            time.sleep(0.5)

    def _add(self, event: str, data: Any) -> None:
        match event:
            case "point":
                self.points.append(data["trial"])
            case "progress":
                self.progress.append(data["trials"]["finished"])
            case "end":
                self.ends.append(data["status"])


SMALL = {"model": {"name": "mlp", "hidden": [32], "latent": 4}, "seeds": [0]}
# One pack for each number of epochs, so that trials end throughout the sweep.
EPOCHS = list(range(160, 172))
GRID = {**SMALL, "method": "vib", "name": "grid", "grid": {"beta": [0.01, 0.1], "epochs": EPOCHS}}
MIB = {**SMALL, "method": "mib", "name": "adaptive", "grid": {"epochs": EPOCHS}, "trials": 12}
TRIALS = 24 + 12


@pytest.fixture(scope="module")
def faults(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, ...]]]:
    """The effect of each fault; the table is printed at the end."""
    rows: list[tuple[str, ...]] = []
    yield rows
    titles = ("killed", "ended trials", "lost", "recovered after", "its sweeps")
    table = "\n".join(f"| {' | '.join(row)} |" for row in (titles, *rows))
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{table}")


def test_a_sweep_goes_from_a_request_to_its_front(cluster: Cluster) -> None:
    """A submitted sweep finishes and has a front.

    The sweep uses the service, the Ray head, a worker, MLflow and PostgreSQL.
    """
    short = {**GRID, "name": "short", "training": {"epochs": 2}, "grid": {"beta": [0.01, 0.1]}}
    sweep = cluster.request("/sweeps", short)["id"]
    wait_until(lambda: cluster.status(sweep) == "finished", PATIENCE, "the sweep has not finished")
    assert set(cluster.trials(sweep).values()) == {"finished"}
    assert len(cluster.request(f"/sweeps/{sweep}/front")["points"]) == 2
    assert any((cluster.containers_of("mlflow")[0].folder / "artifacts").rglob("front.json"))


def test_no_process_listens_beyond_loopback(cluster: Cluster) -> None:
    """Only this machine can reach the processes of the tests."""
    processes = set().union(*(container.pids() for container in cluster.containers.values()))
    sockets = {
        str(entry.readlink())
        for pid in processes
        for entry in Path(f"/proc/{pid}/fd").iterdir()
        if entry.is_symlink()
    }
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                listening.append(local.partition(":")[0])
    assert len(listening) > 10
    assert set(listening) <= {"0100007F", f"{'0' * 16}FFFF00000100007F"}


def test_a_sweep_is_cancelled_and_resumed(cluster: Cluster) -> None:
    """The ended trials of a cancelled sweep are kept, and the resumed sweep trains other trials."""
    sweep = cluster.request("/sweeps", {**GRID, "name": "cancelled"})["id"]
    wait_until(lambda: cluster.trials(sweep), PATIENCE, "no trial ends")
    cluster.request(f"/sweeps/{sweep}", method="DELETE")
    wait_until(lambda: cluster.status(sweep) == "cancelled", RECOVERY, "the sweep is not cancelled")
    kept = cluster.trials(sweep)
    assert 0 < len(kept) < 24
    wait_until(lambda: resume(cluster, sweep), PATIENCE, "the sweep cannot be resumed")
    wait_until(lambda: len(cluster.trials(sweep)) > len(kept), PATIENCE, "no further trial ends")
    cluster.request(f"/sweeps/{sweep}", method="DELETE")
    wait_until(lambda: cluster.status(sweep) == "cancelled", RECOVERY, "the sweep is not cancelled")
    assert list(cluster.trials(sweep).items())[: len(kept)] == list(kept.items())


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_fault_loses_no_finished_trial(
    cluster: Cluster, faults: list[tuple[str, ...]], victim: str
) -> None:
    """A container is killed twice while a β grid and an adaptive sweep run.

    Within `RECOVERY` seconds of each kill, the container has restarted and the sweeps have the
    expected status. At the end every trial has finished once, both event streams are complete, and
    the fronts can be compared.
    """
    sweeps = [cluster.request("/sweeps", document)["id"] for document in (GRID, MIB)]
    watching = [Watch(cluster, sweep) for sweep in sweeps]
    # Jobs run on the Ray head, so only a kill of the head interrupts sweeps.
    expected = {"finished", "interrupted" if victim == "ray" else "running"}
    for share in (0.1, 0.5):
        wait_until(
            lambda s=share: len(ended_trials(cluster, sweeps)) >= s * TRIALS,
            PATIENCE,
            "no trial ends",
        )
        before = ended_trials(cluster, sweeps)
        container = cluster.containers[victim]
        starts = container.starts
        container.kill()
        seconds = wait_until(
            lambda c=container, s=starts: (
                c.starts > s and {cluster.status(sweep) for sweep in sweeps} <= expected
            ),
            RECOVERY,
            f"{victim} was killed, and its sweeps are not {' or '.join(expected)}",
        )
        lost = before.items() - ended_trials(cluster, sweeps).items()
        stopped = [sweep for sweep in sweeps if cluster.status(sweep) == "interrupted"]
        effect = "were interrupted and resumed" if stopped else "continued"
        faults.append((victim, str(len(before)), str(len(lost)), f"{seconds:.0f} s", effect))
        assert not lost
        for sweep in stopped:
            wait_until(lambda s=sweep: resume(cluster, s), PATIENCE, "the sweep cannot be resumed")
    for sweep, watch, count in zip(sweeps, watching, (24, 12), strict=True):
        wait_until(
            lambda s=sweep: cluster.status(s) == "finished", PATIENCE, "a sweep has not finished"
        )
        watch.check_complete(count)
    trials = ended_trials(cluster, sweeps)
    assert before.items() <= trials.items()
    assert len(trials) == TRIALS
    assert set(trials.values()) == {"finished"}
    comparison = cluster.request(f"/compare?left={sweeps[0]}&right={sweeps[1]}")
    assert [comparison["cost"][side]["trials"] for side in ("left", "right")] == [24, 12]
    assert comparison["verdict"]


def ended_trials(cluster: Cluster, sweeps: list[str]) -> dict[str, str]:
    """The status of the ended trials of several sweeps; `OSError` while a service is down."""
    return {trial: status for sweep in sweeps for trial, status in cluster.trials(sweep).items()}


def resume(cluster: Cluster, sweep: str) -> object:
    """Resume a sweep; `OSError` for an error response."""
    return cluster.request(f"/sweeps/{sweep}/resume", {})
