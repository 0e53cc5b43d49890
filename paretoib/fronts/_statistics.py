"""Statistics over a few seeds: a test, bootstrap intervals, and Student's interval."""

from collections.abc import Callable, Sequence
from math import comb

import numpy as np
from jaxtyping import Float

from paretoib.records import Interval

LEVEL = 0.05
"""Significance level: a difference counts as shown only if p is smaller."""

MIN_SEEDS = 3
"""Minimum number of seeds on each side for a test or an interval."""

RESAMPLES = 10_000
"""Number of bootstrap samples, and largest number of permutations."""


def mann_whitney(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Two-sided p-value of the Mann-Whitney U test; None with fewer than three values on a side.

    Without ties the p-value is exact. With ties it comes from a permutation test, with all
    permutations if there are at most `RESAMPLES`, and otherwise with a random sample of them.
    """
    if min(len(left), len(right)) < MIN_SEEDS:
        return None
    # The import takes 0.7 s, and most comparisons have too few seeds for the test.
    from scipy.stats import PermutationMethod, mannwhitneyu

    method: str | PermutationMethod = "exact"
    if len({*left, *right}) < len(left) + len(right):
        # A fixed seed makes the p-value reproducible.
        method = PermutationMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(0))
    return float(mannwhitneyu(left, right, alternative="two-sided", method=method).pvalue)


def smallest_p_value(left: int, right: int) -> float:
    """The p-value of the Mann-Whitney U test for two samples that do not overlap."""
    return min(1.0, 2 / comb(left + right, left))


def bootstrap_mean(values: Sequence[float]) -> Interval | None:
    """95 % percentile interval of the mean; None with fewer than three values."""
    return _bootstrap([values], lambda means: means)


def bootstrap_ratio(left: Sequence[float], right: Sequence[float]) -> Interval | None:
    """95 % percentile interval of mean(left) / mean(right); both sides are resampled.

    None with fewer than three values on a side, or if a value is 0 or less.
    """
    if min((*left, *right), default=0) <= 0:
        return None
    return _bootstrap([left, right], lambda numerator, denominator: numerator / denominator)


def student_interval(values: Sequence[float]) -> Interval | None:
    """95 % interval of the mean by Student's t; None with fewer than three values.

    With three to six values it keeps its level, which a bootstrap interval does not.
    """
    if len(values) < MIN_SEEDS:
        return None
    mean = float(np.mean(values))
    half = float(student_half_width(np.array(values)[:, None])[0])
    return Interval(low=mean - half, high=mean + half)


def student_half_width(values: Float[np.ndarray, "n m"]) -> Float[np.ndarray, " m"]:
    """Half the width of the 95 % interval of each column's mean by Student's t; n is at least 2."""
    from scipy.special import stdtrit

    count = len(values)
    factor = stdtrit(count - 1, 1 - LEVEL / 2) / np.sqrt(count)
    return np.asarray(factor * np.std(values, axis=0, ddof=1))


def _bootstrap(
    samples: Sequence[Sequence[float]], statistic: Callable[..., np.ndarray]
) -> Interval | None:
    if min(len(sample) for sample in samples) < MIN_SEEDS:
        return None
    rng = np.random.default_rng(0)  # fixed, so that intervals are reproducible
    means = [
        rng.choice(np.asarray(sample), (RESAMPLES, len(sample))).mean(axis=1) for sample in samples
    ]
    low, high = np.quantile(statistic(*means), (0.025, 0.975))
    return Interval(low=float(low), high=float(high))
