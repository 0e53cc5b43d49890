"""The resources of a pack: CPU cores, and GPUs or a share of a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs import cluster
from jobs.cluster import workers_on
from paretoib.errors import ClusterError
from paretoib.records import Workers
from paretoib.settings import Settings
from paretoib.specs import Resources

HEAD = {"memory": 1e9}  # a node that trains nothing
SMALL = {"CPU": 4.0}
GPUS = {"CPU": 8.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("nodes", "wanted", "settings", "workers"),
    [
        # The sweep sets no resources.
        ([HEAD, SMALL, SMALL], {}, {}, Workers(count=8, cpus=1, gpus=0.0, device="cpu")),
        ([HEAD, SMALL, GPUS], {}, {}, Workers(count=2, cpus=1, gpus=1.0, device="cuda")),
        (
            [HEAD, SMALL, GPUS],
            {},
            {"device": "cpu"},
            Workers(count=12, cpus=1, gpus=0.0, device="cpu"),
        ),
        ([SMALL], {}, {"device": "cuda:0"}, Workers(count=4, cpus=1, gpus=0.0, device="cuda:0")),
        # With fewer workers than cores, a worker has several cores of one node.
        ([{"CPU": 16.0}], {}, {"workers": 4}, Workers(count=4, cpus=4, gpus=0.0, device="cpu")),
        ([SMALL, SMALL], {}, {"workers": 1}, Workers(count=1, cpus=4, gpus=0.0, device="cpu")),
        # The sweep sets its resources.
        ([HEAD, SMALL, GPUS], {"gpus": 0}, {}, Workers(count=12, cpus=1, gpus=0.0, device="cpu")),
        (
            [SMALL, GPUS],
            {"gpus": 0, "cpus": 3},
            {},
            Workers(count=3, cpus=3, gpus=0.0, device="cpu"),
        ),
        ([SMALL, GPUS], {"gpus": 0.5}, {}, Workers(count=4, cpus=1, gpus=0.5, device="cuda")),
        (
            [SMALL, GPUS],
            {"gpus": 0.5, "cpus": 4},
            {},
            Workers(count=2, cpus=4, gpus=0.5, device="cuda"),
        ),
        # A pack never has parts of two GPUs.
        ([GPUS], {"gpus": 0.4}, {}, Workers(count=4, cpus=1, gpus=0.4, device="cuda")),
        ([GPUS], {"gpus": 0.1}, {}, Workers(count=8, cpus=1, gpus=0.1, device="cuda")),
        # PARETOIB_DEVICE moves the training to the CPU, but packs are placed by GPUs.
        (
            [SMALL, GPUS],
            {"gpus": 1},
            {"device": "cpu"},
            Workers(count=2, cpus=1, gpus=1.0, device="cpu"),
        ),
    ],
)
def test_workers_fit_the_nodes_and_the_resources_of_the_sweep(
    nodes: list[dict[str, float]],
    wanted: dict[str, Any],
    settings: dict[str, Any],
    workers: Workers,
) -> None:
    """A worker trains one pack at a time.

    Without the setting `workers`, there are as many workers as the nodes can hold.
    """
    assert workers_on(nodes, Settings(**settings), Resources(**wanted)) == workers


@pytest.mark.parametrize(
    ("nodes", "wanted", "settings", "message"),
    [
        ([SMALL], {"gpus": 0.5}, {}, r"\(1 CPU and 0.5 GPU\); found nodes with 4 CPU$"),
        ([SMALL, GPUS], {"cpus": 9}, {}, r"\(9 CPU and 1 GPU\); .* 4 CPU, 8 CPU and 2 GPU$"),
        ([HEAD], {}, {}, r"\(1 CPU\); found nodes with 0 CPU$"),
        ([GPUS], {"gpus": 0}, {"device": "cuda"}, r"above 0 if PARETOIB_DEVICE is cuda"),
    ],
)
def test_resources_that_no_node_has_are_refused(
    nodes: list[dict[str, float]], wanted: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    """A sweep is refused if no node has its resources, or if a CUDA device gets no GPU.

    If no node had the resources, Ray would wait for ever.
    """
    with pytest.raises(ClusterError, match=message):
        workers_on(nodes, Settings(**settings), Resources(**wanted))


@pytest.mark.parametrize(
    ("alive_after", "found"),
    [
        ([[SMALL], [SMALL, GPUS]], [SMALL]),
        ([[HEAD], [HEAD, SMALL], [HEAD, SMALL, GPUS]], [HEAD, SMALL, GPUS]),
        ([[HEAD]], [HEAD]),
    ],
)
def test_nodes_waits_for_a_cluster_that_starts(
    alive_after: list[Any], found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a node has a CPU, `nodes` does not wait.

    Otherwise, `nodes` waits until a node has a CPU and no more nodes join, at most JOIN_TIMEOUT.
    `alive_after[i]` are the nodes that are alive after i seconds.
    """
    slept: list[float] = []
    monkeypatch.setattr(
        cluster, "_alive", lambda: alive_after[min(len(slept), len(alive_after) - 1)]
    )
    monkeypatch.setattr(cluster.time, "sleep", slept.append)
    monkeypatch.setattr(cluster.time, "monotonic", lambda: float(len(slept)))
    assert cluster.nodes() == found
    assert len(slept) <= cluster.JOIN_TIMEOUT


def test_ray_gives_packs_the_resources_of_the_sweep() -> None:
    """On a node with two cores and one GPU, packs get two cores and half a GPU.

    A sweep whose packs need three cores is refused.
    """
    wanted: list[dict[str, Any]] = [{"gpus": 0.5, "cpus": 2}, {"cpus": 3}]
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("sweeps_with_resources.py"), json.dumps(wanted)],
        env={**os.environ, "PARETOIB_DEVICE": "cpu", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    placed, refused = json.loads(ended.stdout)
    assert placed["bundles"]
    assert all(bundle == {"0": {"CPU": 2, "GPU": 0.5}} for bundle in placed["bundles"])
    assert placed["devices"] == ["cpu", "cpu"]
    assert refused == (
        "resources: a node should have room for a pack (3 CPU); found nodes with 2 CPU and 1 GPU"
    )
