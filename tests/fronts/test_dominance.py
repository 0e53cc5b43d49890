"""Dominance between points whose coordinates are all minimised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoib.errors import ParetoIBError
from paretoib.fronts import (
    coverage,
    dominated_by,
    dominated_depth,
    dominated_layers,
    hypervolume,
    nondominated,
)

# A coarse lattice has many ties and duplicates.
POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12).map(
    lambda rows: np.array(rows, dtype=float)
)


def _dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return all(a <= b) and any(a < b)


@given(POINTS)
def test_nondominated_agrees_with_its_definition(points: np.ndarray) -> None:
    """No other point dominates a non-dominated point; equal points do not dominate each other."""
    expected = [not any(_dominates(q, p) for q in points) for p in points]
    assert nondominated(points).tolist() == expected


@given(POINTS, POINTS)
def test_dominated_by_and_coverage_agree_with_their_definitions(
    points: np.ndarray, others: np.ndarray
) -> None:
    """Dominance needs one smaller coordinate; coverage also counts equal points."""
    assert dominated_by(points, others).tolist() == [
        any(_dominates(q, p) for q in others) for p in points
    ]
    covered = [any(all(p <= q) for p in points) for q in others]
    assert coverage(points, others) == pytest.approx(sum(covered) / len(covered))


@given(POINTS, POINTS)
def test_a_shift_by_the_depth_ends_the_dominance(points: np.ndarray, others: np.ndarray) -> None:
    """A shift by slightly more than the depth ends the dominance; a smaller shift does not."""
    for point, depth in zip(points, dominated_depth(points, others), strict=True):
        assert not dominated_by([point - depth - 1e-6], others)[0]
        if depth > 0:
            assert dominated_by([point - depth + 1e-6], others)[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_rows_are_refused(bad: float) -> None:
    """The error has the number of the row that is not finite; moocore would drop this row."""
    points = [[0.0, 1.0], [1.0, bad]]
    for refuse in (
        lambda: nondominated(points),
        lambda: hypervolume(points, (2, 2)),
        lambda: coverage([[0, 0]], points),
        lambda: hypervolume([[0, 0]], (2, bad)),
    ):
        with pytest.raises(ParetoIBError, match=r"found .* in row \d"):
            refuse()


def test_nothing_is_dominated_in_an_empty_set() -> None:
    """For an empty set the mask of points is empty, and the coverage is 0."""
    nothing = np.empty((0, 2))
    assert nondominated(nothing).shape == (0,)
    assert coverage([[0, 0]], nothing) == 0


def test_dominated_layers_returns_the_layers_outside_the_share() -> None:
    """The four layers have 2, 2, 1 and 1 points; a share of 0.5 (3 points) keeps two layers."""
    points = {
        "a": (1.0, 2.0), "b": (2.0, 1.0),
        "c": (2.0, 3.0), "d": (3.0, 2.0),
        "e": (4.0, 4.0), "f": (5.0, 5.0),
    }  # fmt: skip
    assert dominated_layers(points, keep=0.5) == {"e", "f"}
    assert dominated_layers(points, keep=0.3) == {"c", "d", "e", "f"}
    assert dominated_layers(points, keep=0.9) == set()


def test_a_point_that_is_none_ranks_last() -> None:
    """A point that is `None` is never kept, even if there are too few other points."""
    points = {"a": (1.0, 1.0), "b": None, "c": None}
    assert dominated_layers(points, keep=0.6) == {"b", "c"}


def test_dominated_layers_returns_nothing_for_too_few_points() -> None:
    """For a share of 0.5 the result is empty if there is one point, or all points are `None`."""
    assert dominated_layers({"a": (1.0, 1.0)}, keep=0.5) == set()
    assert dominated_layers({"a": None, "b": None}, keep=0.5) == set()
    assert dominated_layers({"a": (1.0, 1.0), "b": (2.0, 2.0)}, keep=0.5) == {"b"}
