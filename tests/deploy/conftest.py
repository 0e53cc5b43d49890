"""Reads docker-compose.yml as Compose does, and runs its services as processes on loopback.

The tests have no container engine, so a process replaces each container: host names become
127.0.0.1, ports become free ports, volumes become folders. A service that ends is started again if
its restart policy says so. Killing a container kills all processes that it has started.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import RLock
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from paretoib.cli.serve.ports import free_ports
from paretoib.cli.serve.state_file import ProcessTree, ServeState

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# $$, ${NAME}, ${NAME:-default}, ${NAME:?message}
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")
_HOST = re.compile(r"\b(?:postgres|mlflow|ray|service)(?=:\d)")
_AGENT = "52365"  # Ray's agent, in every Ray container; each other port is in one container
_PORTS = ("5432", "5000", "6379", "8080", "8265", "10001")
_PORT = re.compile(rf"(?<![\d.])({'|'.join((*_PORTS, _AGENT))})\b")


def read(variables: Mapping[str, str | None]) -> dict[str, Any]:
    """docker-compose.yml with these variables; `KeyError` if a required variable is missing."""

    def value(match: re.Match[str]) -> str:
        given = variables.get(match["name"] or "")
        if match["dollar"] or given:
            return given or "$"
        if match["kind"] == "?":
            raise KeyError(f"{match['name']}: {match['rest']}")
        return match["rest"] or ""

    document: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, COMPOSE.read_text()))
    return document


def _variables_of_kind(*kinds: str | None) -> set[str]:
    matches = _VARIABLE.finditer(COMPOSE.read_text())
    return {match["name"] for match in matches if match["name"] and match["kind"] in kinds}


@pytest.fixture(scope="session")
def read_compose() -> Callable[[Mapping[str, str | None]], dict[str, Any]]:
    """`read_compose(variables)` returns docker-compose.yml with these variables."""
    return read


@pytest.fixture(scope="session")
def variables() -> set[str]:
    """The names of all variables in docker-compose.yml."""
    return _variables_of_kind("-", "?", None)


@pytest.fixture(scope="session")
def required() -> set[str]:
    """The names of the variables that are required, because they have no default."""
    return _variables_of_kind("?")


@pytest.fixture(scope="session")
def example() -> dict[str, str | None]:
    """The variables in .env.example."""
    return dict(dotenv_values(ROOT / ".env.example", interpolate=False))


@pytest.fixture(scope="session")
def filled(example: dict[str, str | None], required: set[str]) -> dict[str, str]:
    """The variables in .env.example, with a value for each secret that it leaves empty."""
    secrets = {name: f"not-so-secret-{name.lower()}" for name in required}
    return {name: value or "" for name, value in example.items()} | secrets


@dataclass(frozen=True)
class Host:
    """The machine of the containers: a folder for their volumes, and the ports of all services."""

    folder: Path
    ports: dict[str, int] = field(
        default_factory=lambda: dict(zip(_PORTS, free_ports(*[0] * len(_PORTS)), strict=True))
    )

    def container(self, name: str, service: Mapping[str, Any]) -> "Container":
        """A container of a service."""
        return Container(name, service, self)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host with PostgreSQL; its folder is deleted after the tests."""
    if not POSTGRES:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    if not find_spec("psycopg2"):
        pytest.skip("psycopg2 is not installed (extra: postgres)")
    # A short path, because Ray's sockets limit its length. The user `postgres` needs access.
    folder = Path(tempfile.mkdtemp(prefix="pib-"))
    folder.chmod(0o711)
    yield Host(folder)
    shutil.rmtree(folder)


# The program `ray`, changed to run several nodes on one machine:
# - a temp directory for each container, because nodes disturb each other in one folder;
# - always on loopback, because with several nodes Ray uses the machine's network address;
# - no search for other Ray processes, because a new head would find the old head's workers.
RAY = f"""#!{sys.executable}
import os, sys
from ray._private import ray_constants, services
ray_constants.ENABLE_RAY_CLUSTER = True
services.get_node_ip_address = lambda address=None: "127.0.0.1"
services.find_gcs_addresses = lambda: set()
from ray.scripts.scripts import main
sys.argv += ["--temp-dir", os.environ["TMPDIR"]]
main()
"""


class Container:
    """A container, replaced by processes with local ports and folders."""

    def __init__(self, name: str, service: Mapping[str, Any], host: Host) -> None:
        self.name = name
        self.starts = 0
        self._lock = RLock()
        self.folder = folder = host.folder
        self._ports = {**host.ports, _AGENT: free_ports(0)[0]}
        self._mounts = dict(volume.split(":")[::-1] for volume in service.get("volumes", []))
        self._command = [self._local(word) for word in service["command"]]
        self._check = [self._local(word) for word in service["healthcheck"]["test"][1:]]
        self._restart = service["restart"] == "unless-stopped"
        self._state = ServeState(secrets.token_hex(8), os.getpid(), "")
        variables = {name: self._local(str(v)) for name, v in service["environment"].items()}
        self.environment = {
            "PATH": f"{folder}/bin:{Path(sys.executable).parent}:{POSTGRES[-1]}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            # In the image the package is installed; here it is imported from this repository.
            "PYTHONPATH": str(ROOT),
            **variables,
            **self._state.environment(name),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._user: list[str] = []
        self._set_up()

    def start(self) -> None:
        """Start the command."""
        self.starts += 1
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._user, *self._command],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def healthy(self) -> bool:
        """Whether the health check succeeds."""
        check = subprocess.run(
            self._check, env=self.environment, cwd=self.folder, capture_output=True, check=False
        )
        return check.returncode == 0

    def kill(self) -> None:
        """Send SIGKILL to all processes of the container."""
        tree = ProcessTree(self._state)
        with self._lock:
            while alive := tree.alive():
                for process in alive:
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
                time.sleep(0.05)
            if self._process:
                self._process.wait()

    def restart_if_ended(self) -> None:
        """Start the container again if it has ended and its restart policy says so."""
        with self._lock:
            if self._restart and self._process and self._process.poll() is not None:
                self.kill()
                self.start()

    def pids(self) -> set[int]:
        """The ids of all processes of the container."""
        return {process.pid for process in ProcessTree(self._state).alive()}

    def _local(self, text: str) -> str:
        """The text with host names, ports and paths of this machine."""
        text = _HOST.sub("127.0.0.1", text).replace("0.0.0.0", "127.0.0.1")
        text = _PORT.sub(lambda port: str(self._ports[port[1]]), text)
        for path, volume in self._mounts.items():
            text = re.sub(rf"(?<![\w/-]){re.escape(path)}\b", str(self.folder / volume), text)
        return text

    def _set_up(self) -> None:
        """Create the volumes, the temp directory and the user that a container would have."""
        (self.folder / "tmp" / self.name).mkdir(parents=True)
        for volume in self._mounts.values():
            (self.folder / volume).mkdir(exist_ok=True)
        self.environment["TMPDIR"] = str(self.folder / "tmp" / self.name)
        if self._command[0] == "ray":
            self.environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
            (self.folder / "bin").mkdir(exist_ok=True)
            (self.folder / "bin/ray").write_text(RAY)
            (self.folder / "bin/ray").chmod(0o755)
        if self.name == "postgres":
            self._command += ["-c", f"unix_socket_directories={self.folder / 'database'}"]
            if os.geteuid() == 0:
                self._user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
                shutil.chown(self.folder / "database", "postgres")
            self._create_database()

    def _create_database(self) -> None:
        """Do what the entry point of the PostgreSQL image does before its command."""
        folder, user = self.environment["PGDATA"], self.environment["POSTGRES_USER"]
        password = f"<(echo {self.environment['POSTGRES_PASSWORD']})"
        create = f"CREATE DATABASE {self.environment['POSTGRES_DB']}"
        script = (
            f"initdb -D {folder} -U {user} -A scram-sha-256 --pwfile {password} && "
            f"echo '{create}' | postgres --single -D {folder} postgres"
        )
        subprocess.run(
            [*self._user, "bash", "-c", script],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            check=True,
        )
