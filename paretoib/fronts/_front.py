"""Build a front from the trials of a sweep."""

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from paretoib.fronts._curve import hypervolume_curve
from paretoib.fronts._dominance import nondominated
from paretoib.fronts._hull import reachability
from paretoib.fronts._hull_gaps import GapIntervals
from paretoib.fronts._indicators import hypervolume
from paretoib.fronts._settings import by_rate, seed_points, seeds_of, setting_key, settings
from paretoib.fronts._statistics import bootstrap_mean
from paretoib.records import (
    MEASURES,
    Cost,
    ExactCurve,
    FailedTrial,
    Front,
    Measures,
    Metrics,
    Outcome,
    Point,
    ReferencePoint,
    Replicates,
    Setting,
    SweepInfo,
    TrialRecord,
)

P = TypeVar("P", bound=Outcome)


def build_front(
    info: SweepInfo,
    records: Sequence[TrialRecord],
    *,
    reference: ReferencePoint,
    label_entropy_bits: float,
    exact: ExactCurve | None = None,
) -> Front:
    """The front of a sweep's trials on the test split.

    `records` are in the order in which the trials ended. Points and settings are sorted by rate.
    Those without a finite rate come last and are never on the front. A trial without metrics on the
    test split is listed under `failed`.
    """
    params = varying_params([record.spec for record in records])
    points: list[Point] = []
    failed: list[FailedTrial] = []
    for order, record in enumerate(records):
        if record.test is None:
            failed.append(_failed(order, record, params[order]))
        else:
            points.append(_point(order, record, record.test, params[order]))
    spent = {order: record.seconds for order, record in enumerate(records)}
    return Front(
        sweep=info,
        reference=reference,
        label_entropy_bits=label_entropy_bits,
        exact=exact,
        **front_fields(points, failed, spent, reference),
    )


def front_fields(
    points: Sequence[Point],
    failed: Sequence[FailedTrial],
    spent: Mapping[int, float],
    reference: ReferencePoint,
) -> dict[str, Any]:
    """The fields of a front that depend on its trials.

    `spent` is the training time in seconds of each trial that the cost includes, by `Point.order`.
    """
    points = sorted(points, key=lambda point: (*by_rate(point), point.trial))
    keys = [setting_key(point.params) for point in points]
    gaps = GapIntervals(seed_points(points, keys))
    points = classify(points, keys, gaps)
    of_settings = settings(points, keys, failed, [setting_key(trial.params) for trial in failed])
    by_key = dict(sorted(of_settings.items(), key=lambda item: by_rate(item[1])))
    classified = classify([*by_key.values()], [*by_key], gaps)
    by_order = {point.order: point for point in points}
    trials = [(order + 1, spent[order], by_order.get(order)) for order in sorted(spent)]
    return {
        "points": tuple(points),
        "failed": tuple(failed),
        "settings": tuple(classified),
        "replicates": _replicates(points, failed, classified, reference),
        "hypervolume": hypervolume(coordinates(points), corner(reference)),
        "hypervolume_curve": hypervolume_curve(trials, reference),
        "cost": Cost(trials=len(spent), seconds=sum(spent.values())),
    }


def _replicates(
    points: Sequence[Point],
    failed: Sequence[FailedTrial],
    settings: Sequence[Setting],
    reference: ReferencePoint,
) -> Replicates | None:
    """The hypervolumes over seeds; None unless a setting has results of two seeds."""
    if all(len(setting.seeds) < 2 for setting in settings):
        return None
    seeds = seeds_of(points, failed)
    runs = runs_by_seed(points, seeds)
    volumes = [hypervolume(run, corner(reference)) for run in runs]
    return Replicates(
        seeds=seeds,
        hypervolume_of_means=hypervolume(coordinates(settings), corner(reference)),
        seed_hypervolumes=tuple(volumes),
        hypervolume_interval=bootstrap_mean(volumes),
    )


def runs_by_seed(points: Sequence[Point], seeds: Sequence[int]) -> list[Float[np.ndarray, "n 2"]]:
    """For each seed, its points (rate, lost) with a finite rate; perhaps none."""
    return [coordinates([p for p in points if p.seed == seed]) for seed in seeds]


def coordinates(points: Sequence[Measures | Metrics]) -> Float[np.ndarray, "n 2"]:
    """(rate, lost) in bits of the points with a finite rate; both are minimised."""
    pairs = [(p.rate_bits, p.lost_bits) for p in points if p.rate_bits is not None]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def corner(reference: ReferencePoint) -> tuple[float, float]:
    """The reference point as (rate, lost) in bits, as in `coordinates`."""
    return reference.rate_bits, reference.lost_bits


def classify(outcomes: Sequence[P], keys: Sequence[Hashable], gaps: GapIntervals) -> list[P]:
    """Copies of the outcomes, with all fields that say where one lies on the front and the hull.

    `keys` are the keys of the settings of the outcomes.
    """
    located = coordinates(outcomes)
    front, hull = nondominated(located), reachability(located)
    row = iter(range(len(located)))
    classified = []
    for outcome, key in zip(outcomes, keys, strict=True):
        i = None if outcome.rate_bits is None else next(row)
        on_front = i is not None and bool(front[i])
        supported = i is not None and bool(hull.supported[i])
        fields = {
            "on_front": on_front,
            "supported": supported,
            "beta_interval": None if i is None else hull.interval(i),
            "hull_gap_bits": None if i is None else float(hull.gap[i]),
            "hull_gap_interval": gaps.of(key) if on_front and not supported else None,
        }
        classified.append(outcome.model_copy(update=fields))
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
    validation = record.validation
    return Point(
        **{name: getattr(test, name) for name in MEASURES},
        trial=record.trial,
        params=params,
        seed=record.spec["seed"],
        seconds=record.seconds,
        validation=None if validation is None else Measures.of(validation),
        order=order,
        tasks=test.tasks,
    )


def _failed(order: int, record: TrialRecord, params: Mapping[str, Any]) -> FailedTrial:
    return FailedTrial(
        trial=record.trial,
        reason=record.reason or "not measured on the test split",
        status="failed" if record.status == "finished" else record.status,
        seed=record.spec["seed"],
        params=params,
        seconds=record.seconds,
        order=order,
    )
