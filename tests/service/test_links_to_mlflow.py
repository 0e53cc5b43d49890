"""Links to MLflow's pages follow PARETOIB_SERVICE_MLFLOW_PAGES."""

import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paretoib.records import SweepInfo
from paretoib.tracking import ui

AddressAndSweep = tuple[str, SweepInfo]


def is_healthy(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health").close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def mlflow(
    empty_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
    make_sweep: Callable[..., SweepInfo],
    wait_for: Callable[[Callable[[], object]], None],
) -> Iterator[AddressAndSweep]:
    """The address of an MLflow server, and a sweep in its store."""
    folder = shutil.copytree(empty_store, tmp_path_factory.mktemp("links") / "store")
    sweep = make_sweep(folder, 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pages = ui(port, uri=f"sqlite:///{folder}/mlflow.db")
    process = subprocess.Popen(
        pages.command, env={**os.environ, **(pages.environment or {})}, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: is_healthy(pages.address))
        yield pages.address, sweep
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("pages", [None, "", "https://mlflow.example/"])
def test_links_use_the_configured_address_of_mlflow(
    mlflow: AddressAndSweep, serve: Any, tmp_path: Path, pages: str | None
) -> None:
    """Links lead to PARETOIB_SERVICE_MLFLOW_PAGES, or by default to the MLflow server.

    If the setting is empty, there are no links.
    """
    address, sweep = mlflow
    settings = {} if pages is None else {"mlflow_pages": pages}
    with serve(tmp_path, tracking_uri=address, **settings) as served, served.client() as client:
        path = f"/sweeps/{sweep.id}"
        page = client.get(path, headers={"Accept": "text/html"}).text
        (trial,) = client.get(f"{path}/trials").json()["trials"]
        link = client.get(f"{path}/trials/{trial['trial']}").json()["address"]
    assert (">MLflow run<" in page) == (pages != "")
    if pages == "":
        assert link is None
        assert address not in page
        return
    base = (pages or address).rstrip("/")
    assert link.startswith(f"{base}/#/experiments/")
    assert f'href="{base}/#/experiments/' in page
