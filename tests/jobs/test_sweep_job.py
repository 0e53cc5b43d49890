"""`python -m jobs.sweep ID`: runs a sweep of the store on an existing cluster."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paretoib.records import ReferencePoint
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, Ruler
from paretoib.tracking._mlflow.tracker import MLflowTracker
from paretoib.training import run_trials

PATIENCE = 240  # seconds
LABEL_ENTROPY = 3.310773249917404  # bits, on the test split of digits


@pytest.fixture
def cluster() -> Iterator[dict[str, str]]:
    """A Ray head on loopback with a token; yields the environment to join it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    ray = Path(sys.executable).with_name("ray")
    options = ["--node-ip-address", "127.0.0.1", "--port", str(port), "--num-cpus", "1"]
    head = subprocess.Popen(
        [ray, "start", "--head", "--block", "--include-dashboard", "false", *options],
        env={**os.environ, **token},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert head.stdout is not None
    for line in head.stdout:
        if "started" in line:
            break
    yield {**token, "PARETOIB_RAY_ADDRESS": f"127.0.0.1:{port}"}
    head.terminate()
    head.communicate(timeout=PATIENCE)


def test_a_job_runs_only_the_trials_that_are_missing(
    cluster: dict[str, str], empty_store: Path, tmp_path: Path
) -> None:
    """A job runs the trials without a record; a second job then has nothing to run."""
    store = shutil.copytree(empty_store, tmp_path / "store")
    tracker = MLflowTracker(f"sqlite:///{store}/mlflow.db")
    spec = SweepSpec.from_document(
        {
            "method": "vib",
            "model": {"name": "mlp", "hidden": [8], "latent": 2},
            "grid": {"beta": [0.1], "epochs": [100_000, 1, 2]},
        }
    )
    sweep = tracker.create(spec)
    tracker.begin(
        sweep.id,
        Ruler(ReferencePoint(rate_bits=10 * LABEL_ENTROPY, lost_bits=LABEL_ENTROPY), LABEL_ENTROPY),
    )
    # The first trial would take hours, so its stored record comes from a short training.
    (long, short) = driver(spec).ask(2)
    (trained,) = run_trials([short], device="cpu")
    stored = trained.model_copy(update={"trial": long.key, "spec": long.document})
    tracker.add(sweep.id, [EndedTrial(stored, 0.0)])
    tracker.close(sweep.id, "interrupted", None, [])

    def job() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "jobs.sweep", sweep.id],
            env={**os.environ, **cluster, "PARETOIB_STORE": str(store)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    ended = job()
    assert (ended.returncode, ended.stdout) == (0, "")
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO "
    lines = ended.stderr.splitlines()
    assert [line for line in lines if not re.match(time, line)] == []
    assert re.match(rf"{time}.+ begins: 3 trials, 1 have ended, 1 worker × 1 CPU", lines[0])
    assert sum(" finished after " in line for line in lines) == 2
    assert lines[-1].endswith(" · finished")
    records = tracker.records(sweep.id)
    assert [r.spec["training"]["epochs"] for r in records] == [100_000, 1, 2]
    assert [r.status for r in records] == ["finished"] * 3
    assert records[0].test == stored.test
    assert tracker.find(sweep.id).status == "finished"

    assert job().returncode == 0
    assert tracker.records(sweep.id) == records
    assert tracker.find(sweep.id).status == "finished"


@pytest.mark.parametrize(
    ("arguments", "part"), [(["nosuch"], "`nosuch`"), ([], "usage"), (["a", "b"], "usage")]
)
def test_a_job_without_a_sweep_is_refused(
    arguments: list[str],
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without the id of one existing sweep, a job prints one line and exits with code 2."""
    from jobs.sweep import main
    from paretoib.settings import settings

    monkeypatch.setenv("PARETOIB_STORE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["jobs.sweep", *arguments])
    settings.cache_clear()
    assert main() == 2
    settings.cache_clear()
    (line,) = capsys.readouterr().err.splitlines()
    assert part in line
