"""How to look at the store: MLflow's own pages."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from paretoib.tracking._mlflow.location import artifact_root, is_server, shown, tracking_uri

PORT = 5000


@dataclass(frozen=True)
class UI:
    """MLflow's pages: their address, and what serves them there.

    `command` is empty where the configured server does so already; `environment` is a whole one.
    `uri` is for programs: it may hold the password that `address` has not.
    """

    address: str
    uri: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None


def ui(port: int = PORT, uri: str | None = None) -> UI:
    """The pages over a store, the configured one unless `uri` is given: on loopback."""
    uri = uri or tracking_uri()
    if is_server(uri):
        return UI(shown(uri).rstrip("/"), uri)
    names = ("127.0.0.1", "localhost")
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
        "--allowed-hosts": ",".join(f"{name}:{port}" for name in names),
    }
    environment = {
        # Not on the command line, which every user of the machine may read: it can hold a password.
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": artifact_root(uri).as_uri(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return UI(
        address=f"http://127.0.0.1:{port}",
        uri=f"http://127.0.0.1:{port}",
        command=(
            *(sys.executable, "-m", "mlflow", "server", "--no-serve-artifacts"),
            *(word for option in options.items() for word in option),
        ),
        environment={**os.environ, **environment},
    )
