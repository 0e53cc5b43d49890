"""A cluster of real processes: MLflow's server, a Ray head and a second Ray node."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from paretoib.cli.serve.ports import free_ports

BIN = Path(sys.executable).parent
PATIENCE = 240  # seconds


class Cluster:
    """The processes of the cluster, and `paretoib` commands that use them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ray_port, self.mlflow_port = free_ports(0, 0)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PARETOIB_RAY_ADDRESS": f"127.0.0.1:{self.ray_port}",
            "PARETOIB_TRACKING_URI": f"http://127.0.0.1:{self.mlflow_port}",
            "PARETOIB_STORE": str(folder / "store"),
            "PARETOIB_WORKERS": "2",
        }

    def start(self) -> None:
        """Start all processes, and wait until they are ready for a sweep."""
        self.start_mlflow()
        options = ["--node-ip-address", "127.0.0.1", "--num-cpus", "1"]
        head = ["--head", "--port", str(self.ray_port), "--include-dashboard", "false"]
        self._ray("head", *head, *options)
        self._wait_until(self._ray_answers)
        self.start_node()

    def start_node(self) -> None:
        """Start the second node."""
        address = ["--address", self.environment["PARETOIB_RAY_ADDRESS"]]
        self._ray("node", *address, "--node-ip-address", "127.0.0.1", "--num-cpus", "1")
        self._wait_until(lambda: len(self._raylets()) == 2)

    def start_mlflow(self) -> None:
        """Start MLflow's server, with the same database each time."""
        database = f"sqlite:///{self.folder}/mlflow.db"
        files = ["--backend-store-uri", database, "--artifacts-destination", "artifacts"]
        address = ["--host", "127.0.0.1", "--port", str(self.mlflow_port), "--workers", "1"]
        self._spawn("mlflow", [BIN / "mlflow", "server", *files, *address])
        self._wait_until(self._mlflow_answers)

    def paretoib(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command of `paretoib`."""
        return subprocess.Popen(
            [BIN / "paretoib", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_mlflow(self) -> None:
        """Send SIGKILL to MLflow's server and its child processes."""
        _kill_tree(self._processes.pop("mlflow").pid)

    def kill_node(self) -> None:
        """Send SIGKILL to the raylet of the second node."""
        (raylet,) = [p for p in self._raylets() if p in _tree(self._processes["node"].pid)]
        os.kill(raylet, signal.SIGKILL)
        self._processes.pop("node").wait(PATIENCE)

    def kill_worker(self) -> bool:
        """Send SIGKILL to a process that trains; returns whether there was such a process."""
        training = [pid for pid, line in _running() if "ImplicitFunc.train" in line]
        training = [pid for pid in training if _belongs_to(pid, self.folder)]
        if training:
            os.kill(training[0], signal.SIGKILL)
        return bool(training)

    def stop(self) -> None:
        """Kill all processes that still run."""
        for name in list(self._processes):
            _kill_tree(self._processes.pop(name).pid)

    def _ray(self, name: str, *options: str) -> None:
        self._spawn(name, [BIN / "ray", "start", "--block", *options])

    def _spawn(self, name: str, command: list[str | Path]) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            command, env=self.environment, cwd=self.folder, stdout=log, stderr=log
        )

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < deadline, "a server did not start"
            time.sleep(0.2)

    def _raylets(self) -> list[int]:
        nodes = [p for name in ("head", "node") if (p := self._processes.get(name))]
        trees = {pid for process in nodes for pid in _tree(process.pid)}
        return [pid for pid, line in _running() if "/raylet/raylet " in line and pid in trees]

    def _ray_answers(self) -> bool:
        with socket.socket() as probe:
            reached = probe.connect_ex(("127.0.0.1", self.ray_port)) == 0
        return reached and len(self._raylets()) == 1

    def _mlflow_answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.mlflow_port}/health", timeout=2)
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests, so that a fault hits a cluster that has already had faults."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _running() -> Iterator[tuple[int, str]]:
    """The id and the command line of every process on this machine."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        yield int(process.name), line


def _belongs_to(pid: int, folder: Path) -> bool:
    """Whether a process belongs to the cluster in `folder`."""
    try:
        return str(folder / "store").encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def _tree(root: int) -> list[int]:
    """A process and all its descendants, the deepest first."""
    children: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(process.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found[::-1]


def _kill_tree(root: int) -> None:
    for pid in _tree(root):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    with suppress(ChildProcessError):
        os.waitpid(root, 0)
