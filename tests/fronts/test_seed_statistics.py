"""Statistics over a few seeds."""

import pytest

from paretoib.fronts._statistics import (
    bootstrap_mean,
    bootstrap_ratio,
    mann_whitney,
    smallest_p_value,
    student_interval,
)

WIDE = [1.13, 2.02, 3.07, 3.91, 4.87]


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 4), (5, 3), (6, 6), (9, 10)])
def test_samples_that_do_not_overlap_have_the_smallest_p_value(n: int, m: int) -> None:
    """For samples that do not overlap, the exact p-value is 2 / C(n + m, n)."""
    low, high = list(range(n)), list(range(100, 100 + m))
    assert mann_whitney(low, high) == pytest.approx(smallest_p_value(n, m))


def test_equal_samples_have_a_p_value_of_1() -> None:
    """If all values are tied, p is 1 and the interval of the ratio is 1 to 1."""
    assert mann_whitney([2.0] * 3, [2.0] * 4) == 1.0
    ratio = bootstrap_ratio([2.0] * 3, [2.0] * 4)
    assert ratio is not None
    assert (ratio.low, ratio.high) == (1.0, 1.0)


def test_ties_are_counted_exactly() -> None:
    """Two of the C(6, 3) = 20 ways to split the six values are as extreme as this split."""
    assert mann_whitney([0, 0, 1], [2, 3, 4]) == pytest.approx(2 / 20)


def test_two_seeds_are_too_few() -> None:
    """With fewer than three values on a side there is no test and no interval."""
    assert mann_whitney([1, 2], [3, 4, 5]) is None
    assert bootstrap_mean([1, 2]) is None
    assert bootstrap_ratio([1, 2, 3], [4, 5]) is None


def test_intervals_are_the_same_every_time_and_cover_the_mean() -> None:
    """The interval of a mean covers the mean, and is narrower for values that vary less."""
    wide, narrow = bootstrap_mean(WIDE), bootstrap_mean([2.8, 2.9, 3, 3.1, 3.2])
    assert wide is not None
    assert narrow is not None
    assert wide == bootstrap_mean(WIDE)
    assert wide.low < narrow.low < 3 < narrow.high < wide.high


def test_the_interval_contains_the_ratio_of_left_to_right() -> None:
    """Left values are twice the right values, so the interval contains 2, or 1/2 if swapped."""
    left, right = [2.0, 2.1, 1.9, 2.0], [1.0, 1.05, 0.95, 1.0]
    ratio, inverse = bootstrap_ratio(left, right), bootstrap_ratio(right, left)
    assert ratio is not None
    assert inverse is not None
    assert 1.8 < ratio.low < 2 < ratio.high < 2.2
    assert 0.45 < inverse.low < 0.5 < inverse.high < 0.55


def test_a_zero_on_the_right_side_gives_no_interval() -> None:
    """If a right value is 0, the right mean of a resample may be 0, so the ratio is undefined."""
    assert bootstrap_ratio([1, 2, 3], [0, 1, 2]) is None


def test_students_interval_is_the_textbooks() -> None:
    """For 1, 2, 3 the interval is 2 ± 4.303 · 1 / √3; two values have no interval."""
    interval = student_interval([1.0, 2.0, 3.0])
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((2 - 2.484, 2 + 2.484), abs=1e-3)
    assert student_interval([1.0, 2.0]) is None
