"""The service of `paretoib serve`, in a folder with the `.env` file of docker compose."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paretoib.cli.serve.supervisor import _environment

PROCESSES = ("service", "mlflow", "ray")
EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_the_service_ignores_the_hosts_in_the_dotenv_file(
    fresh_store: Path, make_sweep: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    """With the variables of `paretoib serve`, the service ignores the hosts in the `.env` file.

    The service answers on loopback, and its pages link to the MLflow server of `paretoib serve`.
    """
    sweep = make_sweep(fresh_store, 1).id
    shutil.copy(EXAMPLE, fresh_store / ".env")
    addresses = {name: f"http://127.0.0.1:{port}" for port, name in enumerate(PROCESSES, 1)}
    store = f"sqlite:///{fresh_store}/mlflow.db"
    with (
        serve(fresh_store, _environment(addresses, store, True, {})) as served,
        served.client() as client,
    ):
        page = client.get(f"/sweeps/{sweep}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert f'href="{addresses["mlflow"]}/#/' in page.text
