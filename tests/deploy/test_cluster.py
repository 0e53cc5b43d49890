"""docker-compose.yml at work: each part's own command, environment and health check.

Ten faults: each part is killed twice while a grid of β and adaptive weights run side by side.
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

PATIENCE = 240.0  # seconds until a part is well, on a busy machine
RIGHT = 60.0  # seconds after a fault in which the state is right again
VICTIMS = ("service", "worker-2", "mlflow", "postgres", "ray")


class Cluster:
    """All containers, as `docker compose up` has them, and a client of the service."""

    def __init__(self, document: Mapping[str, Any], host: Any, token: str) -> None:
        self._token = token
        self.address = f"http://127.0.0.1:{host.ports['8080']}"
        self.containers: dict[str, Any] = {}
        self._over = Event()
        self._keeper = Thread(target=self._keep, daemon=True)
        self._parts = {n: p for n, p in document["services"].items() if "profiles" not in p}
        for name, part in self._parts.items():
            for copy in range(part.get("deploy", {}).get("replicas", 1)):
                own = f"{name}-{copy + 1}" if "deploy" in part else name
                self.containers[own] = host.container(own, part)

    def up(self) -> None:
        """Each once what it depends on is well."""
        waiting = dict(self._parts)
        while waiting:
            name = next(
                n for n, p in waiting.items() if not set(p.get("depends_on", {})) & set(waiting)
            )
            del waiting[name]
            for container in self.of(name):
                container.start()
            for container in self.of(name):
                until(container.well, PATIENCE, f"{container.name} is not well")
        self._keeper.start()

    def of(self, name: str) -> list[Any]:
        """The containers of a part."""
        return [c for c in self.containers.values() if re.fullmatch(rf"{name}(-\d+)?", c.name)]

    def down(self) -> None:
        """All at once."""
        self._over.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for container in self.containers.values():
            container.kill()

    def client(self) -> httpx.Client:
        """One with the token."""
        headers = {"Authorization": f"Bearer {self._token}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=20)

    def get(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """What the service answers to a GET or, with a body, a POST; `OSError` for a refusal."""
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
        """The trials that have ended, and how; in whatever order they did."""
        page = self.get(f"/sweeps/{sweep}/trials?limit=1000")
        assert page["total"] == len(page["trials"])
        return {trial["trial"]: trial["status"] for trial in page["trials"]}

    def status(self, sweep: str) -> str:
        """Of a sweep, as the service has it; `unknown` while it does not answer."""
        try:
            self.get("/readyz")
            return str(self.get(f"/sweeps/{sweep}")["status"])
        except OSError:
            return "unknown"

    def _keep(self) -> None:
        while not self._over.wait(1):
            for container in self.containers.values():
                container.start_if_it_ended()


def until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Wait for a condition, which may be refused an answer; the seconds that it took."""
    began = time.monotonic()
    while not _holds(condition):
        assert time.monotonic() - began < seconds, f"{what} after {seconds:g} s"
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
    """One for all tests: what one leaves behind, the next has to live with."""
    token = secrets.token_urlsafe()
    known = f"me:read+write:{hashlib.sha256(token.encode()).hexdigest()}"
    given = {"PARETOIB_SERVICE_TOKENS": known, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    made = Cluster(read_compose({**filled, **given, "WORKER_CPUS": "1"}), host, token)
    try:
        made.up()
        yield made
    finally:
        made.down()


class Watch:
    """Someone who follows a sweep's events, and comes back wherever they break off."""

    def __init__(self, cluster: Cluster, sweep: str) -> None:
        self.points: list[str] = []
        self.progress: list[int] = []
        self.ends: list[str] = []
        self._address = f"/sweeps/{sweep}/events"
        self._cluster = cluster
        self._thread = Thread(target=self._follow, daemon=True)
        self._thread.start()

    def whole(self, trials: int) -> None:
        """Wait for the end: all was told, nothing twice, and nothing was taken back."""
        self._thread.join(RIGHT)
        assert self.ends[-1:] == ["finished"], "a sweep has ended, and who watches is not told"
        assert self.points
        assert len(self.points) == len(set(self.points))
        assert self.progress == sorted(self.progress)
        assert self.progress[-1] == trials

    def _follow(self) -> None:
        last = "0"
        while "finished" not in self.ends:
            # The service, or what it reads, is away; or the sweep waits to be resumed.
            with suppress(httpx.HTTPError), self._cluster.client() as client:
                headers = {"Last-Event-ID": last}
                with connect_sse(client, "GET", self._address, headers=headers) as source:
                    for event in source.iter_sse():
                        if event.data:
                            last = event.id
                            self._told(event.event, json.loads(event.data))
            time.sleep(0.5)

    def _told(self, event: str, data: Any) -> None:
        match event:
            case "point":
                self.points.append(data["trial"])
            case "progress":
                self.progress.append(data["trials"]["finished"])
            case "end":
                self.ends.append(data["status"])


SMALL = {"model": {"name": "mlp", "hidden": [32], "latent": 4}, "seeds": [0]}
# A pack for each number of epochs, so that trials end all the time.
EPOCHS = list(range(160, 172))
GRID = {**SMALL, "method": "vib", "name": "grid", "grid": {"beta": [0.01, 0.1], "epochs": EPOCHS}}
MIB = {**SMALL, "method": "mib", "name": "adaptive", "grid": {"epochs": EPOCHS}, "trials": 12}
TRIALS = 24 + 12


@pytest.fixture(scope="module")
def faults(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, ...]]]:
    """What each fault did; shown as a table in the end."""
    rows: list[tuple[str, ...]] = []
    yield rows
    titles = ("killed", "trials ended", "lost", "right after", "its sweeps")
    table = "\n".join(f"| {' | '.join(row)} |" for row in (titles, *rows))
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{table}")


def test_a_sweep_goes_from_a_request_to_its_front(cluster: Cluster) -> None:
    """Through all parts: the service, the head, a worker, MLflow, PostgreSQL and the artefacts."""
    short = {**GRID, "name": "short", "training": {"epochs": 2}, "grid": {"beta": [0.01, 0.1]}}
    sweep = cluster.get("/sweeps", short)["id"]
    until(lambda: cluster.status(sweep) == "finished", PATIENCE, "the sweep has not finished")
    assert set(cluster.trials(sweep).values()) == {"finished"}
    assert len(cluster.get(f"/sweeps/{sweep}/front")["points"]) == 2
    assert any((cluster.of("mlflow")[0].folder / "artifacts").rglob("front.json"))


def test_no_part_listens_beyond_loopback(cluster: Cluster) -> None:
    """So that what is tested here is reached by this machine alone."""
    ours = set().union(*(container.pids() for container in cluster.containers.values()))
    sockets = {
        str(entry.readlink())
        for pid in ours
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


def test_a_sweep_is_cancelled_and_resume(cluster: Cluster) -> None:
    """What had ended stays, and nothing of it is run again."""
    sweep = cluster.get("/sweeps", {**GRID, "name": "cancelled"})["id"]
    until(lambda: cluster.trials(sweep), PATIENCE, "no trial ends")
    cluster.get(f"/sweeps/{sweep}", method="DELETE")
    until(lambda: cluster.status(sweep) == "interrupted", RIGHT, "the sweep is not interrupted")
    kept = cluster.trials(sweep)
    assert 0 < len(kept) < 24
    until(lambda: resume(cluster, sweep), PATIENCE, "the sweep cannot be resumed")
    until(lambda: len(cluster.trials(sweep)) > len(kept), PATIENCE, "no further trial ends")
    cluster.get(f"/sweeps/{sweep}", method="DELETE")
    until(lambda: cluster.status(sweep) == "interrupted", RIGHT, "the sweep is not interrupted")
    assert list(cluster.trials(sweep).items())[: len(kept)] == list(kept.items())


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_fault_costs_no_finished_trial(
    cluster: Cluster, faults: list[tuple[str, ...]], victim: str
) -> None:
    """Two under a grid of β and adaptive weights: each time the state is right again in time, and
    at the end every trial has finished once, whoever watched has been told, and the fronts compare.
    """
    sweeps = [cluster.get("/sweeps", document)["id"] for document in (GRID, MIB)]
    watching = [Watch(cluster, sweep) for sweep in sweeps]
    # What was driven from the head has ended with it, and nothing else has.
    right = {"finished", "interrupted" if victim == "ray" else "running"}
    for share in (0.1, 0.5):
        until(lambda s=share: len(ended(cluster, sweeps)) >= s * TRIALS, PATIENCE, "no trial ends")
        before = ended(cluster, sweeps)
        container = cluster.containers[victim]
        starts = container.starts
        container.kill()
        seconds = until(
            lambda c=container, s=starts: (
                c.starts > s and {cluster.status(sweep) for sweep in sweeps} <= right
            ),
            RIGHT,
            f"{victim} was killed, and its sweeps are not {' or '.join(right)}",
        )
        lost = before.items() - ended(cluster, sweeps).items()
        stopped = [sweep for sweep in sweeps if cluster.status(sweep) == "interrupted"]
        went = "were interrupted, and resumed" if stopped else "went on"
        faults.append((victim, str(len(before)), str(len(lost)), f"{seconds:.0f} s", went))
        assert not lost
        for sweep in stopped:
            until(lambda s=sweep: resume(cluster, s), PATIENCE, "the sweep cannot be resumed")
    for sweep, watch, count in zip(sweeps, watching, (24, 12), strict=True):
        until(lambda s=sweep: cluster.status(s) == "finished", PATIENCE, "a sweep has not finished")
        watch.whole(count)
    trials = ended(cluster, sweeps)
    assert before.items() <= trials.items()
    assert len(trials) == TRIALS
    assert set(trials.values()) == {"finished"}
    compared = cluster.get(f"/compare?linear={sweeps[0]}&adaptive={sweeps[1]}")
    assert [compared["cost"][side]["trials"] for side in ("left", "right")] == [24, 12]
    assert compared["verdict"]


def ended(cluster: Cluster, sweeps: list[str]) -> dict[str, str]:
    """The trials of several sweeps that have ended; `OSError` while something is away."""
    return {trial: how for sweep in sweeps for trial, how in cluster.trials(sweep).items()}


def resume(cluster: Cluster, sweep: str) -> object:
    """Ask for what is left to be run; `OSError` for a refusal."""
    return cluster.get(f"/sweeps/{sweep}/resume", {})
