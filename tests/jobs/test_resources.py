"""The resources of packs: GPUs or shares of them, cores, CPUs alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs import cluster
from jobs.cluster import Workers, workers_on
from paretoib.errors import ClusterError
from paretoib.settings import Settings
from paretoib.specs import Resources

HEAD = {"memory": 1e9}  # a node that trains nothing
SMALL = {"CPU": 4.0}
GPUS = {"CPU": 8.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("nodes", "wanted", "settings", "placed"),
    [
        # As the cluster has it.
        ([HEAD, SMALL, SMALL], {}, {}, Workers(8, 1, 0.0, "cpu")),
        ([HEAD, SMALL, GPUS], {}, {}, Workers(2, 1, 1.0, "cuda")),
        ([HEAD, SMALL, GPUS], {}, {"device": "cpu"}, Workers(12, 1, 0.0, "cpu")),
        ([SMALL], {}, {"device": "cuda:0"}, Workers(4, 1, 0.0, "cuda:0")),
        # Fewer workers have more threads, as far as one node has them.
        ([{"CPU": 16.0}], {}, {"workers": 4}, Workers(4, 4, 0.0, "cpu")),
        ([SMALL, SMALL], {}, {"workers": 1}, Workers(1, 4, 0.0, "cpu")),
        # As the sweep wants it.
        ([HEAD, SMALL, GPUS], {"gpus": 0}, {}, Workers(12, 1, 0.0, "cpu")),
        ([SMALL, GPUS], {"gpus": 0, "cpus": 3}, {}, Workers(3, 3, 0.0, "cpu")),
        ([SMALL, GPUS], {"gpus": 0.5}, {}, Workers(4, 1, 0.5, "cuda")),
        ([SMALL, GPUS], {"gpus": 0.5, "cpus": 4}, {}, Workers(2, 4, 0.5, "cuda")),
        # A pack never has parts of two GPUs.
        ([GPUS], {"gpus": 0.4}, {}, Workers(4, 1, 0.4, "cuda")),
        ([GPUS], {"gpus": 0.1}, {}, Workers(8, 1, 0.1, "cuda")),
        # Where torch shall work elsewhere, the GPU is still what a pack is placed by.
        ([SMALL, GPUS], {"gpus": 1}, {"device": "cpu"}, Workers(2, 1, 1.0, "cpu")),
    ],
)
def test_packs_are_placed_by_what_is_there_and_what_is_wanted(
    nodes: list[dict[str, float]],
    wanted: dict[str, Any],
    settings: dict[str, Any],
    placed: Workers,
) -> None:
    """As many packs at a time as fit on the nodes, with a share and a device each."""
    assert workers_on(nodes, Settings(**settings), Resources(**wanted)) == placed


@pytest.mark.parametrize(
    ("nodes", "wanted", "settings", "said"),
    [
        ([SMALL], {"gpus": 0.5}, {}, r"\(1 CPU and 0.5 GPU\); found nodes with 4 CPU$"),
        ([SMALL, GPUS], {"cpus": 9}, {}, r"\(9 CPU and 1 GPU\); .* 4 CPU, 8 CPU and 2 GPU$"),
        ([HEAD], {}, {}, r"\(1 CPU\); found nodes with 0 CPU$"),
        ([GPUS], {"gpus": 0}, {"device": "cuda"}, r"above 0 where PARETOIB_DEVICE is cuda"),
    ],
)
def test_what_no_node_has_is_refused(
    nodes: list[dict[str, float]], wanted: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    """At once and in one line; Ray would wait for ever."""
    with pytest.raises(ClusterError, match=said):
        workers_on(nodes, Settings(**settings), Resources(**wanted))


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        ([[SMALL], [SMALL, GPUS]], [SMALL]),
        ([[HEAD], [HEAD, SMALL], [HEAD, SMALL, GPUS]], [HEAD, SMALL, GPUS]),
        ([[HEAD]], [HEAD]),
    ],
)
def test_a_cluster_that_starts_is_waited_for(
    looks: list[Any], found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until no more nodes join, but not for ever; a cluster that is up is used at once.

    `looks` are the nodes that are alive after each second.
    """
    slept: list[float] = []
    monkeypatch.setattr(cluster, "_alive", lambda: looks[min(len(slept), len(looks) - 1)])
    monkeypatch.setattr(cluster.time, "sleep", slept.append)
    monkeypatch.setattr(cluster.time, "monotonic", lambda: float(len(slept)))
    assert cluster.nodes() == found
    assert len(slept) <= cluster.JOIN_TIMEOUT


def test_ray_gives_packs_what_the_sweep_wants() -> None:
    """On a real Ray that claims one GPU: half a GPU each, none, and more than there is."""
    wanted: list[dict[str, Any]] = [{"gpus": 0.5}, {"gpus": 0, "cpus": 2}, {"cpus": 3}]
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("sweeps_with_resources.py"), json.dumps(wanted)],
        env={**os.environ, "PARETOIB_DEVICE": "cpu", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    halves, cores, refused = json.loads(ended.stdout)
    assert halves["bundles"]
    assert all(bundle == {"0": {"CPU": 1, "GPU": 0.5}} for bundle in halves["bundles"])
    assert cores["bundles"]
    assert all(bundle == {"0": {"CPU": 2}} for bundle in cores["bundles"])
    assert halves["devices"] == cores["devices"] == ["cpu", "cpu"]
    assert refused == (
        "resources: a node should have room for a pack (3 CPU); found nodes with 2 CPU and 1 GPU"
    )
