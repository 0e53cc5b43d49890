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

# On a coarse lattice ties and duplicates are common.
POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12).map(
    lambda rows: np.array(rows, dtype=float)
)


def _dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return all(a <= b) and any(a < b)


@given(POINTS)
def test_nondominated_is_what_no_other_point_dominates(points: np.ndarray) -> None:
    """The mask agrees with the definition for each point, equal points included."""
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
def test_shifting_a_point_by_its_depth_just_frees_it(
    points: np.ndarray, others: np.ndarray
) -> None:
    """A slightly larger shift ends the dominance, a slightly smaller one does not."""
    for point, depth in zip(points, dominated_depth(points, others), strict=True):
        assert not dominated_by([point - depth - 1e-6], others)[0]
        if depth > 0:
            assert dominated_by([point - depth + 1e-6], others)[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_rows_are_refused_by_number(bad: float) -> None:
    """moocore would drop such rows silently."""
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
    """The mask is empty and the coverage is 0."""
    nothing = np.empty((0, 2))
    assert nondominated(nothing).shape == (0,)
    assert coverage([[0, 0]], nothing) == 0


def test_layers_beyond_the_share_are_named() -> None:
    """Of six points in layers of 2, 2, 1, 1, a share of half keeps two whole layers."""
    points = {
        "a": (1.0, 2.0), "b": (2.0, 1.0),
        "c": (2.0, 3.0), "d": (3.0, 2.0),
        "e": (4.0, 4.0), "f": (5.0, 5.0),
    }  # fmt: skip
    assert dominated_layers(points, keep=0.5) == {"e", "f"}
    assert dominated_layers(points, keep=0.3) == {"c", "d", "e", "f"}
    assert dominated_layers(points, keep=0.9) == set()


def test_a_point_that_is_none_ranks_last() -> None:
    """It is outside the share even if the share has room for it."""
    points = {"a": (1.0, 1.0), "b": None, "c": None}
    assert dominated_layers(points, keep=0.6) == {"b", "c"}


def test_too_few_points_give_no_names() -> None:
    """A share of half needs two points, and one of them not None."""
    assert dominated_layers({"a": (1.0, 1.0)}, keep=0.5) == set()
    assert dominated_layers({"a": None, "b": None}, keep=0.5) == set()
    assert dominated_layers({"a": (1.0, 1.0), "b": (2.0, 2.0)}, keep=0.5) == {"b"}
