"""From the trials of a sweep to its front."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from paretoib.fronts._dominance import nondominated
from paretoib.fronts._hull import reachability
from paretoib.fronts._indicators import hypervolume
from paretoib.records import (
    Cost,
    ExactCurve,
    FailedTrial,
    Front,
    Metrics,
    Point,
    Reference,
    SweepInfo,
    TrialRecord,
)

P = TypeVar("P", bound=Point)


def build_front(
    info: SweepInfo,
    records: Sequence[TrialRecord],
    *,
    reference: Reference,
    label_entropy_bits: float,
    exact: ExactCurve | None = None,
) -> Front:
    """The front of a sweep's trials on the test split; `records` in the order they ended in.

    Points are sorted by rate; those without a finite rate come last and are never on the front.
    A trial without a measurement on the test split is listed under `failed`.
    """
    params = varying_params([record.spec for record in records])
    points: list[Point] = []
    failed: list[FailedTrial] = []
    for order, record in enumerate(records):
        if record.test is None:
            reason = record.reason or "not measured on the test split"
            how = "failed" if record.status == "finished" else record.status
            seed = record.spec["seed"]
            failed.append(FailedTrial(trial=record.trial, reason=reason, status=how, seed=seed))
        else:
            points.append(_point(order, record, record.test, params[order]))
    points = place(sorted(points, key=_by_rate))
    return Front(
        sweep=info,
        reference=reference,
        label_entropy_bits=label_entropy_bits,
        hypervolume=hypervolume(coordinates(points), corner(reference)),
        cost=Cost(trials=len(records), seconds=sum(record.seconds for record in records)),
        points=tuple(points),
        failed=tuple(failed),
        exact=exact,
    )


class GrowingFront:
    """The front of a running sweep: its hypervolume (bits²) after each trial that ends."""

    def __init__(self, reference: Reference) -> None:
        self._corner = corner(reference)
        self._best = coordinates([])

    def add(self, record: TrialRecord) -> float:
        """The hypervolume with this trial too; only what is on the front is looked at again."""
        measured = [record.test] if record.test is not None else []
        points = np.concatenate([self._best, coordinates(measured)])
        self._best = points[nondominated(points)]
        return hypervolume(self._best, self._corner)


def coordinates(points: Sequence[Point | Metrics]) -> Float[np.ndarray, "n 2"]:
    """(rate, lost), both in bits and to be minimised, of the points that have a finite rate."""
    pairs = [(p.rate_bits, p.lost_bits) for p in points if p.rate_bits is not None]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def corner(reference: Reference) -> tuple[float, float]:
    """The reference in the order of `coordinates`."""
    return reference.rate_bits, reference.lost_bits


def place(points: Sequence[P]) -> list[P]:
    """The same points, with front, hull and support as they stand among each other."""
    plane = coordinates(points)
    front, hull = nondominated(plane), reachability(plane)
    row = iter(range(len(plane)))
    placed = []
    for point in points:
        i = None if point.rate_bits is None else next(row)
        where = {
            "on_front": i is not None and bool(front[i]),
            "supported": i is not None and bool(hull.supported[i]),
            "beta_interval": None if i is None else hull.interval(i),
            "hull_gap_bits": None if i is None else float(hull.gap[i]),
        }
        placed.append(point.model_copy(update=where))
    return placed


def varying_params(specs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What tells the trials of a sweep apart, a flat dict with dotted names for each trial.

    The leaves of the specs that differ between them, and always the weighting's numbers; the seed
    is left out, being a field of its own.
    """
    leaves = [flatten(spec) for spec in specs]
    names = dict.fromkeys(name for leaf in leaves for name in leaf if name != "seed")
    kept = [
        name
        for name in names
        if (name.startswith("weighting.") and name != "weighting.name")
        or len({json.dumps(leaf.get(name)) for leaf in leaves}) > 1
    ]
    return [{name: leaf[name] for name in kept if name in leaf} for leaf in leaves]


def flatten(spec: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of a nested mapping under dotted names; a list is a leaf."""
    flat: dict[str, Any] = {}
    for name, value in spec.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _point(order: int, record: TrialRecord, test: Metrics, params: Mapping[str, Any]) -> Point:
    return Point(
        trial=record.trial,
        params=params,
        seed=record.spec["seed"],
        rate_bits=test.rate_bits,
        rate_lower_bits=test.rate_lower_bits,
        relevance_bits=test.relevance_bits,
        lost_bits=test.lost_bits,
        accuracy=test.accuracy,
        seconds=record.seconds,
        order=order,
    )


def _by_rate(point: Point) -> tuple[bool, float, float, str]:
    return point.rate_bits is None, point.rate_bits or 0.0, point.lost_bits, point.trial
