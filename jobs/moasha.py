"""Early stopping across workers: what every trial of a sweep had reached at the rungs.

MOASHA: Schmucker, Donini, Zafar, Salinas, Archambeau: Multi-Objective Asynchronous Successive
Halving, 2021. A trial is ranked among all that have come to the same rung so far, on whichever
worker, when it comes there itself; so what is stopped depends on the order of arrival.
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

Reached = Mapping[str, tuple[float, float] | None]


class _Board:
    """The actor: one a sweep. What each trial has reached, (rate, lost) in bits, at each rung."""

    def __init__(self, prune: dict[str, Any]) -> None:
        self._prune = Prune.model_validate(prune)
        self._known: dict[float, dict[str, tuple[float, float] | None]] = {}

    def shares(self) -> tuple[float, ...]:
        return self._prune.rungs

    def report(self, rung: float, reached: Reached) -> set[str]:
        known = self._known.setdefault(rung, {})
        known.update(reached)
        return dominated_layers(known, keep=self._prune.keep) & set(reached)


@dataclass(frozen=True)
class Rungs:
    """A worker's end: `shares` of the epochs at which to report, and what is then to stop."""

    board: Any
    shares: tuple[float, ...]

    def report(self, rung: float, reached: Reached) -> set[str]:
        """The keys of those of `reached` that are to stop."""
        stopped: set[str] = ray.get(self.board.report.remote(rung, dict(reached)))
        return stopped


@contextmanager
def rungs_board(prune: Prune | None) -> Iterator[str | None]:
    """The name that workers `join` by; None where nothing is pruned."""
    if prune is None:
        yield None
        return
    name = f"paretoib-rungs-{uuid4().hex}"
    # Beside the workers, as it has nothing to do but compare; with the job, as their nodes may go.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # One that was lost starts anew, and knows those that come to a rung from then on.
    board: Any = (
        ray.remote(num_cpus=0)(_Board)
        .options(name=name, scheduling_strategy=here, max_restarts=-1, max_task_retries=-1)
        .remote(prune.document)
    )
    try:
        yield name
    finally:
        ray.kill(board)


def join(name: str) -> Rungs:
    """The board of a sweep, from one of its workers."""
    board = ray.get_actor(name)
    return Rungs(board, tuple(ray.get(board.shares.remote())))
