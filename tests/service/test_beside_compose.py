"""The service that `paretoib serve` starts where a `.env` is for docker compose."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paretoib.cli.serve.supervisor import _environment

PARTS = ("service", "mlflow", "ray")
EXAMPLE = Path(__file__).parents[2] / ".env.example"


def test_it_answers_by_the_address_that_is_printed(
    fresh_store: Path, make_sweep: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    """And links to the pages that were started with it."""
    sweep = make_sweep(fresh_store, 1).id
    shutil.copy(EXAMPLE, fresh_store / ".env")
    addresses = {part: f"http://127.0.0.1:{port}" for port, part in enumerate(PARTS, 1)}
    store = f"sqlite:///{fresh_store}/mlflow.db"
    with (
        serve(fresh_store, _environment(addresses, store, True, {})) as served,
        served.client() as client,
    ):
        page = client.get(f"/sweeps/{sweep}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert f'href="{addresses["mlflow"]}/#/' in page.text
