"""MLflow's UI for the store: its address, and the command that serves it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paretoib.tracking._mlflow.location import (
    artifact_root,
    is_server,
    masked,
    mlflow_address,
    tracking_uri,
)

MLFLOW_PORT = 5000


@dataclass(frozen=True)
class UI:
    """MLflow's UI: its address for people, and the command that serves the UI at this address.

    `command` is empty if the configured MLflow server serves the UI already. `environment` is
    the complete environment of the command, and `folder` its working directory: MLflow's server
    imports modules from its working directory, so it must not be the user's. `uri` is for programs:
    it may contain the password that `address` leaves out.
    """

    address: str
    uri: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    folder: Path | None = None


def ui(port: int = MLFLOW_PORT, uri: str | None = None) -> UI:
    """MLflow's UI for a store, by default the configured one.

    It is the MLflow server's own UI if the store is a server, else a UI that `command` serves on
    loopback.
    """
    uri = uri or tracking_uri()
    if is_server(uri):
        return UI(masked(uri).rstrip("/"), uri)
    hosts = ("127.0.0.1", "localhost")
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
        "--allowed-hosts": ",".join(f"{host}:{port}" for host in hosts),
    }
    environment = {
        # Not on the command line, which every user can read: the address may have a password.
        "MLFLOW_BACKEND_STORE_URI": mlflow_address(uri),
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": artifact_root(uri).as_uri(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    folder = artifact_root(uri).parent
    return UI(
        address=f"http://127.0.0.1:{port}",
        uri=f"http://127.0.0.1:{port}",
        command=(
            *(sys.executable, "-P", "-m", "mlflow", "server", "--no-serve-artifacts"),
            *(word for option in options.items() for word in option),
        ),
        environment={**os.environ, **environment},
        folder=folder if folder.is_dir() else None,
    )


def ui_address(uri: str) -> str:
    """The address of MLflow's UI for this store: the MLflow server, or `paretoib ui`."""
    return masked(uri).rstrip("/") if is_server(uri) else f"http://127.0.0.1:{MLFLOW_PORT}"
