"""What a sweep makes of accidents on its workers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def accidents_of(notes: Path, *epochs: int) -> dict[str, Any]:
    """What `unlucky.py` printed: its front, notes on each pack, and where Ray listened."""
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("unlucky.py"), notes, *map(str, epochs)],
        env={**os.environ, "PARETOIB_WORKERS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert ended.stderr == "", "of lost workers there should be records, and nothing printed"
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


@pytest.fixture(scope="module")
def accidents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of all kinds that take no time."""
    return accidents_of(tmp_path_factory.mktemp("notes"), 1, 2, 3)


def betas_of(front: dict[str, Any], epochs: int) -> set[float]:
    """Of the trials with these epochs that have a point."""
    params = [point["params"] for point in front["points"]]
    return {p["weighting.beta"] for p in params if p["training.epochs"] == epochs}


def test_a_lost_pack_is_tried_again(accidents: dict[str, Any]) -> None:
    """A worker killed while it has a pack costs nothing but time: its trials end, each once."""
    assert len(accidents["notes"]["attempts-2"]) == 2
    front = accidents["front"]
    assert betas_of(front, 2) == {0.1, 0.01}
    trials = [trial["trial"] for trial in front["points"] + front["failed"]]
    assert len(trials) == len(set(trials)) == 6


def test_a_trial_that_kills_every_worker_is_given_up(accidents: dict[str, Any]) -> None:
    """After three more attempts its pack is split; it fails with the reason, its neighbour ends."""
    pack, neighbour, alone = 4, 1, 4
    assert len(accidents["notes"]["attempts-1"]) == pack + neighbour + alone
    front = accidents["front"]
    assert betas_of(front, 1) == {0.1}
    reasons = [failed["reason"] for failed in front["failed"]]
    assert reasons.count("its worker was lost 4 times") == 1
    assert front["sweep"]["status"] == "finished"


def test_a_trial_that_raises_costs_its_pack_nothing(accidents: dict[str, Any]) -> None:
    """It is failed with the error and its place; the neighbour that it shared a pack with ends."""
    front = accidents["front"]
    assert betas_of(front, 3) == {0.1}
    reasons = [failed["reason"] for failed in front["failed"]]
    (reason,) = [reason for reason in reasons if "MemoryError" in reason]
    assert "you tried to allocate 17179869184 bytes (unlucky.py:" in reason


def test_a_pack_that_no_worker_can_begin_ends_the_sweep(tmp_path: Path) -> None:
    """After some attempts, with the true reason; its trials are left to a resume."""
    accidents = accidents_of(tmp_path, 5, 6)
    # As many again once the other pack, which some worker could begin, is done.
    assert 4 <= len(accidents["notes"]["attempts-5"]) <= 8
    said = accidents["error"]
    assert said.startswith("workers should be able to begin; 4 in a row could not: ")
    assert "mlp" in said
    front = accidents["front"]
    assert front["sweep"]["status"] == "failed"
    assert [point["params"]["weighting.beta"] for point in front["points"]] == [0.1, 0.01]
    assert front["failed"] == []


def test_every_worker_keeps_to_its_core(accidents: dict[str, Any]) -> None:
    """torch's threads on the workers are no more than there are cores for all of them."""
    threads = [accidents["notes"][f"threads-{epochs}"].split()[0] for epochs in (2, 3)]
    share = max(1, (os.cpu_count() or 1) // 2)
    assert threads == [str(share), str(share)]


def test_ray_listens_on_loopback_alone(accidents: dict[str, Any]) -> None:
    """The address that its processes find each other by."""
    assert accidents["address"] == "127.0.0.1"


@pytest.mark.slow  # The grace that a worker has is half a minute, and it has it twice.
def test_a_trial_that_hangs_is_ended_with_its_worker(tmp_path: Path) -> None:
    """It is not tried again, and fails with the reason; the other worker's trial ends."""
    accidents = accidents_of(tmp_path, 4)
    front = accidents["front"]
    assert [point["params"]["weighting.beta"] for point in front["points"]] == [0.1]
    (failed,) = front["failed"]
    assert failed["reason"] == "took longer than 2 s, and its worker had to be ended"
    assert len(accidents["notes"]["attempts-4"]) == 2
