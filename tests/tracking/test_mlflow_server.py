"""MLflow's server: the UI of an embedded store, and the server as a store."""

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from paretoib.cli.serve.ports import free_ports
from paretoib.records import ReferencePoint, SweepInfo, TrialRecord
from paretoib.settings import settings
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, File, Ruler, ui
from paretoib.tracking._mlflow.tracker import MLflowTracker

PICTURE = File("front.html", b"<!doctype html><p>a front</p>")


@dataclass(frozen=True)
class Served:
    """MLflow's server over an embedded store with one sweep.

    `folder` is the working directory of the server.
    """

    address: str
    folder: Path
    sweep: SweepInfo


@pytest.fixture(scope="module")
def served(
    empty_store: Path, spec: SweepSpec, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    store = shutil.copytree(empty_store, tmp_path_factory.mktemp("served") / "store")
    folder = tmp_path_factory.mktemp("working-directory")
    tracker = MLflowTracker(f"sqlite:///{store}/mlflow.db")
    sweep = tracker.create(spec)
    tracker.close(sweep.id, "finished", None, [PICTURE])
    with configured(store=str(store)):
        pages = ui(free_ports(0)[0])
    assert pages.environment is not None
    process = subprocess.Popen(
        pages.command,
        env=dict(pages.environment),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(process, pages.address)
        yield Served(pages.address, folder, sweep)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def configured(**values: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"PARETOIB_{name.upper()}", value)
        settings.cache_clear()
        yield
    settings.cache_clear()


def wait_for(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/health").close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no server at {address}")


def test_the_ui_serves_the_pictures_of_the_embedded_store(served: Served) -> None:
    """The server returns a front's picture, and writes no files to its working directory."""
    artifact = f"/get-artifact?run_uuid={served.sweep.id}&path=front.html"
    with urllib.request.urlopen(served.address + artifact) as answer:
        assert answer.read() == PICTURE.content
    assert list(served.folder.iterdir()) == []


def test_the_ui_rejects_unknown_host_names(served: Served) -> None:
    """An unknown Host header gets 403: otherwise, a page could read the store by DNS rebinding."""
    request = urllib.request.Request(served.address, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


def test_a_tracking_server_serves_its_own_ui() -> None:
    """If a tracking server is configured, `ui` returns its address and no command."""
    with configured(tracking_uri="https://mlflow.example/"):
        pages = ui()
    assert (pages.address, pages.command) == ("https://mlflow.example", ())


def test_a_sweep_is_written_to_a_tracking_server_and_read_back(
    served: Served,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A second tracker finds the ruler and the trials that the first one wrote to a server.

    Nothing is printed.
    """
    tracker = MLflowTracker(served.address)
    sweep = tracker.create(spec)
    ruler = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)
    tracker.begin(sweep.id, ruler)
    added = [record(0), record(1, status="failed")]
    for trial in added:
        tracker.add(sweep.id, [EndedTrial(trial, 1.0)])
    tracker.close(sweep.id, "finished", None, [PICTURE])
    reader = MLflowTracker(served.address)
    assert reader.find(sweep.id[:8]).status == "finished"
    assert reader.ruler(sweep.id) == ruler
    assert [r.trial for r in reader.records(sweep.id)] == [r.trial for r in added]
    url = reader.state(sweep.id).mlflow_url
    assert url is not None
    assert url.startswith(f"{served.address}/#/experiments/")
    assert capfd.readouterr() == ("", "")
