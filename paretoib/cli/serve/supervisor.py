"""Starts MLflow, Ray and the service on loopback, and watches them."""

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from paretoib.cli.serve.ports import HOST, free_ports
from paretoib.cli.serve.processes import ProcessTree
from paretoib.cli.serve.state_file import State
from paretoib.errors import ParetoIBError
from paretoib.settings import settings
from paretoib.tokens import new_token, token_digest
from paretoib.tracking import PORT, ui

_START_SECONDS = 180.0
_SCOPES = {"read": "read", "write": "read+write"}  # of the new tokens, by name
# Variables that would lead a process to another cluster or another service.
_NOT_INHERITED = {
    *("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "PARETOIB_RAY_ADDRESS"),
    *("PARETOIB_SERVER", "PARETOIB_TOKEN"),
}


def check_port(port: int | None) -> None:
    """Refuse a port that is taken; raises `ParetoIBError`."""
    if port and free_ports(port) != [port]:
        raise ParetoIBError(f"--port: should be a free port; found {port}, which is taken")


class Supervisor:
    """The processes of MLflow, Ray and the service, with their log files in the folder `logs`."""

    def __init__(self, state: State, logs: Path) -> None:
        self._tree = ProcessTree(state.id)
        self._scratch = state.scratch
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, port: int | None, auth: bool) -> tuple[dict[str, str], dict[str, str]]:
        """Start all processes and wait until they answer; returns URLs and new tokens, by name.

        The service gets only hashes of the tokens. There are no new tokens if the environment has
        hashes of its own (`PARETOIB_SERVICE_TOKENS`). Raises `ParetoIBError` if a process ends or
        does not answer.
        """
        mlflow, dashboard, *ray = free_ports(PORT, 8265, 0, 0, 0)
        mlflow_ui = ui(mlflow)
        addresses = {
            "service": f"http://{HOST}:{port or free_ports(8000)[0]}",
            "mlflow": mlflow_ui.address,
            "ray": f"http://{HOST}:{dashboard}",
        }
        tokens = {}
        if auth and "PARETOIB_SERVICE_TOKENS" not in os.environ:
            tokens = {name: new_token() for name in _SCOPES}
        environment = _environment(addresses, mlflow_ui.uri, auth, tokens)
        if mlflow_ui.command:
            mlflow_environment = {**environment, **(mlflow_ui.environment or {})}
            self._start_process("mlflow", mlflow_ui.command, mlflow_environment)
        self._start_process("ray", _ray_command(self._scratch, dashboard, *ray), environment)
        # -P: a folder `service` in the working directory is not imported.
        self._start_process("service", (sys.executable, "-P", "-m", "service"), environment)
        # The service is ready only once it reaches MLflow and Ray.
        self._wait_until_ready(f"{addresses['service']}/readyz")
        return addresses, tokens

    def check(self) -> None:
        """Raise `ParetoIBError` if a process has ended, with the last line of its log."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                lines = self._log(name).read_text(errors="replace").strip().splitlines() or [""]
                raise ParetoIBError(
                    f"{name} ended unexpectedly (exit code {process.returncode}), so all processes "
                    f"were ended; the last line of {self._log(name)}: {lines[-1]}"
                )

    def _start_process(
        self, name: str, command: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        self._logs.mkdir(mode=0o700, exist_ok=True)
        with self._log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env={**environment, **self._tree.tag(name)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches only this process, which then ends the others in order.
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _is_ready(url):
            self.check()
            if time.monotonic() > deadline:
                raise ParetoIBError(
                    f"service, MLflow and Ray should be ready within {_START_SECONDS:g} s and are "
                    f"not; see the logs in {self._logs}"
                )
            time.sleep(0.2)


def _environment(
    addresses: Mapping[str, str], store: str, auth: bool, tokens: Mapping[str, str]
) -> dict[str, str]:
    """The environment of all processes; the jobs of sweeps inherit it from Ray."""
    own = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        "PARETOIB_TRACKING_URI": store,
        # The default folder for the SQLite store; for an MLflow server the default is another one.
        # A later `paretoib resume`, without the server, has to find the journals here.
        "PARETOIB_JOURNAL": str((settings().journal or settings().store / "journal").absolute()),
        "PARETOIB_SERVICE_HOST": HOST,
        "PARETOIB_SERVICE_PORT": addresses["service"].rpartition(":")[2],
        "PARETOIB_SERVICE_AUTH": str(auth).lower(),
        "PARETOIB_SERVICE_RAY_JOBS": addresses["ray"],
        # Set, because a `.env` file in the working directory may be for another service.
        "PARETOIB_SERVICE_ALLOWED_HOSTS": f"{HOST},localhost,[::1]",
        "PARETOIB_SERVICE_MLFLOW_PAGES": addresses["mlflow"],
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Otherwise Ray uses the machine's network address instead of loopback.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    if tokens:
        own["PARETOIB_SERVICE_TOKENS"] = ",".join(
            f"{name}:{_SCOPES[name]}:{token_digest(token)}" for name, token in tokens.items()
        )
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return {**inherited, **_settings_environment(), **own}


def _settings_environment() -> dict[str, str]:
    """The settings as variables, with absolute paths, for processes in another folder."""
    variables = {
        f"PARETOIB_{name.upper()}": str(value.absolute() if isinstance(value, Path) else value)
        for name, value in settings()
        if value
    }
    return {name: value for name, value in variables.items() if name not in _NOT_INHERITED}


def _ray_command(
    temp_directory: str, dashboard: int, gcs: int, client: int, agent: int
) -> tuple[str, ...]:
    """Ray's head node, with the dashboard, which serves the Jobs API."""
    options = {
        "--node-ip-address": HOST,
        "--port": gcs,
        "--dashboard-host": HOST,
        "--dashboard-port": dashboard,
        "--dashboard-agent-listen-port": agent,
        "--ray-client-server-port": client,
        "--include-log-monitor": "false",
        "--temp-dir": temp_directory,
    }
    words = [str(word) for option in options.items() for word in option]
    return (sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--head", "--block", *words)


def _is_ready(url: str) -> bool:
    """Whether the health check at this URL succeeds."""
    try:
        urllib.request.urlopen(url, timeout=15).close()
    except OSError:
        return False
    return True
