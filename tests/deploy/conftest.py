"""docker-compose.yml as Compose reads it, and its parts run as plain processes on loopback.

There is no container engine here, so processes stand in for containers: names of parts become
127.0.0.1, ports free ones, volumes folders; a part that ends is started again, as its restart
policy says; and one that is killed goes with all that it has made.
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
from paretoib.cli.serve.state_file import MARK, ProcessTree, State

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# $$, ${NAME}, ${NAME:-default}, ${NAME:?message}
_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")
_PART = re.compile(r"\b(?:postgres|mlflow|ray|service)(?=:\d)")
_AGENT = "52365"  # which every container of Ray has; the other ports are each one container's
_PORTS = ("5432", "5000", "6379", "8080", "8265", "10001")
_PORT = re.compile(rf"(?<![\d.])({'|'.join((*_PORTS, _AGENT))})\b")


def read(variables: Mapping[str, str | None]) -> dict[str, Any]:
    """The file with these variables; `KeyError` for one that it cannot do without."""

    def value(found: re.Match[str]) -> str:
        given = variables.get(found["name"] or "")
        if found["dollar"] or given:
            return given or "$"
        if found["kind"] == "?":
            raise KeyError(f"{found['name']}: {found['rest']}")
        return found["rest"] or ""

    document: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, COMPOSE.read_text()))
    return document


def _found(*kinds: str | None) -> set[str]:
    found = _VARIABLE.finditer(COMPOSE.read_text())
    return {v["name"] for v in found if v["name"] and v["kind"] in kinds}


@pytest.fixture(scope="session")
def read_compose() -> Callable[[Mapping[str, str | None]], dict[str, Any]]:
    """`read_compose(variables)` is the file with these; `KeyError` for one that must not lack."""
    return read


@pytest.fixture(scope="session")
def variables() -> set[str]:
    """The names that the file speaks of."""
    return _found("-", "?", None)


@pytest.fixture(scope="session")
def required() -> set[str]:
    """Those of them that have no default."""
    return _found("?")


@pytest.fixture(scope="session")
def example() -> dict[str, str | None]:
    """What .env.example has."""
    return dict(dotenv_values(ROOT / ".env.example", interpolate=False))


@pytest.fixture(scope="session")
def filled(example: dict[str, str | None], required: set[str]) -> dict[str, str]:
    """What .env.example has, with a word of ours for each secret that it leaves empty."""
    words = {name: f"not-so-secret-{name.lower()}" for name in required}
    return {name: value or "" for name, value in example.items()} | words


@dataclass(frozen=True)
class Host:
    """What containers have in common: a folder for their volumes, and the ports of all parts."""

    folder: Path
    ports: dict[str, int] = field(
        default_factory=lambda: dict(zip(_PORTS, free_ports(*[0] * len(_PORTS)), strict=True))
    )

    def container(self, name: str, part: Mapping[str, Any]) -> "Container":
        """One of a part, by its own name."""
        return Container(name, part, self)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """One with all that the parts need; what was in its folder is gone after the tests."""
    if not POSTGRES:
        pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")
    if not find_spec("psycopg2"):
        pytest.skip("psycopg2 is not installed (extra: postgres)")
    # Short, for Ray's sockets; and open to PostgreSQL's own user.
    folder = Path(tempfile.mkdtemp(prefix="pib-"))
    folder.chmod(0o711)
    yield Host(folder)
    shutil.rmtree(folder)


# `ray`, with a /tmp of its own, as nodes in one folder disturb each other; on loopback, which Ray
# leaves for the machine's own address where there are several nodes; and blind to other containers'
# processes: a head that comes back would find workers of the old one, and take them for a cluster.
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
    """One part as processes: translated to this machine, killed as a whole, started again."""

    def __init__(self, name: str, part: Mapping[str, Any], host: Host) -> None:
        self.name = name
        self.starts = 0
        self._lock = RLock()
        self.folder = folder = host.folder
        self._ports = {**host.ports, _AGENT: free_ports(0)[0]}
        self._mounts = dict(volume.split(":")[::-1] for volume in part.get("volumes", []))
        self._command = [self._translated(word) for word in part["command"]]
        self._check = [self._translated(word) for word in part["healthcheck"]["test"][1:]]
        self._again = part["restart"] == "unless-stopped"
        self._state = State(secrets.token_hex(8), os.getpid(), "")
        given = {name: self._translated(str(v)) for name, v in part["environment"].items()}
        self.environment = {
            "PATH": f"{folder}/bin:{Path(sys.executable).parent}:{POSTGRES[-1]}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            # The image has the package installed; here it is this very tree.
            "PYTHONPATH": str(ROOT),
            **given,
            MARK: self._state.mark(name),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._user: list[str] = []
        self._on_loopback()

    def start(self) -> None:
        """Run its command."""
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

    def well(self) -> bool:
        """What its health check says."""
        checked = subprocess.run(
            self._check, env=self.environment, cwd=self.folder, capture_output=True, check=False
        )
        return checked.returncode == 0

    def kill(self) -> None:
        """SIGKILL to all of it."""
        family = ProcessTree(self._state)
        with self._lock:
            while alive := family.alive():
                for process in alive:
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
                time.sleep(0.05)
            if self._process:
                self._process.wait()

    def start_if_it_ended(self) -> None:
        """As its restart policy says."""
        with self._lock:
            if self._again and self._process and self._process.poll() is not None:
                self.kill()
                self.start()

    def pids(self) -> set[int]:
        """Its processes."""
        return {process.pid for process in ProcessTree(self._state).alive()}

    def _translated(self, text: str) -> str:
        text = _PART.sub("127.0.0.1", text).replace("0.0.0.0", "127.0.0.1")
        text = _PORT.sub(lambda port: str(self._ports[port[1]]), text)
        for path, volume in self._mounts.items():
            text = re.sub(rf"(?<![\w/-]){re.escape(path)}\b", str(self.folder / volume), text)
        return text

    def _on_loopback(self) -> None:
        """What a container's own network, user and /tmp would be."""
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
            self._make_database()

    def _make_database(self) -> None:
        """What the image's entry point does before its command."""
        at, user = self.environment["PGDATA"], self.environment["POSTGRES_USER"]
        password = f"<(echo {self.environment['POSTGRES_PASSWORD']})"
        create = f"CREATE DATABASE {self.environment['POSTGRES_DB']}"
        script = (
            f"initdb -D {at} -U {user} -A scram-sha-256 --pwfile {password} && "
            f"echo '{create}' | postgres --single -D {at} postgres"
        )
        subprocess.run(
            [*self._user, "bash", "-c", script],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            check=True,
        )
