"""Starts MLflow, Ray and the service as processes on loopback, and checks that they run."""

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from paretoib.cli.serve.ports import HOST, free_ports
from paretoib.cli.serve.state_file import ServeState
from paretoib.errors import ParetoIBError
from paretoib.processes import SAFE_PATH, socket_folder
from paretoib.progress import LINE_SECONDS
from paretoib.settings import settings
from paretoib.tokens import new_token, token_digest
from paretoib.tracking import MLFLOW_PORT, ui

START_TIMEOUT = 180.0  # seconds to wait until the service reaches MLflow and Ray
_SCOPES = {"read": "read", "write": "read+write"}
# These variables could point to another cluster or service than the ones started here.
_NOT_INHERITED = {
    *("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "PARETOIB_RAY_ADDRESS"),
    *("PARETOIB_SERVER", "PARETOIB_TOKEN"),
}


class Supervisor:
    """The processes of MLflow, Ray and the service; each writes a log file in `logs`.

    `announce` gets a line for each process that is started, and while the service is not ready.
    """

    def __init__(self, state: ServeState, logs: Path, announce: Callable[[str], None]) -> None:
        self._state = state
        self._logs = logs
        self._announce = announce
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, port: int | None, auth: bool) -> tuple[dict[str, str], dict[str, str]]:
        """Start all processes; returns their addresses and the new tokens, once all answer.

        The service gets only the hashes of the tokens. If the environment sets
        `PARETOIB_SERVICE_TOKENS`, no tokens are created. Raises `ParetoIBError` if a process ends
        or does not answer.
        """
        mlflow_port, dashboard, *ray_ports = free_ports(MLFLOW_PORT, 8265, 0, 0, 0)
        mlflow = ui(mlflow_port)
        addresses = {
            "service": f"http://{HOST}:{port or free_ports(8000)[0]}",
            "mlflow": mlflow.address,
            "ray": f"http://{HOST}:{dashboard}",
        }
        tokens = {}
        if auth and "PARETOIB_SERVICE_TOKENS" not in os.environ:
            tokens = {name: new_token() for name in _SCOPES}
        environment = _environment(addresses, mlflow.uri, auth, tokens)
        if mlflow.command:
            self._announce(f"starting MLflow at {addresses['mlflow']}")
            self._start("mlflow", mlflow.command, {**environment, **(mlflow.environment or {})})
        self._announce("starting Ray")
        self._start("ray", _ray_command(self._state.scratch, dashboard, *ray_ports), environment)
        self._announce(f"starting the service at {addresses['service']}")
        # -P: a folder `service` in the working directory is not imported.
        self._start("service", (sys.executable, "-P", "-m", "service"), environment)
        self._wait_until_ready(f"{addresses['service']}/readyz")
        return addresses, tokens

    def check(self) -> None:
        """Raise `ParetoIBError` if a process has ended, with the last line of its log."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                log = self._log(name)
                *_, last = log.read_text(errors="replace").strip().splitlines() or [""]
                raise ParetoIBError(
                    f"{name} ended with exit code {process.returncode}, so `paretoib serve` stops "
                    f"its other processes; the last line of {log}: {last}"
                )

    def _start(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._logs.mkdir(mode=0o700, exist_ok=True)
        with self._log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env={**environment, **self._state.environment(name)},
                # The service reads `.env` in the working directory. The others would import modules
                # of the user from there.
                cwd=None if name == "service" else self._logs.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # The child gets its own session, so Ctrl-C reaches only `paretoib serve`, which
                # then ends its children in order.
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _wait_until_ready(self, address: str) -> None:
        began = time.monotonic()
        deadline, waited = began + START_TIMEOUT, LINE_SECONDS
        while not _is_ready(address):
            self.check()
            if time.monotonic() > began + waited:
                self._announce(f"waiting until all answer: {waited:.0f} s")
                waited += LINE_SECONDS
            if time.monotonic() > deadline:
                raise ParetoIBError(
                    f"{address} is not ready after {START_TIMEOUT:g} s; see the logs in "
                    f"{self._logs}"
                )
            time.sleep(0.2)


def _environment(
    addresses: Mapping[str, str], store: str, auth: bool, tokens: Mapping[str, str]
) -> dict[str, str]:
    """The environment of all processes; Ray passes it on to the jobs of sweeps."""
    environment = {
        **SAFE_PATH,
        # Ray's dashboard has sockets there.
        "TMPDIR": str(socket_folder()),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        "PARETOIB_TRACKING_URI": store,
        # The same folder as without `paretoib serve`, so that other commands find the journals.
        "PARETOIB_JOURNAL": str((settings().journal or settings().store / "journal").absolute()),
        "PARETOIB_SERVICE_HOST": HOST,
        "PARETOIB_SERVICE_PORT": addresses["service"].rpartition(":")[2],
        "PARETOIB_SERVICE_AUTH": str(auth).lower(),
        "PARETOIB_SERVICE_RAY_JOBS": addresses["ray"],
        # Overrides a value in the working directory's `.env`, which may be for another service.
        "PARETOIB_SERVICE_ALLOWED_HOSTS": f"{HOST},localhost,[::1]",
        "PARETOIB_SERVICE_MLFLOW_PAGES": addresses["mlflow"],
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Without this variable, Ray binds to the machine's network address instead of loopback.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    if tokens:
        environment["PARETOIB_SERVICE_TOKENS"] = ",".join(
            f"{name}:{_SCOPES[name]}:{token_digest(token)}" for name, token in tokens.items()
        )
    inherited = {n: value for n, value in os.environ.items() if n not in _NOT_INHERITED}
    return {**inherited, **_settings_variables(), **environment}


def _settings_variables() -> dict[str, str]:
    """The settings as variables; paths are absolute, as jobs have another working directory."""
    variables = {
        f"PARETOIB_{name.upper()}": str(value.absolute() if isinstance(value, Path) else value)
        for name, value in settings()
        if value
    }
    return {name: value for name, value in variables.items() if name not in _NOT_INHERITED}


def _ray_command(
    scratch: str, dashboard: int, gcs: int, client: int, agent: int
) -> tuple[str, ...]:
    """The command of a Ray head with a dashboard, which serves Ray's Jobs API."""
    options = {
        "--node-ip-address": HOST,
        "--port": gcs,
        "--dashboard-host": HOST,
        "--dashboard-port": dashboard,
        "--dashboard-agent-listen-port": agent,
        "--ray-client-server-port": client,
        "--include-log-monitor": "false",
        "--temp-dir": scratch,
    }
    words = [str(word) for option in options.items() for word in option]
    return (sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--head", "--block", *words)


def _is_ready(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=15).close()
    except OSError:
        return False
    return True
