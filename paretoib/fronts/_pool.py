"""The trials of several sweeps on the same data as one pool, with their settings."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from paretoib.data import DATASETS
from paretoib.errors import ComparisonError
from paretoib.fronts._front import classify, flatten
from paretoib.fronts._hull_gaps import GapIntervals
from paretoib.fronts._settings import by_rate, means, seed_points, setting_key, settings
from paretoib.records import Front, Point, Setting, SweepInfo


@dataclass(frozen=True)
class Pool:
    """The trials and the settings of several sweeps by rate, with front and hull of each.

    `sweeps[i]` is the id of the sweep of `points[i]`. Each setting stands beside the ids of the
    sweeps that have a trial of it. `means` are the mean points of the settings with a finite rate.
    """

    points: list[Point]
    sweeps: list[str]
    settings: list[tuple[Setting, tuple[str, ...]]]
    means: Float[np.ndarray, "n 2"]


def pool_fronts(fronts: Sequence[Front]) -> Pool:
    """The pool of these fronts.

    Sweeps that vary different fields share a setting if all fields of a trial are equal.
    """
    sections = {front.sweep.id: trial_fields(front.sweep) for front in fronts}
    pairs = [(point, front.sweep.id) for front in fronts for point in front.points]
    pairs.sort(key=lambda pair: (pair[0].rate_bits is None, pair[0].rate_bits or 0.0))
    points, sweeps = [point for point, _ in pairs], [sweep for _, sweep in pairs]
    keys = [setting_key({**sections[sweep], **point.params}) for point, sweep in pairs]
    failed = [(trial, front.sweep.id) for front in fronts for trial in front.failed]
    failed_keys = [setting_key({**sections[sweep], **trial.params}) for trial, sweep in failed]
    by_seed = seed_points(points, keys)
    gaps = GapIntervals(by_seed)
    found = settings(points, keys, [trial for trial, _ in failed], failed_keys)
    by_key = dict(sorted(found.items(), key=lambda item: by_rate(item[1])))
    sweeps_of: dict[Hashable, dict[str, None]] = {}
    for key, sweep in zip(keys, sweeps, strict=True):
        sweeps_of.setdefault(key, {})[sweep] = None
    classified = classify([*by_key.values()], [*by_key], gaps)
    return Pool(
        points=classify(points, keys, gaps),
        sweeps=sweeps,
        settings=[
            (setting, tuple(sweeps_of[key]))
            for key, setting in zip(by_key, classified, strict=True)
        ],
        means=means(by_seed),
    )


def trial_fields(sweep: SweepInfo) -> dict[str, Any]:
    """The fields of a sweep's spec that its trials have too, by dotted names."""
    names = ("data", "model", "objective", "weighting", "training")
    return flatten({name: sweep.spec[name] for name in names if name in sweep.spec})


def check_data(fronts: Sequence[Front]) -> None:
    """Raise `ComparisonError` unless the sweeps are on the same data."""
    (first_name, first_data), *others = ((front.sweep.name, _data(front)) for front in fronts)
    for name, data in others:
        for field in first_data | data:
            first, other = first_data.get(field), data.get(field)
            if first != other:
                raise ComparisonError(
                    f"sweeps should be on the same data to be compared; found {field} = {first} "
                    f"in `{first_name}` and {other} in `{name}`"
                )


def _data(front: Front) -> dict[str, Any]:
    """The data set's name and fields; fields that an older version did not have are defaults."""
    entry = DATASETS.get(front.sweep.dataset)
    defaults = {param.name: param.default for param in entry.params} if entry else {}
    data = {**defaults, **front.sweep.spec.get("data", {})}
    if data.get("sha256"):
        data.pop("path", None)  # Files with the same content are the same data.
    return {"dataset": front.sweep.dataset} | flatten(data, "data.")
