"""Pruning across workers: MOASHA, multi-objective asynchronous successive halving.

Schmucker, Donini, Zafar, Salinas, Archambeau: Multi-Objective Asynchronous Successive Halving,
2021. When a trial reaches a rung, it is ranked among all trials of the sweep that have reached the
rung so far, on any worker. Which trials are stopped therefore depends on the order of arrival.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from paretoib.fronts import dominated_layers
from paretoib.specs import Prune

# (rate, lost) in bits for each trial key; None for a trial without a finite measurement.
Measured = Mapping[str, tuple[float, float] | None]


class _RungResults:
    """The Ray actor of a sweep, which holds the results of every trial at every rung."""

    def __init__(self, prune: dict[str, Any]) -> None:
        self._prune = Prune.model_validate(prune)
        self._measured: dict[float, dict[str, tuple[float, float] | None]] = {}

    def shares(self) -> tuple[float, ...]:
        return self._prune.rungs

    def report(self, rung: float, measured: Measured) -> set[str]:
        at_rung = self._measured.setdefault(rung, {})
        at_rung.update(measured)
        return dominated_layers(at_rung, keep=self._prune.keep) & set(measured)


@dataclass(frozen=True)
class RungClient:
    """A worker's client of the actor. `shares` are the rungs, as shares of the epochs."""

    actor: Any
    shares: tuple[float, ...]

    def report(self, rung: float, measured: Measured) -> set[str]:
        """Report the trials that reached a rung; returns the keys of the trials to stop."""
        stopped: set[str] = ray.get(self.actor.report.remote(rung, dict(measured)))
        return stopped


@contextmanager
def rung_results(prune: Prune | None) -> Iterator[str | None]:
    """Start the actor of a sweep; yields the actor's name, or None without pruning."""
    if prune is None:
        yield None
        return
    name = f"paretoib-rungs-{uuid4().hex}"
    # The actor runs on the job's node, because the nodes of workers may be lost.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # It reserves no CPU, because it computes little. After a crash it restarts empty and ranks only
    # the trials that report from then on.
    actor: Any = (
        ray.remote(num_cpus=0)(_RungResults)
        .options(name=name, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1)
        .remote(prune.document)
    )
    try:
        yield name
    finally:
        ray.kill(actor)


def rung_client(name: str) -> RungClient:
    """A worker's client of the actor with this name."""
    actor = ray.get_actor(name)
    return RungClient(actor, tuple(ray.get(actor.shares.remote())))
