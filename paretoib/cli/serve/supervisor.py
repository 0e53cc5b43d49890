"""The parts that `paretoib serve` starts: their commands, environment and ports, on loopback."""

import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from paretoib.cli.serve.ports import HOST, free_ports
from paretoib.cli.serve.state_file import MARK, State
from paretoib.errors import ParetoIBError
from paretoib.settings import settings
from paretoib.tokens import new_token, token_digest
from paretoib.tracking import PORT, ui

PATIENCE = 180.0  # seconds until everything answers
_SCOPES = {"read": "read", "write": "read+write"}
# What would lead a part to another cluster or service than those that are started here.
_ASTRAY = {
    *("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "PARETOIB_RAY_ADDRESS"),
    *("PARETOIB_SERVER", "PARETOIB_TOKEN"),
}


def check_port(port: int | None) -> None:
    """`ParetoIBError` for a port that someone has asked for, and another has."""
    if port and free_ports(port) != [port]:
        raise ParetoIBError(f"--port should be a free one; {port} is taken")


class Supervisor:
    """MLflow, Ray and the service, with the logs that they write in `logs`."""

    def __init__(self, state: State, logs: Path) -> None:
        self._state = state
        self._logs = logs
        self._parts: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, port: int | None, auth: bool) -> tuple[dict[str, str], dict[str, str]]:
        """Start them; where each of them answers, once all do, and the tokens that were made.

        The service gets hashes of the tokens alone, and none where the environment has some for it
        (`PARETOIB_SERVICE_TOKENS`). Raises `ParetoIBError` for one that ends or does not answer.
        """
        mlflow, dashboard, *ray = free_ports(PORT, 8265, 0, 0, 0)
        pages = ui(mlflow)
        addresses = {
            "service": f"http://{HOST}:{port or free_ports(8000)[0]}",
            "mlflow": pages.address,
            "ray": f"http://{HOST}:{dashboard}",
        }
        tokens = {}
        if auth and "PARETOIB_SERVICE_TOKENS" not in os.environ:
            tokens = {name: new_token() for name in _SCOPES}
        environment = _environment(addresses, pages.uri, auth, tokens)
        if pages.command:
            self._begin("mlflow", pages.command, {**environment, **(pages.environment or {})})
        self._begin("ray", _ray(self._state.scratch, dashboard, *ray), environment)
        # Not a folder of that name where we happen to be (-P).
        self._begin("service", (sys.executable, "-P", "-m", "service"), environment)
        self._until_answered(f"{addresses['service']}/readyz")
        return addresses, tokens

    def check(self) -> None:
        """`ParetoIBError` when a part has ended, with the last line that it wrote."""
        for name, part in self._parts.items():
            if part.poll() is not None:
                said = self._log(name).read_text(errors="replace").strip().splitlines() or [""]
                raise ParetoIBError(
                    f"{name} ended by itself (exit code {part.returncode}), so the others were "
                    f"ended; {self._log(name)} closes with: {said[-1]}"
                )

    def _begin(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._logs.mkdir(mode=0o700, exist_ok=True)
        with self._log(name).open("wb") as log:
            self._parts[name] = subprocess.Popen(
                command,
                env={**environment, MARK: self._state.mark(name)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us alone, and they end one after the other.
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _until_answered(self, address: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not _answers(address):
            self.check()
            if time.monotonic() > deadline:
                raise ParetoIBError(f"not all answer after {PATIENCE:g} s; see {self._logs}")
            time.sleep(0.2)


def _environment(
    addresses: Mapping[str, str], store: str, auth: bool, tokens: Mapping[str, str]
) -> dict[str, str]:
    """What all parts are told; sweeps have it from Ray."""
    own = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        "PARETOIB_TRACKING_URI": store,
        # As whoever works on the store without its server has it.
        "PARETOIB_JOURNAL": str((settings().journal or settings().store / "journal").absolute()),
        "PARETOIB_SERVICE_HOST": HOST,
        "PARETOIB_SERVICE_PORT": addresses["service"].rpartition(":")[2],
        "PARETOIB_SERVICE_AUTH": str(auth).lower(),
        "PARETOIB_SERVICE_RAY_JOBS": addresses["ray"],
        # Those of a `.env` where we happen to be are for another service.
        "PARETOIB_SERVICE_ALLOWED_HOSTS": f"{HOST},localhost,[::1]",
        "PARETOIB_SERVICE_MLFLOW_PAGES": addresses["mlflow"],
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Without it Ray would leave loopback for the machine's own address.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    if tokens:
        own["PARETOIB_SERVICE_TOKENS"] = ",".join(
            f"{name}:{_SCOPES[name]}:{token_digest(token)}" for name, token in tokens.items()
        )
    inherited = {name: value for name, value in os.environ.items() if name not in _ASTRAY}
    return {**inherited, **_settings(), **own}


def _settings() -> dict[str, str]:
    """Our own settings, from wherever they came, for those who run in another folder."""
    found = {
        f"PARETOIB_{name.upper()}": str(value.absolute() if isinstance(value, Path) else value)
        for name, value in settings()
        if value
    }
    return {name: value for name, value in found.items() if name not in _ASTRAY}


def _ray(scratch: str, dashboard: int, gcs: int, client: int, agent: int) -> tuple[str, ...]:
    """Ray's head, with the dashboard: that is what answers its Jobs API."""
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


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=15).close()
    except OSError:
        return False
    return True
