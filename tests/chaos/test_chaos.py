"""Faults at random moments, with real processes: no trial is lost, none is there twice.

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
# Ten packs of four trials, a second or two each, so that faults find the sweep in every state.
SWEEP = ("sweep", "--method", "vib", "--grid", "beta=1e-4:0.1:4", "--json")
SWEEP += ("--grid", "batch_size=16,18,20,22,24,26,28,30,32,34", "--epochs", "30")
SWEEP += ("--set", "hidden=[32]", "--set", "latent=4")
TRIALS = 40

Points = dict[str, dict[str, Any]]


@dataclass
class Outcome:
    """What became of a sweep that met a fault."""

    fault: str
    moments: list[float] = field(default_factory=list)
    lost: int = 0
    twice: int = 0
    failed: int = 0
    off: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.fault:42} {len(self.moments):2} faults: {self.lost} trials lost, "
            f"{self.twice} written twice, {self.failed} failed; "
            f"front off by {self.off:.1e} bits at most"
        )


@pytest.fixture(scope="module")
def undisturbed(cluster: Any) -> Points:
    """The points of the sweep without any fault, by trial."""
    process = cluster.sweep(*SWEEP, "--name", "undisturbed")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    points = {point["trial"]: point for point in json.loads(out)["points"]}
    assert len(points) == TRIALS
    return points


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """Every fault and what came of it; printed at the end."""
    rows: list[Outcome] = []
    yield rows
    print("\n\n" + "\n".join(str(row) for row in rows))


@pytest.fixture(scope="module")
def chance() -> random.Random:
    """Where the moments come from."""
    seed = random.SystemRandom().randrange(1000)
    print(f"\nmoments drawn with seed {seed}")
    return random.Random(seed)


def judge(cluster: Any, name: str, outcome: Outcome, undisturbed: Points) -> None:
    """Compare all that the store has of an ended sweep with the undisturbed one."""
    client = MlflowClient(cluster.environment["PARETOIB_TRACKING_URI"])
    experiment = client.get_experiment_by_name("paretoib-digits")
    (parent,) = client.search_runs([experiment.experiment_id], f"run_name = '{name}'")
    assert parent.info.status == "FINISHED"
    of_sweep = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    runs = client.search_runs([experiment.experiment_id], of_sweep, max_results=10_000)
    keys = Counter(_key(run) for run in runs)
    outcome.twice = sum(count - 1 for count in keys.values())
    outcome.lost = len(undisturbed.keys() - keys.keys())
    out, _ = cluster.sweep("front", name, "--json").communicate(timeout=PATIENCE)
    front = json.loads(out)
    outcome.failed = len(front["failed"])
    for point in front["points"]:
        other = undisturbed[point["trial"]]
        apart = [abs(point[axis] - other[axis]) for axis in ("rate_bits", "lost_bits")]
        outcome.off = max(outcome.off, *apart)
    assert (outcome.lost, outcome.twice, outcome.failed) == (0, 0, 0), str(outcome)
    assert keys.keys() == undisturbed.keys()
    assert outcome.off < 1e-3


def test_a_job_killed_again_and_again(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], chance: random.Random
) -> None:
    """SIGKILL at random moments, each time followed by a resume, until one runs through."""
    outcome = Outcome("job, SIGKILL, resumed each time")
    outcomes.append(outcome)
    sweeps = 0
    while len(outcome.moments) < KILLS:
        sweeps += 1
        name = f"killed-{sweeps}"
        command = (*SWEEP, "--name", name)
        while True:
            process = cluster.sweep(*command)
            moment = chance.uniform(1, 15)
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
            # Killed before its first line in the store, there is nothing yet to resume.
            if f'"{name}"' in cluster.sweep("list", "--json").communicate(timeout=PATIENCE)[0]:
                command = ("resume", name, "--json")
        judge(cluster, name, outcome, undisturbed)


def test_workers_killed(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], chance: random.Random
) -> None:
    """SIGKILL to processes that train: their packs are trained again, and the sweep ends."""
    outcome = Outcome("worker, SIGKILL")
    outcomes.append(outcome)
    started = time.monotonic()
    process = cluster.sweep(*SWEEP, "--name", "workers")
    while process.poll() is None:
        time.sleep(chance.uniform(1, 3))
        if len(outcome.moments) < 3 and cluster.kill_worker():
            outcome.moments.append(time.monotonic() - started)
    assert process.returncode == 0, process.communicate()[1]
    assert len(outcome.moments) == 3
    judge(cluster, "workers", outcome, undisturbed)


def test_a_node_killed(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], chance: random.Random
) -> None:
    """SIGKILL to the second node's raylet: what it had is trained on the first."""
    outcome = Outcome("raylet of the second node, SIGKILL")
    outcomes.append(outcome)
    process = cluster.sweep(*SWEEP, "--name", "node")
    moment = chance.uniform(7, 12)
    time.sleep(moment)
    assert process.poll() is None
    cluster.kill_node()
    outcome.moments.append(moment)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    judge(cluster, "node", outcome, undisturbed)
    cluster.start_node()


@pytest.mark.parametrize("away", [3, 15])
def test_mlflow_killed(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], chance: random.Random, away: int
) -> None:
    """SIGKILL to MLflow's server, back after some seconds: the sweep goes on as if nothing was."""
    outcome = Outcome(f"MLflow server, SIGKILL, {away} s away")
    outcomes.append(outcome)
    name = f"mlflow-{away}"
    process = cluster.sweep(*SWEEP, "--name", name)
    moment = chance.uniform(8, 12)
    time.sleep(moment)
    assert process.poll() is None
    cluster.kill_mlflow()
    outcome.moments.append(moment)
    time.sleep(away)
    cluster.start_mlflow()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    judge(cluster, name, outcome, undisturbed)


def test_mlflow_and_the_job_killed(
    cluster: Any, undisturbed: Points, outcomes: list[Outcome], chance: random.Random
) -> None:
    """What the job could not write before it was killed too is written by the resume."""
    outcome = Outcome("MLflow server and 3 s later the job, SIGKILL")
    outcomes.append(outcome)
    process = cluster.sweep(*SWEEP, "--name", "both")
    moment = chance.uniform(8, 10)
    time.sleep(moment)
    cluster.kill_mlflow()
    time.sleep(3)
    process.kill()
    process.communicate(timeout=PATIENCE)
    outcome.moments += [moment, moment + 3]
    cluster.start_mlflow()
    process = cluster.sweep("resume", "both", "--json")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    judge(cluster, "both", outcome, undisturbed)


def _key(run: Any) -> str:
    """A trial's key, from its record among the run's tags."""
    parts = sorted(t for t in run.data.tags if t.startswith("mlflow.paretoib.record"))
    record = json.loads("".join(run.data.tags[part] for part in parts))
    return str(record["trial"])
