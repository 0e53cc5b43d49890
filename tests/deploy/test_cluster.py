"""docker-compose.yml at work: each part's own command, environment and health check."""

import hashlib
import json
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PATIENCE = 240.0  # seconds until a part is well, on a busy machine
RIGHT = 60.0  # seconds after a fault in which the state is right again


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

    def get(self, path: str, body: Any = None) -> Any:
        """What the service answers to a GET or, with a body, a POST; `OSError` for a refusal."""
        request = urllib.request.Request(
            self.address + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

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
    """Wait for a condition; the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what} after {seconds:g} s"
        time.sleep(0.5)
    return time.monotonic() - began


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


SMALL = {
    "method": "vib",
    "name": "small",
    "model": {"name": "mlp", "hidden": [32], "latent": 4},
    "training": {"epochs": 2},
    "grid": {"beta": [0.01, 0.1]},
}
# A pack for each number of epochs, so that trials end all the time.
LONG = {
    **SMALL,
    "name": "long",
    "training": {},
    "grid": {"beta": [0.01, 0.1], "epochs": list(range(200, 224))},
}
TRIALS = 48


def test_a_sweep_goes_from_a_request_to_its_front(cluster: Cluster) -> None:
    """Through all parts: the service, the head, a worker, MLflow, PostgreSQL and the artefacts."""
    sweep = cluster.get("/sweeps", SMALL)["id"]
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


@pytest.mark.parametrize("victim", ["service", "worker-2", "ray", "mlflow", "postgres"])
def test_a_fault_costs_no_finished_trial(cluster: Cluster, victim: str) -> None:
    """Two under one sweep: each time the state is right again in time, and at the end every trial
    has finished once.
    """
    sweep = cluster.get("/sweeps", LONG)["id"]
    # What was driven from the head has ended with it, and nothing else has.
    right = {"finished", "interrupted" if victim == "ray" else "running"}
    for share in (0.1, 0.5):
        until(lambda s=share: len(seen(cluster, sweep)) >= s * TRIALS, PATIENCE, "no trial ends")
        before = cluster.trials(sweep)
        container = cluster.containers[victim]
        starts = container.starts
        container.kill()
        seconds = until(
            lambda c=container, s=starts: c.starts > s and cluster.status(sweep) in right,
            RIGHT,
            f"{victim} was killed, and the sweep is not {' or '.join(right)}",
        )
        print(f"{victim}, killed after {len(before)} trials: right after {seconds:.0f} s")
        assert before.items() <= cluster.trials(sweep).items()
        if cluster.status(sweep) == "interrupted":
            until(lambda: taken_up(cluster, sweep), PATIENCE, "the sweep cannot be resumed")
    until(lambda: cluster.status(sweep) == "finished", 3 * PATIENCE, "the sweep has not finished")
    trials = cluster.trials(sweep)
    assert before.items() <= trials.items()
    assert len(trials) == TRIALS
    assert set(trials.values()) == {"finished"}


def taken_up(cluster: Cluster, sweep: str) -> bool:
    """Ask for what is left to be run."""
    with suppress(OSError):
        return bool(cluster.get(f"/sweeps/{sweep}/resume", {})["id"])
    return False


def seen(cluster: Cluster, sweep: str) -> dict[str, str]:
    """The trials that have ended; none while something is away."""
    with suppress(OSError):
        return cluster.trials(sweep)
    return {}
