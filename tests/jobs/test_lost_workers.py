"""A sweep whose workers are killed, hang, raise or fail to start."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Results = list[dict[str, Any]]


def failures_of(notes: Path, *sweeps: str) -> Results:
    """Run `sweep_with_worker_failures.py` with these sweeps; returns the JSON that it prints."""
    ended = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("sweep_with_worker_failures.py"),
            notes,
            *sweeps,
        ],
        env={**os.environ, "PARETOIB_WORKERS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert ended.stderr == "", "lost workers should be in the records, not on stderr"
    results: Results = json.loads(ended.stdout)
    return results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of two sweeps: the failures for 1, 2 and 3 epochs, and for 5 and 6 epochs."""
    return failures_of(tmp_path_factory.mktemp("notes"), "1,2,3", "5,6")


@pytest.fixture
def failures(results: Results) -> dict[str, Any]:
    """The results of the sweep with the failures for 1, 2 and 3 epochs."""
    return results[0]


def betas_of(front: dict[str, Any], epochs: int) -> set[float]:
    """The β of the points with this number of epochs."""
    params = [point["params"] for point in front["points"]]
    return {p["weighting.beta"] for p in params if p["training.epochs"] == epochs}


def test_a_lost_pack_is_retried(failures: dict[str, Any]) -> None:
    """After a killed worker, each trial of its pack still ends once."""
    assert len(failures["notes"]["attempts-2"]) == 2
    front = failures["front"]
    assert betas_of(front, 2) == {0.1, 0.01}
    trials = [trial["trial"] for trial in front["points"] + front["failed"]]
    assert len(trials) == len(set(trials)) == 6


def test_a_trial_that_kills_every_worker_fails(failures: dict[str, Any]) -> None:
    """A pack whose worker is killed every time is split after three retries.

    The trial that kills workers fails, and the other trial finishes.
    """
    whole_pack, other_trial, this_trial = 4, 1, 4
    assert len(failures["notes"]["attempts-1"]) == whole_pack + other_trial + this_trial
    front = failures["front"]
    assert betas_of(front, 1) == {0.1}
    reasons = [failed["reason"] for failed in front["failed"]]
    assert reasons.count("its worker was lost 4 times") == 1
    assert front["sweep"]["status"] == "finished"


def test_a_trial_that_raises_does_not_affect_its_pack(failures: dict[str, Any]) -> None:
    """A trial that raises fails with the error and its line of code. The other trial finishes."""
    front = failures["front"]
    assert betas_of(front, 3) == {0.1}
    reasons = [failed["reason"] for failed in front["failed"]]
    (reason,) = [reason for reason in reasons if "MemoryError" in reason]
    assert "you tried to allocate 17179869184 bytes (sweep_with_worker_failures.py:" in reason


def test_a_pack_for_which_no_worker_starts_ends_the_sweep(results: Results) -> None:
    """If every worker fails to start for a pack, the sweep ends with the reason.

    The trials of the pack have no record, so that `resume` runs them.
    """
    failures = results[1]
    # Four attempts, and up to four more after the other pack has been trained.
    assert 4 <= len(failures["notes"]["attempts-5"]) <= 8
    message = failures["error"]
    assert message.startswith("workers should start; 4 in a row failed to start: ")
    assert "mlp" in message
    front = failures["front"]
    assert front["sweep"]["status"] == "failed"
    assert [point["params"]["weighting.beta"] for point in front["points"]] == [0.1, 0.01]
    assert front["failed"] == []


def test_workers_share_the_cores(failures: dict[str, Any]) -> None:
    """torch uses as many threads on a worker as the worker has cores."""
    threads = [failures["notes"][f"threads-{epochs}"].split()[0] for epochs in (2, 3)]
    share = max(1, (os.cpu_count() or 1) // 2)
    assert threads == [str(share), str(share)]


def test_ray_has_a_loopback_address(failures: dict[str, Any]) -> None:
    """Ray's processes connect to each other at a loopback address."""
    assert failures["address"] == "127.0.0.1"


@pytest.mark.slow  # A worker that hangs is killed 30 s after its time limit.
def test_a_trial_that_hangs_is_ended_with_its_worker(tmp_path: Path) -> None:
    """A trial that hangs fails with the reason and is not retried. The other trial finishes."""
    (failures,) = failures_of(tmp_path, "4")
    front = failures["front"]
    assert [point["params"]["weighting.beta"] for point in front["points"]] == [0.1]
    (failed,) = front["failed"]
    assert failed["reason"] == "took longer than 2 s, so its worker was killed"
    assert len(failures["notes"]["attempts-4"]) == 2
