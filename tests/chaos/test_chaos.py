"""Processes are killed at random moments: no trial is lost, and none is stored twice.

python -m pytest -m slow tests/chaos -s      prints the table of faults and outcomes
"""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from mlflow import MlflowClient

pytestmark = pytest.mark.slow

PATIENCE = 240  # seconds
KILLS = 20
# Ten packs of four trials, a second or two each, so that faults hit the sweep in different states.
SWEEP = ("sweep", "--method", "vib", "--grid", "beta=1e-4:0.1:4", "--json")
SWEEP += ("--grid", "batch_size=16,18,20,22,24,26,28,30,32,34", "--epochs", "30")
SWEEP += ("--set", "hidden=[32]", "--set", "latent=4")
TRIALS = 40

Points = dict[str, dict[str, Any]]


@dataclass
class Outcome:
    """A fault, and how its sweep differs from the undisturbed sweep."""

    fault: str
    moments: list[float] = field(default_factory=list)
    lost: int = 0
    twice: int = 0
    failed: int = 0
    front_error: float = 0.0  # bits

    def __str__(self) -> str:
        return (
            f"{self.fault:42} {len(self.moments):2} faults: {self.lost} trials lost, "
            f"{self.twice} written twice, {self.failed} failed; "
            f"error of the front at most {self.front_error:.1e} bits"
        )


@pytest.fixture(scope="module")
def undisturbed(cluster: Any) -> Points:
    """The points of the sweep without faults, by trial key."""
    process = cluster.paretoib(*SWEEP, "--name", "undisturbed")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    points = {point["trial"]: point for point in json.loads(out)["points"]}
    assert len(points) == TRIALS
    return points


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """The outcome of each fault; the table is printed at the end."""
    outcomes: list[Outcome] = []
    yield outcomes
    print("\n\n" + "\n".join(str(outcome) for outcome in outcomes))


@pytest.fixture(scope="module")
def rng() -> random.Random:
    """The random generator for the moments of faults; its seed is printed."""
    seed = random.SystemRandom().randrange(1000)
    print(f"\nmoments of faults drawn with seed {seed}")
    return random.Random(seed)


def check_outcome(cluster: Any, name: str, outcome: Outcome, undisturbed: Points) -> None:
    """Compare a finished sweep in the store with the undisturbed one, trial by trial."""
    client = MlflowClient(cluster.environment["PARETOIB_TRACKING_URI"])
    experiment = client.get_experiment_by_name("paretoib-digits")
    (parent,) = client.search_runs([experiment.experiment_id], f"run_name = '{name}'")
    assert parent.info.status == "FINISHED"
    condition = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    runs = client.search_runs([experiment.experiment_id], condition, max_results=10_000)
    keys = Counter(_key(run) for run in runs)
    outcome.twice = sum(count - 1 for count in keys.values())
    outcome.lost = len(undisturbed.keys() - keys.keys())
    out, _ = cluster.paretoib("front", name, "--json").communicate(timeout=PATIENCE)
    front = json.loads(out)
    outcome.failed = len(front["failed"])
    for point in front["points"]:
        other = undisturbed[point["trial"]]
        differences = [abs(point[axis] - other[axis]) for axis in ("rate_bits", "lost_bits")]
        outcome.front_error = max(outcome.front_error, *differences)
    assert (outcome.lost, outcome.twice, outcome.failed) == (0, 0, 0), str(outcome)
    assert keys.keys() == undisturbed.keys()
    assert outcome.front_error < 1e-3


def test_a_job_is_killed_and_resumed(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], rng: random.Random
) -> None:
    """A job that is killed at random moments is resumed until its sweep finishes."""
    outcome = Outcome("job, SIGKILL, resumed each time")
    outcomes.append(outcome)
    sweeps = 0
    while len(outcome.moments) < KILLS:
        sweeps += 1
        name = f"killed-{sweeps}"
        command = (*SWEEP, "--name", name)
        while True:
            process = cluster.paretoib(*command)
            moment = rng.uniform(1, 15)
            if len(outcome.moments) < KILLS:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(moment)
                if process.poll() is None:
                    process.kill()
                    outcome.moments.append(moment)
            _, err = process.communicate(timeout=PATIENCE)
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, err
            # A job that was killed before it created its sweep is started again.
            if f'"{name}"' in cluster.paretoib("list", "--json").communicate(timeout=PATIENCE)[0]:
                command = ("resume", name, "--json")
        check_outcome(cluster, name, outcome, undisturbed)


def test_workers_are_killed(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], rng: random.Random
) -> None:
    """The packs of the killed workers are trained again, and the sweep finishes."""
    outcome = Outcome("worker, SIGKILL")
    outcomes.append(outcome)
    started = time.monotonic()
    process = cluster.paretoib(*SWEEP, "--name", "workers")
    while process.poll() is None:
        time.sleep(rng.uniform(1, 3))
        if len(outcome.moments) < 3 and cluster.kill_worker():
            outcome.moments.append(time.monotonic() - started)
    assert process.returncode == 0, process.communicate()[1]
    assert len(outcome.moments) == 3
    check_outcome(cluster, "workers", outcome, undisturbed)


def test_a_node_is_killed(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], rng: random.Random
) -> None:
    """After a kill of the second node's raylet, the first node trains the packs that are left."""
    outcome = Outcome("raylet of the second node, SIGKILL")
    outcomes.append(outcome)
    process = cluster.paretoib(*SWEEP, "--name", "node")
    moment = rng.uniform(7, 12)
    time.sleep(moment)
    assert process.poll() is None
    cluster.kill_node()
    outcome.moments.append(moment)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    check_outcome(cluster, "node", outcome, undisturbed)
    cluster.start_node()


@pytest.mark.parametrize("downtime", [3, 15])
def test_mlflow_is_killed_and_started_again(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], rng: random.Random, downtime: int
) -> None:
    """The sweep continues while MLflow is down, and finishes without a resume."""
    outcome = Outcome(f"MLflow server, SIGKILL, back after {downtime} s")
    outcomes.append(outcome)
    name = f"mlflow-{downtime}"
    process = cluster.paretoib(*SWEEP, "--name", name)
    moment = rng.uniform(8, 12)
    time.sleep(moment)
    assert process.poll() is None
    cluster.kill_mlflow()
    outcome.moments.append(moment)
    time.sleep(downtime)
    cluster.start_mlflow()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    check_outcome(cluster, name, outcome, undisturbed)


def test_mlflow_and_the_job_are_killed(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], rng: random.Random
) -> None:
    """The resumed job writes the trials that the killed job could not write to MLflow."""
    outcome = Outcome("MLflow server and 3 s later the job, SIGKILL")
    outcomes.append(outcome)
    process = cluster.paretoib(*SWEEP, "--name", "both")
    moment = rng.uniform(8, 10)
    time.sleep(moment)
    cluster.kill_mlflow()
    time.sleep(3)
    process.kill()
    process.communicate(timeout=PATIENCE)
    outcome.moments += [moment, moment + 3]
    cluster.start_mlflow()
    process = cluster.paretoib("resume", "both", "--json")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    check_outcome(cluster, "both", outcome, undisturbed)


def _key(run: Any) -> str:
    """The key of a trial, from the record in the tags of its run."""
    parts = sorted(t for t in run.data.tags if t.startswith("mlflow.paretoib.record"))
    record = json.loads("".join(run.data.tags[part] for part in parts))
    return str(record["trial"])
