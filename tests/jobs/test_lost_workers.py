"""A sweep whose workers are killed, hang, raise or cannot begin."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def failures_of(notes: Path, *epochs: int) -> dict[str, Any]:
    """The output of `sweep_with_worker_failures.py`: front, notes on each pack, Ray's address."""
    ended = subprocess.run(
        [
            sys.executable,
            Path(__file__).with_name("sweep_with_worker_failures.py"),
            notes,
            *map(str, epochs),
        ],
        env={**os.environ, "PARETOIB_WORKERS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert ended.stderr == "", "lost workers should be in the records, and nothing printed"
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All failures that take little time."""
    return failures_of(tmp_path_factory.mktemp("notes"), 1, 2, 3)


def betas_of(front: dict[str, Any], epochs: int) -> set[float]:
    """The β of the points with this number of epochs."""
    params = [point["params"] for point in front["points"]]
    return {p["weighting.beta"] for p in params if p["training.epochs"] == epochs}


def test_a_lost_pack_is_tried_again(failures: dict[str, Any]) -> None:
    """A killed worker costs only time: the trials of its pack end, each once."""
    assert len(failures["notes"]["attempts-2"]) == 2
    front = failures["front"]
    assert betas_of(front, 2) == {0.1, 0.01}
    trials = [trial["trial"] for trial in front["points"] + front["failed"]]
    assert len(trials) == len(set(trials)) == 6


def test_a_trial_that_kills_every_worker_is_given_up(failures: dict[str, Any]) -> None:
    """After three retries its pack is split; it fails with the reason, its neighbour finishes."""
    pack, neighbour, alone = 4, 1, 4
    assert len(failures["notes"]["attempts-1"]) == pack + neighbour + alone
    front = failures["front"]
    assert betas_of(front, 1) == {0.1}
    reasons = [failed["reason"] for failed in front["failed"]]
    assert reasons.count("its worker was lost 4 times") == 1
    assert front["sweep"]["status"] == "finished"


def test_a_trial_that_raises_costs_its_pack_nothing(failures: dict[str, Any]) -> None:
    """It fails with the error and its place; its neighbour in the pack finishes."""
    front = failures["front"]
    assert betas_of(front, 3) == {0.1}
    reasons = [failed["reason"] for failed in front["failed"]]
    (reason,) = [reason for reason in reasons if "MemoryError" in reason]
    assert "you tried to allocate 17179869184 bytes (sweep_with_worker_failures.py:" in reason


def test_a_pack_that_no_worker_can_begin_ends_the_sweep(tmp_path: Path) -> None:
    """After several attempts, with the reason; its trials are left for `resume`."""
    failures = failures_of(tmp_path, 5, 6)
    # As many again once the other pack, which some worker could begin, is done.
    assert 4 <= len(failures["notes"]["attempts-5"]) <= 8
    said = failures["error"]
    assert said.startswith("workers should be able to begin; 4 in a row could not: ")
    assert "mlp" in said
    front = failures["front"]
    assert front["sweep"]["status"] == "failed"
    assert [point["params"]["weighting.beta"] for point in front["points"]] == [0.1, 0.01]
    assert front["failed"] == []


def test_every_worker_keeps_to_its_core(failures: dict[str, Any]) -> None:
    """torch's threads on the workers are no more than there are cores for all of them."""
    threads = [failures["notes"][f"threads-{epochs}"].split()[0] for epochs in (2, 3)]
    share = max(1, (os.cpu_count() or 1) // 2)
    assert threads == [str(share), str(share)]


def test_ray_listens_on_loopback_alone(failures: dict[str, Any]) -> None:
    """The address that its processes find each other by."""
    assert failures["address"] == "127.0.0.1"


@pytest.mark.slow  # The grace that a worker has is half a minute, and it has it twice.
def test_a_trial_that_hangs_is_ended_with_its_worker(tmp_path: Path) -> None:
    """It is not tried again, and fails with the reason; the other worker's trial ends."""
    failures = failures_of(tmp_path, 4)
    front = failures["front"]
    assert [point["params"]["weighting.beta"] for point in front["points"]] == [0.1]
    (failed,) = front["failed"]
    assert failed["reason"] == "took longer than 2 s, and its worker had to be ended"
    assert len(failures["notes"]["attempts-4"]) == 2
