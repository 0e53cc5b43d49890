"""Links to MLflow's pages: to where people reach them, or none."""

import os
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paretoib.records import SweepInfo
from paretoib.tracking import ui

Served = tuple[str, SweepInfo]


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health").close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def mlflow(
    tmp_path_factory: pytest.TempPathFactory,
    make_sweep: Callable[..., SweepInfo],
    wait_for: Callable[[Callable[[], object]], None],
) -> Iterator[Served]:
    """The address of an MLflow server, and a sweep that it has."""
    folder = tmp_path_factory.mktemp("store")
    sweep = make_sweep(folder, 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pages = ui(port, uri=f"sqlite:///{folder}/mlflow.db")
    process = subprocess.Popen(
        pages.command, env={**os.environ, **(pages.environment or {})}, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: answers(pages.address))
        yield pages.address, sweep
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("pages", [None, "", "https://mlflow.example/"])
def test_links_lead_to_where_people_reach_mlflow(
    mlflow: Served, serve: Any, tmp_path: Path, pages: str | None
) -> None:
    """By default that is its own address; where there is none, neither page nor JSON has a link."""
    address, sweep = mlflow
    told = {} if pages is None else {"mlflow_pages": pages}
    with serve(tmp_path, tracking_uri=address, **told) as served, served.client() as client:
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
