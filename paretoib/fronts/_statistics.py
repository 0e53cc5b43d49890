"""What a handful of seeds can say about a difference of two methods."""

from collections.abc import Callable, Sequence
from math import comb

import numpy as np

from paretoib.records import Interval

LEVEL = 0.05
"""A p-value below this counts as a difference shown."""

MIN_SEEDS = 3
"""Seeds a side below which neither a test nor an interval is computed."""

RESAMPLES = 10_000


def mann_whitney(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Two-sided p-value of Mann and Whitney's U test; None with fewer than three values on a side.

    Exact, but where values are tied and can be shared out in more than `RESAMPLES` ways: then from
    so many of these.
    """
    if min(len(left), len(right)) < MIN_SEEDS:
        return None
    # 0.7 s to import, and most comparisons end above
    from scipy.stats import PermutationMethod, mannwhitneyu

    method: str | PermutationMethod = "exact"
    if len({*left, *right}) < len(left) + len(right):
        # The same numbers give the same value, every time.
        method = PermutationMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(0))
    return float(mannwhitneyu(left, right, alternative="two-sided", method=method).pvalue)


def smallest_p_value(left: int, right: int) -> float:
    """The p-value of Mann and Whitney's U test for two samples that do not overlap at all."""
    return min(1.0, 2 / comb(left + right, left))


def bootstrap_mean(values: Sequence[float]) -> Interval | None:
    """95 % percentile interval of the mean; None with fewer than three values."""
    return _bootstrap([values], lambda means: means)


def bootstrap_ratio(left: Sequence[float], right: Sequence[float]) -> Interval | None:
    """95 % percentile interval of mean(left) / mean(right), both sides resampled.

    None with fewer than three values on a side, or where the right mean may be 0.
    """
    if not right or min(right) <= 0:
        return None
    return _bootstrap([left, right], lambda numerator, denominator: numerator / denominator)


def _bootstrap(
    samples: Sequence[Sequence[float]], statistic: Callable[..., np.ndarray]
) -> Interval | None:
    if min(len(sample) for sample in samples) < MIN_SEEDS:
        return None
    rng = np.random.default_rng(0)  # the same numbers give the same interval, every time
    means = [
        rng.choice(np.asarray(sample), (RESAMPLES, len(sample))).mean(axis=1) for sample in samples
    ]
    low, high = np.quantile(statistic(*means), (0.025, 0.975))
    return Interval(low=float(low), high=float(high))
