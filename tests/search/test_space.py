"""The mapping between points of the unit cube and settings (one value for each field)."""

import math
from collections import Counter
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretoib.search._space import Space, value_at
from paretoib.specs import Range

NUMBERS = st.floats(1e-6, 1e6)
UNIT = st.floats(0, 1)
WHOLE = {"low": 2, "high": 9, "whole": True}


@st.composite
def ranges(draw: Any) -> Range:
    """A range of positive numbers."""
    whole = draw(st.booleans())
    ends = st.integers(1, 10**6) if whole else NUMBERS
    low, high = sorted(draw(st.tuples(ends, ends).filter(lambda e: e[0] != e[1])))
    return Range(low=low, high=high, scale=draw(st.sampled_from(["log", "lin"])), whole=whole)


@settings(deadline=None)
@given(ranges(), UNIT)
def test_a_setting_is_in_its_range_and_its_point_maps_back_to_it(values: Range, u: float) -> None:
    """A setting turned into a point and back is unchanged, so repeated settings are recognised."""
    space = Space({"x": values})
    setting = space.setting([u])
    assert values.low <= setting["x"] <= values.high
    assert isinstance(setting["x"], int) == values.whole
    point = space.point(setting)
    assert all(-1e-9 <= v <= 1 + 1e-9 for v in point)
    assert space.setting(point) == setting
    assert space.point(space.setting(point)) == point


@settings(deadline=None)
@given(ranges(), UNIT, UNIT)
def test_values_rise_along_an_axis(values: Range, u: float, v: float) -> None:
    """A higher position on an axis never gives a smaller number."""
    assert (u <= v) <= (value_at(values, u) <= value_at(values, v))


@pytest.mark.parametrize(
    ("values", "middle"),
    [
        (Range(low=1e-4, high=1), 0.01),
        (Range(low=-1, high=2, scale="lin"), 0.5),
        (Range(low=10, high=1000, whole=True), 100),
        (("a", "b", "c"), "b"),
    ],
)
def test_the_middle_of_an_axis_is_the_middle_of_its_scale(values: Any, middle: Any) -> None:
    """Position 0.5 gives the mean of a range (geometric on a log scale) or the middle choice."""
    assert value_at(values, 0.5) == (
        middle if isinstance(middle, str) else pytest.approx(middle, rel=0.05)
    )


def test_rounding_does_not_leave_the_range() -> None:
    """Values are rounded to four digits, but never beyond an end of the range."""
    values = Range(low=0.123456, high=98765.4)
    assert value_at(values, 1) == 98765.4
    assert value_at(values, 0) == pytest.approx(0.123456, rel=1e-3)
    assert (value_at(values, 0) >= 0.123456, value_at(Range(low=1, high=3, whole=True), 1.0)) == (
        True,
        3,
    )


def test_numbers_have_four_significant_digits() -> None:
    """Rounding to four significant digits keeps floating-point noise from changing a trial."""
    values = Range(low=1e-5, high=1)
    assert (
        value_at(values, 0.4999)
        == value_at(values, 0.4999 + 1e-12)
        == float(f"{value_at(values, 0.4999):.4g}")
    )


@pytest.mark.parametrize("scale", ["lin", "log"])
def test_numbers_in_a_narrow_range_differ(scale: str) -> None:
    """Numbers between 0.50001 and 0.50009 have seven digits instead of four."""
    values = Range(low=0.50001, high=0.50009, scale=scale)
    numbers = {value_at(values, u) for u in np.linspace(0, 1, 500)}
    assert len(numbers) == 500
    assert all(number == float(f"{number:.7g}") for number in numbers)


@pytest.mark.parametrize("values", [Range(scale="lin", **WHOLE), ("a", 1, None, (2, 3))])
def test_whole_numbers_and_choices_have_equal_shares_of_an_axis(values: Any) -> None:
    """Each value, also the first and the last, has the same share of the axis."""
    positions = np.linspace(0, 1, 2400, endpoint=False)
    shares = Counter(value_at(values, u) for u in positions)
    assert max(shares.values()) - min(shares.values()) <= 1
    assert len(shares) == (8 if isinstance(values, Range) else 4)


def test_whole_numbers_on_a_logarithmic_scale_have_the_share_of_their_interval() -> None:
    """On a logarithmic scale, a whole number n has the interval from n − ½ to n + ½."""
    positions = np.linspace(0, 1, 20_000, endpoint=False)
    shares = Counter(value_at(Range(**WHOLE), u) for u in positions)
    for n in range(2, 10):
        share = math.log((n + 0.5) / (n - 0.5)) / math.log(9.5 / 1.5)
        assert shares[n] / 20_000 == pytest.approx(share, abs=1e-3)


def test_a_finite_space_is_drawn_completely_in_each_round() -> None:
    """Each of the two rounds has all 12 settings of the space, in a different order."""
    space = Space({"x": (1, 2, 3), "y": Range(low=5, high=8, scale="lin", whole=True)})
    assert space.size == 12
    drawn = [tuple(s.values()) for s in space.draws(np.random.default_rng(0), 2)]
    rounds = drawn[:12], drawn[12:]
    assert [len(set(r)) for r in rounds] == [12, 12]
    assert rounds[0] != rounds[1]


def test_an_infinite_space_is_drawn_evenly() -> None:
    """Each tenth of an axis has about a tenth of the drawn settings."""
    space = Space({"x": Range(low=1, high=1000), "y": (0, 1)})
    assert space.size is None
    drawn = list(islice(space.draws(np.random.default_rng(0), 1), 5000))
    tenths = Counter(min(int(space.point(s)[0] * 10), 9) for s in drawn)
    assert set(tenths) == set(range(10))
    assert all(abs(count - 500) < 100 for count in tenths.values())
