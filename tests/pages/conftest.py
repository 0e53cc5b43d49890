"""A finished sweep in an MLflow store, and MLflow's server over that store."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from paretoib.records import Front
from paretoib.search import driver
from paretoib.specs import with_overrides
from paretoib.tracking import EndedTrial, File, Ruler, front_of, ui
from paretoib.tracking._mlflow.tracker import MLflowTracker
from paretoib.training._run import run_trials


@pytest.fixture(scope="session")
def stored_sweep(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Front]:
    """The folder of a store with a β grid on digits, and the sweep's front."""
    from paretoib.fronts import front_html, front_image
    from paretoib.records import ReferencePoint

    folder = shutil.copytree(empty_store, tmp_path_factory.mktemp("pages") / "store")
    store = MLflowTracker(f"sqlite:///{folder / 'mlflow.db'}")
    small = {"hidden": [32], "latent": 8, "epochs": 6}
    spec = with_overrides({"method": "vib", "name": "a grid of β", "trials": 8}, small)
    info = store.create(spec)
    ruler = Ruler(ReferencePoint(rate_bits=33.0, lost_bits=3.3), 3.3)
    store.begin(info.id, ruler)
    records = run_trials(driver(spec).ask(8), device="cpu")
    for record in records:
        store.add(info.id, [EndedTrial(record, 1.0)])
    front = front_of(info.model_copy(update={"status": "finished"}), records, ruler)
    pictures = [
        File("front.html", front_html(front).encode()),
        File("front.png", front_image(front)),
    ]
    store.close(info.id, "finished", front, pictures)
    return folder, front


@pytest.fixture(scope="session")
def mlflow_pages(stored_sweep: tuple[Path, Front]) -> Iterator[str]:
    """The address of an MLflow server over the store, started by the command of `paretoib ui`."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    pages = ui(port, uri=f"sqlite:///{stored_sweep[0]}/mlflow.db")
    with subprocess.Popen(
        pages.command, env={**os.environ, **(pages.environment or {})}, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _wait_for(f"{pages.address}/health", server)
            yield pages.address
        finally:
            server.terminate()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert server.poll() is None, "MLflow's server should stay up"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"{address} did not answer within 90 s")
