"""Settings: the trials that differ only in the seed, and their means over seeds."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from paretoib.fronts._statistics import MIN_SEEDS, student_half_width
from paretoib.records import MEASURES, FailedTrial, Interval, Measures, Outcome, Point, Setting

SeedPoints = Mapping[int, Float[np.ndarray, "2"]]
"""The point (rate, lost) in bits of each seed of a setting."""

_MEASURES = (*MEASURES, "seconds")


def setting_key(params: Mapping[str, Any]) -> str:
    """A key that is equal for trials with equal parameters; the seed is not a parameter."""
    return json.dumps(params, sort_keys=True)


def seed_points(points: Sequence[Point], keys: Sequence[Hashable]) -> dict[Hashable, SeedPoints]:
    """The points with a finite rate, by the keys of their settings.

    Points with equal settings and seeds, from several sweeps, count as their mean.
    """
    measured: dict[Hashable, dict[int, list[tuple[float, float]]]] = {}
    for point, key in zip(points, keys, strict=True):
        if point.rate_bits is not None:
            by_seed = measured.setdefault(key, defaultdict(list))
            by_seed[point.seed].append((point.rate_bits, point.lost_bits))
    return {
        key: {seed: np.mean(rows, axis=0) for seed, rows in by_seed.items()}
        for key, by_seed in measured.items()
    }


def means(by_key: Mapping[Hashable, SeedPoints]) -> Float[np.ndarray, "n 2"]:
    """The mean point of each setting over its seeds."""
    return np.array([np.mean(list(s.values()), axis=0) for s in by_key.values()]).reshape(-1, 2)


def seeds_of(points: Iterable[Point], failed: Iterable[FailedTrial]) -> tuple[int, ...]:
    """Seeds with a point or a diverged trial.

    A seed with only pruned or failed trials is ignored, because it has no result.
    """
    diverged = {trial.seed for trial in failed if trial.status == "diverged"}
    seeds = {point.seed for point in points} | diverged
    return tuple(sorted(seed for seed in seeds if seed is not None))


def settings(
    points: Sequence[Point],
    keys: Sequence[Hashable],
    failed: Iterable[FailedTrial],
    failed_keys: Iterable[Hashable],
) -> dict[Hashable, Setting]:
    """The settings that have a point, by key, in the order of their first points.

    `keys` and `failed_keys` are the keys of the settings of the points and of the failed trials.
    """
    grouped: dict[Hashable, list[Point]] = {}
    for point, key in zip(points, keys, strict=True):
        grouped.setdefault(key, []).append(point)
    statuses: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for trial, key in zip(failed, failed_keys, strict=True):
        statuses[key][trial.status] += 1
    return {key: _setting(group, dict(statuses[key])) for key, group in grouped.items()}


def _setting(points: list[Point], failed: Mapping[str, int]) -> Setting:
    points = sorted(points, key=lambda point: (point.seed, point.trial))
    first, seeds = points[0], [point.seed for point in points]
    if len(points) == 1:
        measured = {name: getattr(first, name) for name in (*_MEASURES, "validation")}
    else:
        by_seed = _seed_means(points, seeds, _MEASURES)
        measured = _means(by_seed, _MEASURES)
        measured |= {"intervals": _intervals(by_seed), "validation": _validation(points, seeds)}
    return Setting(
        params=first.params,
        seeds=tuple(dict.fromkeys(seeds)),
        trials=tuple(dict.fromkeys(point.trial for point in points)),
        failed=failed,
        **measured,
    )


def _validation(points: Sequence[Point], seeds: Sequence[int]) -> Measures | None:
    """The means on the validation split; None if a point has no measures on it."""
    measures = [point.validation for point in points if point.validation is not None]
    if len(measures) < len(points):
        return None
    names = tuple(Measures.model_fields)
    return Measures.model_validate(_means(_seed_means(measures, seeds, names), names))


def _seed_means(
    outcomes: Sequence[Measures], seeds: Sequence[int], names: Sequence[str]
) -> Float[np.ndarray, "seeds measures"]:
    """The measures of each seed; NaN for a measure that is not known."""
    rows = np.array([[getattr(o, name) for name in names] for o in outcomes], dtype=np.float64)
    if len(set(seeds)) == len(seeds):
        return rows
    seed_of_row = np.array(seeds)
    return np.array([rows[seed_of_row == seed].mean(axis=0) for seed in dict.fromkeys(seeds)])


def _means(by_seed: Float[np.ndarray, "seeds measures"], names: Sequence[str]) -> dict[str, Any]:
    """The means over seeds; None for a measure that is not known for every seed."""
    means = by_seed.mean(axis=0).tolist()
    return {n: None if np.isnan(mean) else mean for n, mean in zip(names, means, strict=True)}


def _intervals(by_seed: Float[np.ndarray, "seeds measures"]) -> dict[str, Interval]:
    if len(by_seed) < MIN_SEEDS:
        return {}
    centre, half = by_seed.mean(axis=0), student_half_width(by_seed)
    ends = zip(_MEASURES, (centre - half).tolist(), (centre + half).tolist(), strict=True)
    return {name: Interval(low=low, high=high) for name, low, high in ends if not np.isnan(low)}


def nearly_equal(value: float, limit: float) -> bool:
    """Whether two numbers differ by no more than the rounding errors of a mean.

    In floating-point numbers the mean of three times 0.7 is below 0.7.
    """
    return math.isclose(value, limit, rel_tol=1e-9, abs_tol=1e-12)


def by_rate(outcome: Outcome) -> tuple[bool, float, float]:
    """Sort key: ascending rate, then lost bits; outcomes without a finite rate come last."""
    return outcome.rate_bits is None, outcome.rate_bits or 0.0, outcome.lost_bits
