"""Settings: the trials that differ only in the seed, and their means over seeds."""

import json
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from paretoib.records import Point

Setting = Mapping[int, Float[np.ndarray, "2"]]
"""The point (rate, lost) in bits of each seed of a setting."""


def setting_key(params: Mapping[str, Any]) -> str:
    """A key that is equal for trials with equal parameters; the seed is not a parameter."""
    return json.dumps(params, sort_keys=True)


def settings(points: Sequence[Point], keys: Sequence[Hashable]) -> dict[Hashable, Setting]:
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


def means(by_key: Mapping[Hashable, Setting]) -> Float[np.ndarray, "n 2"]:
    """The mean point of each setting over its seeds."""
    return np.array([np.mean(list(s.values()), axis=0) for s in by_key.values()]).reshape(-1, 2)
