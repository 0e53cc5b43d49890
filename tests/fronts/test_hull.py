"""The β that select each point, compared with minimising f2 + β f1 over all points (f1, f2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoib.fronts import nondominated, reachability

LATTICE = st.tuples(st.integers(0, 9), st.integers(0, 9))
POINTS = st.lists(LATTICE, min_size=1, max_size=12).map(lambda rows: np.array(rows, float))
# All slopes that a 10 × 10 lattice can have (1/9 to 9), and β between and beyond them.
BETAS = np.unique([*(a / b for a in range(1, 10) for b in range(1, 10)), 0.05, 0.7071, 1.37, 20])


def _selected(points: np.ndarray, beta: float) -> np.ndarray:
    cost = points[:, 1] + beta * points[:, 0]
    return cost <= cost.min() + 1e-9


@given(POINTS)
def test_a_point_is_selected_by_exactly_the_betas_of_its_interval(points: np.ndarray) -> None:
    """A point minimises f2 + β f1 for each β of its interval and for no other β."""
    reach = reachability(points)
    for beta in BETAS:
        selected = _selected(points, beta)
        for i in range(len(points)):
            interval = reach.interval(i)
            low, high = interval or (np.inf, None)
            inside = low - 1e-9 <= beta and (high is None or beta <= high + 1e-9)
            assert selected[i] == inside
            assert reach.supported[i] == (interval is not None)


@given(POINTS)
def test_the_gap_is_the_height_above_the_lowest_mixture(points: np.ndarray) -> None:
    """A point's gap is its f2 minus the smallest f2 of mixtures with at most the point's f1.

    A mixture is a convex combination of two points.
    """
    reach = reachability(points)
    for point, gap in zip(points, reach.gap, strict=True):
        lowest = min(
            _mixture(a, b, point[0]) for a in points for b in points if min(a[0], b[0]) <= point[0]
        )
        assert point[1] - gap == pytest.approx(lowest)


def _mixture(a: np.ndarray, b: np.ndarray, f1: float) -> float:
    """The smallest f2 of the mixtures of points `a` and `b` whose f1 is at most `f1`."""
    shares = [s for s in (0.0, 1.0) if (1 - s) * a[0] + s * b[0] <= f1]
    if a[0] != b[0] and 0 <= (s := (f1 - a[0]) / (b[0] - a[0])) <= 1:
        shares.append(s)
    return min((1 - s) * a[1] + s * b[1] for s in shares)


def test_a_concave_front_is_supported_only_at_its_ends() -> None:
    """On the front of ZDT2, some β selects each end, but no β selects another point."""
    x = np.linspace(0, 1, 101)
    reach = reachability(np.c_[x, 1 - x**2])
    assert np.flatnonzero(reach.supported).tolist() == [0, 100]
    assert reach.gap.max() == pytest.approx(0.25)
    assert reach.interval(0) == (pytest.approx(1.0), None)
    assert reach.interval(100) == (0.0, pytest.approx(1.0))


def test_a_convex_front_is_supported_everywhere() -> None:
    """For ZDT1, the β interval of each inner point contains minus the front's slope there."""
    x = np.linspace(0.01, 1, 50)
    reach = reachability(np.c_[x, 1 - np.sqrt(x)])
    assert reach.supported.all()
    slope = 0.5 / np.sqrt(x[1:-1])
    assert (reach.lowest[1:-1] <= slope).all()
    assert (slope <= reach.highest[1:-1]).all()


def test_a_point_on_an_edge_has_one_beta() -> None:
    """One β selects a point on an edge: minus the slope of the edge, even with rounding errors."""
    reach = reachability([[0.0, 3.0], [0.1, 2.9], [0.3, 2.7 + 1e-12], [2.0, 1.0], [2.0, 1.0]])
    assert reach.supported.all()
    assert reach.interval(1) == (pytest.approx(1.0), pytest.approx(1.0))
    assert reach.interval(3) == reach.interval(4) == (0.0, pytest.approx(1.0))


def test_dominated_points_have_a_gap_and_no_beta() -> None:
    """No β selects a dominated point.

    The gap of such a point may be 0, because the hull ends in a horizontal line.
    """
    reach = reachability([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [1.0, 0.5], [0.0, 2.0]])
    assert reach.supported.tolist() == [True, True, False, False, False]
    assert reach.gap.tolist() == [0, 0, 0, 0.5, 1]
    assert [reach.interval(i) for i in (2, 3, 4)] == [None] * 3


@given(POINTS)
def test_supported_points_are_on_the_front(points: np.ndarray) -> None:
    """A point that some β > 0 selects is never dominated."""
    assert (nondominated(points) | ~reachability(points).supported).all()


def test_an_empty_set_has_an_empty_hull() -> None:
    """The hull of an empty set has no vertices."""
    reach = reachability(np.empty((0, 2)))
    assert reach.vertices.shape == (0, 2)
    assert reach.supported.shape == (0,)
