"""Indicators, compared with closed forms and a brute-force hypervolume."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoib.errors import ParetoIBError
from paretoib.fronts import (
    attainment,
    attainment_difference,
    attainment_surface,
    epsilon_additive,
    hypervolume,
    igd_plus,
)

LATTICE = st.tuples(st.integers(0, 8), st.integers(0, 8))
POINTS = st.lists(LATTICE, max_size=8).map(lambda rows: np.array(rows, float).reshape(-1, 2))


def _lattice_hypervolume(points: np.ndarray, reference: tuple[int, int]) -> int:
    """The number of unit squares up to the reference point that at least one point dominates."""
    return sum(
        any(p[0] <= i and p[1] <= j for p in points)
        for i in range(reference[0])
        for j in range(reference[1])
    )


@given(POINTS)
def test_hypervolume_counts_dominated_unit_squares(points: np.ndarray) -> None:
    """The hypervolume counts a unit square once, however many points dominate the square."""
    assert hypervolume(points, (6, 5)) == pytest.approx(_lattice_hypervolume(points, (6, 5)))


@pytest.mark.parametrize(
    ("curve", "expected"),
    [(lambda x: 1 - np.sqrt(x), 0.87667), (lambda x: 1 - x**2, 0.54333)],
    ids=["ZDT1", "ZDT2"],
)
def test_hypervolume_of_zdt_fronts(
    curve: Callable[[np.ndarray], np.ndarray], expected: float
) -> None:
    """Up to (1.1, 1.1), the hypervolume is 1.21 − 1/3 for ZDT1 and 1.21 − 2/3 for ZDT2."""
    x = np.linspace(0, 1, 1_000_001)
    assert hypervolume(np.c_[x, curve(x)], (1.1, 1.1)) == pytest.approx(expected, abs=5e-6)


def test_better_points_increase_the_hypervolume() -> None:
    """Dominated points and points beyond the reference point do not change the hypervolume."""
    front = [[1.0, 3.0], [3.0, 1.0]]
    volume = hypervolume(front, (5, 5))
    assert hypervolume([*front, [1.5, 1.5]], (5, 5)) > volume
    assert hypervolume([[0.5, 3.0], [3.0, 1.0]], (5, 5)) > volume
    assert hypervolume([*front, [4.0, 4.0]], (5, 5)) == volume
    assert hypervolume([*front, [0.0, 6.0], [6.0, 0.0]], (5, 5)) == volume
    assert hypervolume([[6.0, 6.0]], (5, 5)) == 0
    assert hypervolume(front, (6, 6)) > volume


def test_hypervolume_in_three_dimensions() -> None:
    """Two overlapping boxes have a volume of 2 + 2 − 1 by inclusion and exclusion."""
    assert hypervolume([[0, 1, 1], [1, 0, 1]], (2, 2, 2)) == pytest.approx(2 + 2 - 1)


def test_epsilon_is_the_shift_that_reaches_the_other_front() -> None:
    """ε is positive for the worse front and negative for the better one."""
    good, bad = [[0.0, 1.0], [1.0, 0.0]], [[0.25, 1.25], [1.25, 0.25]]
    assert epsilon_additive(bad, good) == pytest.approx(0.25)
    assert epsilon_additive(good, bad) == pytest.approx(-0.25)


def test_igd_plus_prefers_the_dominating_set() -> None:
    """In example 4 of Ishibuchi et al. 2015, the dominating set has the smaller IGD+."""
    target = [[10, 0], [6, 1], [2, 2], [1, 6], [0, 10]]
    good, bad = [[4, 2], [3, 3], [2, 4]], [[8, 2], [4, 4], [2, 8]]
    assert igd_plus(good, target) == pytest.approx(1.482842712474619)
    assert igd_plus(bad, target) == pytest.approx(2.260112615949154)
    assert igd_plus([[0, 0]], target) == 0


def test_attainment_gives_the_share_of_runs_that_reach_a_goal() -> None:
    """One of two runs reaches (1, 2), the other reaches (2, 1), and both reach (2, 2)."""
    levels = attainment([[[1.0, 2.0]], [[2.0, 1.0]]])
    assert sorted(levels.tolist()) == [[1, 2, 0.5], [2, 1, 0.5], [2, 2, 1.0]]


@given(st.lists(POINTS, min_size=1, max_size=4), st.lists(POINTS, min_size=1, max_size=3))
def test_attainment_difference_is_the_largest_over_all_goals(
    left: list[np.ndarray], right: list[np.ndarray]
) -> None:
    """The result agrees with a search over all goals, even for unequal numbers of runs."""
    if not any(len(run) for run in (*left, *right)):
        left = [np.zeros((1, 2))]
    goals = [(i, j) for i in range(10) for j in range(10)]

    def share(runs: list[np.ndarray], goal: tuple[int, int]) -> float:
        return float(np.mean([any(all(p <= goal) for p in run) for run in runs]))

    largest = max(abs(share(left, goal) - share(right, goal)) for goal in goals)
    assert attainment_difference(left, right) == pytest.approx(largest)


def test_epsilon_and_igd_plus_refuse_an_empty_front() -> None:
    """ε and IGD+ of an empty front are undefined; its hypervolume is 0."""
    nothing = np.empty((0, 2))
    for refuse in (epsilon_additive, igd_plus):
        with pytest.raises(ParetoIBError, match="at least one point"):
            refuse(nothing, [[0, 0]])
    assert hypervolume(nothing, (1, 1)) == 0


@given(st.lists(POINTS, min_size=1, max_size=5), st.integers(1, 5))
def test_an_attainment_surface_bounds_what_enough_runs_attain(
    runs: list[np.ndarray], count: int
) -> None:
    """A point is at or above the surface exactly if at least `count` runs attain the point."""
    surface = attainment_surface(runs, count)
    assert surface.tolist() == sorted(surface.tolist())
    for goal in np.ndindex(9, 9):
        attaining = sum(bool(np.any(np.all(run <= goal, axis=1))) for run in runs if len(run))
        above = bool(np.any(np.all(surface <= goal, axis=1))) if len(surface) else False
        assert above == (attaining >= count)
