"""The distance of single points to the other front, for weightings that do not move along it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from paretoib.fronts import compare, comparison_html, comparison_rows, comparison_statistics
from paretoib.fronts._front_distance import front_distance
from paretoib.records import Comparison, Front, TrialRecord
from paretoib.weighting import WEIGHTINGS

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]

GRID = np.array([(0.0, 3.0), (2.0, 1.0), (4.0, 0.0)])


@pytest.fixture
def compare_weightings(make_trial: MakeTrial, make_front: MakeFront) -> Callable[..., Comparison]:
    """A function that compares (rate, lost, seed) of one weighting with `GRID` of another."""

    def make(points: Any, weighting: str = "mgda", other: str = "linear") -> Comparison:
        trials = [make_trial(rate, lost, seed=seed) for rate, lost, seed in points]
        grid = [make_trial(*row, beta=i) for i, row in enumerate(GRID)]
        fronts = []
        for name, side in ((weighting, trials), (other, grid)):
            front = make_front(side, name=f"sweep of {name}", method=name)
            spec = {**front.sweep.spec, "weighting": {"name": name}}
            sweep = front.sweep.model_copy(update={"spec": spec})
            fronts.append(front.model_copy(update={"sweep": sweep}))
        return compare([fronts[0]], [fronts[1]])

    return make


def test_distances_agree_with_a_calculation_by_hand() -> None:
    """(3, 1.5) lies 0.5 above (2, 1) in the worse coordinate, and 1 above the hull's 0.5 bits.

    (1, 1.5) lies 1 to the left of (2, 1), and 0.5 below the hull's 2 bits.
    """
    distance = front_distance([np.array([(3.0, 1.5)])], GRID)
    assert (distance.epsilon_bits, distance.hull_gap_bits) == (0.5, 1.0)
    assert (distance.epsilon_interval, distance.hull_gap_interval) == (None, None)
    distance = front_distance([np.array([(1.0, 1.5)])], GRID)
    assert (distance.epsilon_bits, distance.hull_gap_bits) == (-1.0, -0.5)


def test_points_of_a_seed_are_averaged_before_seeds() -> None:
    """Seed 0 has two points and seed 1 one; each seed counts once. Empty seeds do not count."""
    runs = [np.array([(3.0, 1.5), (2.0, 1.0)]), np.array([(2.0, 1.0)]), np.zeros((0, 2))]
    distance = front_distance(runs, GRID)
    assert (distance.epsilon_bits, distance.hull_gap_bits) == (0.125, 0.25)


def test_a_rate_below_the_whole_hull_has_no_gap() -> None:
    """To the left of the hull there is no point above it."""
    distance = front_distance([np.array([(1.0, 0.0)])], GRID[1:])
    assert distance.hull_gap_bits is None
    assert distance.epsilon_bits == -1.0


def test_the_verdict_gives_the_distance_and_no_hypervolume(compare_weightings: Any) -> None:
    """MGDA has one point a start: verdict and table have its distance to the grid's front."""
    comparison = compare_weightings([(3.0, 1.5, 0), (3.0, 1.6, 1), (3.0, 1.4, 2)])
    distance = comparison.indicators.front_distances["left"]
    assert comparison.indicators.front_distances.keys() == {"left"}
    assert distance.epsilon_bits == pytest.approx(0.5)
    # Student's t with two degrees of freedom: 4.303 · 0.1 / √3.
    assert distance.epsilon_interval.low == pytest.approx(0.5 - 0.2484, abs=1e-3)
    assert comparison.verdict.startswith(
        "On digits, the points of mgda (3 seeds) lie on average 0.5 bits (95 % confidence interval "
        "0.252 to 0.748) behind the front of linear (1 seed), and 1 bits (95 % confidence interval "
        "0.752 to 1.25) above its hull. The weighting of mgda has no field that moves along the "
        "front, so hypervolumes are not compared. "
    )
    assert "Testing needs" not in comparison.verdict
    assert "mgda lies on the hull" not in comparison.verdict
    rows = {row.label: row for row in comparison_rows(comparison)}
    assert rows["mean additive ε behind the other front, bits"][1:] == (
        "0.5 (0.252 to 0.748)",
        "–",
        "less",
    )
    assert not [label for label in rows if "hypervolume" in label]
    assert not [text for text in comparison_statistics(comparison) if "hypervolume" in text]
    assert "mean gap above the other hull" in comparison_html(comparison)


def test_a_distance_within_noise_is_called_noise(compare_weightings: Any) -> None:
    """If the interval contains 0, the verdict says that the distance may be noise."""
    verdict = compare_weightings([(2.0, 1.3, 0), (2.0, 0.8, 1), (2.0, 1.1, 2)]).verdict
    assert "; may be noise) above its hull" in verdict


def test_few_seeds_have_no_interval_and_a_hint(compare_weightings: Any) -> None:
    """With one seed the verdict ends with the seeds that allow an interval."""
    verdict = compare_weightings([(1.0, 1.5, 0)]).verdict
    assert (
        "lie on average 1 bits ahead of the front of linear (1 seed), and 0.5 bits below" in verdict
    )
    assert verdict.endswith(" An interval needs `--seeds 0,1,2` for mgda.")


@pytest.mark.parametrize(
    ("weighting", "other", "sides"),
    [
        ("mgda", "linear", {"left"}),
        ("linear", "mgda", {"right"}),
        ("mib", "linear", set()),
        ("mgda", "none", set()),
        ("of a newer version", "mgda", {"right"}),
    ],
)
def test_the_catalogue_says_which_weightings_move_along_the_front(
    compare_weightings: Any, weighting: str, other: str, sides: set[str]
) -> None:
    """A side has a distance if no field of its weighting moves along the front, and the other's do.

    A weighting that is not in the catalogue counts as moving.
    """
    comparison = compare_weightings([(3.0, 1.5, 0)], weighting, other)
    assert comparison.indicators.front_distances.keys() == sides


def test_a_weighting_moves_along_the_front_if_a_field_does() -> None:
    """Every weighting with β or a preference moves; exact weights and a single loss do not."""
    moving = {name for name, entry in WEIGHTINGS.items() if entry.fields_along_front({})}
    with_fields = {
        name
        for name, entry in WEIGHTINGS.items()
        if {"beta", "preference"} & {param.name for param in entry.params}
    }
    assert with_fields <= moving
    assert "mib" in moving
    assert not {"mgda", "none", "random"} & moving
    assert not WEIGHTINGS["mib"].fields_along_front({"solver": "closed_form"})
