"""Build a front from the trials of a sweep."""

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from paretoib.fronts._dominance import nondominated
from paretoib.fronts._hull import reachability
from paretoib.fronts._hull_gaps import gap_interval
from paretoib.fronts._indicators import hypervolume
from paretoib.fronts._settings import setting_key, settings
from paretoib.records import (
    Cost,
    ExactCurve,
    FailedTrial,
    Front,
    Interval,
    Metrics,
    Point,
    ReferencePoint,
    SweepInfo,
    TrialRecord,
)

P = TypeVar("P", bound=Point)


def build_front(
    info: SweepInfo,
    records: Sequence[TrialRecord],
    *,
    reference: ReferencePoint,
    label_entropy_bits: float,
    exact: ExactCurve | None = None,
) -> Front:
    """The front of a sweep's trials on the test split.

    `records` are in the order in which the trials ended. Points are sorted by rate. Points
    without a finite rate come last and are never on the front. A trial without metrics on the test
    split is listed under `failed`.
    """
    params = varying_params([record.spec for record in records])
    points: list[Point] = []
    failed: list[FailedTrial] = []
    for order, record in enumerate(records):
        if record.test is None:
            reason = record.reason or "not measured on the test split"
            status = "failed" if record.status == "finished" else record.status
            seed = record.spec["seed"]
            failed.append(FailedTrial(trial=record.trial, reason=reason, status=status, seed=seed))
        else:
            points.append(_point(order, record, record.test, params[order]))
    points = classify(sorted(points, key=_by_rate))
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
    """The hypervolume of a running sweep's front, updated with each trial that ends."""

    def __init__(self, reference: ReferencePoint) -> None:
        self._corner = corner(reference)
        self._front = coordinates([])

    def add(self, record: TrialRecord) -> float:
        """Add a trial and return the new hypervolume in bits²."""
        measured = [record.test] if record.test is not None else []
        points = np.concatenate([self._front, coordinates(measured)])
        self._front = points[nondominated(points)]
        return hypervolume(self._front, self._corner)


def coordinates(points: Sequence[Point | Metrics]) -> Float[np.ndarray, "n 2"]:
    """(rate, lost) in bits of the points with a finite rate; both are minimised."""
    pairs = [(p.rate_bits, p.lost_bits) for p in points if p.rate_bits is not None]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def corner(reference: ReferencePoint) -> tuple[float, float]:
    """The reference point as (rate, lost) in bits, as in `coordinates`."""
    return reference.rate_bits, reference.lost_bits


def classify(points: Sequence[P], keys: Sequence[Hashable] | None = None) -> list[P]:
    """Copies of the points, with all fields that say where a point lies on the front and the hull.

    `keys` are the keys of the points' settings; by default, points with equal `params` have equal
    settings.
    """
    located = coordinates(points)
    front, hull = nondominated(located), reachability(located)
    if keys is None:
        keys = [setting_key(point.params) for point in points]
    by_key = settings(points, keys)
    intervals: dict[Hashable, Interval | None] = {}
    row = iter(range(len(located)))
    classified = []
    for point, key in zip(points, keys, strict=True):
        i = None if point.rate_bits is None else next(row)
        fields: dict[str, Any] = {
            "on_front": i is not None and bool(front[i]),
            "supported": i is not None and bool(hull.supported[i]),
            "beta_interval": None if i is None else hull.interval(i),
            "hull_gap_bits": None if i is None else float(hull.gap[i]),
            "hull_gap_interval": None,
        }
        if fields["on_front"] and not fields["supported"]:
            if key not in intervals:
                intervals[key] = gap_interval(key, by_key)
            fields["hull_gap_interval"] = intervals[key]
        classified.append(point.model_copy(update=fields))
    return classified


def varying_params(specs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each trial of a sweep, the parameters in which the trials differ, by dotted name.

    The hyperparameters of the weighting are included even if they are equal in all trials. The seed
    is not included, because it is a field of `Point`.
    """
    leaves = [flatten(spec) for spec in specs]
    names = dict.fromkeys(name for leaf in leaves for name in leaf if name != "seed")
    varying = [
        name
        for name in names
        if (name.startswith("weighting.") and name != "weighting.name")
        or len({json.dumps(leaf.get(name)) for leaf in leaves}) > 1
    ]
    return [{name: leaf[name] for name in varying if name in leaf} for leaf in leaves]


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
        accuracy_sampled=test.accuracy_sampled,
        accuracy_one_sample=test.accuracy_one_sample,
        seconds=record.seconds,
        order=order,
    )


def _by_rate(point: Point) -> tuple[bool, float, float, str]:
    return point.rate_bits is None, point.rate_bits or 0.0, point.lost_bits, point.trial
