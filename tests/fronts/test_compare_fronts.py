"""The comparison of two sides, each with one sweep or several."""

from collections.abc import Callable

import pytest

from paretoib.errors import ComparisonError
from paretoib.fronts import compare, comparison_rows
from paretoib.records import Comparison, ExactCurve, Front, TrialRecord

MakeTrial = Callable[..., TrialRecord]
MakeFront = Callable[..., Front]


@pytest.fixture
def sides(make_trial: MakeTrial, make_front: MakeFront) -> tuple[Front, Front]:
    """Left: (1, 2) and (2, 1), as (rate, lost). Right: (2, 2), (4, 0.5) and a dominated (5, 2)."""
    left = make_front([make_trial(1.0, 2.0), make_trial(2.0, 1.0)], name="a", method="mib")
    right = make_front(
        [make_trial(2.0, 2.0), make_trial(4.0, 0.5), make_trial(5.0, 2.0)], name="b", method="vib"
    )
    return left, right


def test_every_indicator_agrees_with_a_calculation_by_hand(sides: tuple[Front, Front]) -> None:
    """For the reference point (10, 3), each indicator has the expected value."""
    i = compare([sides[0]], [sides[1]]).indicators
    assert (i.hypervolume.left, i.hypervolume.right) == (9 + 8, 8 + 9)
    assert i.hypervolume_ratio == 1.0
    assert (i.epsilon.left, i.epsilon.right) == (0.5, 1.0)
    # The common front is (1, 2), (2, 1), (4, 0.5); right misses the first two by 1 each.
    assert i.igd_plus.left == pytest.approx(0.5 / 3)
    assert i.igd_plus.right == pytest.approx((1 + 1) / 3)
    assert (i.coverage.left, i.coverage.right) == (0.5, 0.0)
    assert (i.p_value, i.attainment_difference) == (None, None)
    assert set(i.intervals.values()) == {None}


def test_swapping_the_sides_swaps_their_numbers(sides: tuple[Front, Front]) -> None:
    """If the sides are swapped, the numbers of the left side become those of the right side."""
    comparison, swapped = compare([sides[0]], [sides[1]]), compare([sides[1]], [sides[0]])
    for name in ("hypervolume", "epsilon", "igd_plus", "coverage", "hypervolume_at_equal_cost"):
        before, after = getattr(comparison.indicators, name), getattr(swapped.indicators, name)
        assert (before.left, before.right) == (after.right, after.left)
    assert comparison.left == swapped.right
    assert comparison.cost.left == swapped.cost.right


def test_dominated_points_have_a_depth_in_bits(sides: tuple[Front, Front]) -> None:
    """(2, 1) dominates (2, 2) at an equal rate, so the depth is 0; (5, 2) has a depth of 1 bit."""
    comparison = compare([sides[0]], [sides[1]])
    points = {(p.side, p.rate_bits, p.lost_bits): p for p in comparison.points}
    assert {key for key, p in points.items() if p.dominated_by_other} == {
        ("right", 2.0, 2.0),
        ("right", 5.0, 2.0),
    }
    assert points["right", 2.0, 2.0].dominated_bits == 0
    assert points["right", 5.0, 2.0].dominated_bits == 1
    assert points["left", 1.0, 2.0].dominated_bits == 0
    assert {p.sweep for p in comparison.points if p.side == "left"} == {"a"}


def test_sweeps_of_a_side_are_pooled(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """A sweep can dominate points of a sweep on the same side; a repeated sweep counts once."""
    first = make_front([make_trial(1.0, 2.0), make_trial(3.0, 1.0)], name="first")
    second = make_front([make_trial(2.0, 0.5, seed=1)], name="second")
    comparison = compare([first, second, second], [first])
    assert comparison.left.on_front == 2
    assert comparison.left.seeds == (0, 1)
    assert comparison.cost.left.trials == 3
    assert [p.on_front for p in comparison.points if p.side == "left"] == [True, True, False]


def test_sweeps_on_different_data_are_refused(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """The error for different data names the field, its two values and both sweeps."""
    trials = [make_trial(1.0, 1.0)]
    whole = make_front(trials, name="whole")
    fifth = make_front(trials, name="fifth", data={"name": "digits", "subset": 0.2})
    with pytest.raises(
        ComparisonError, match=r"data\.subset = 1\.0 in `whole` and 0\.2 in `fifth`"
    ):
        compare([whole], [fifth])
    mnist = make_front(trials, name="other", dataset="mnist")
    with pytest.raises(ComparisonError, match="dataset = digits in `whole` and mnist in `other`"):
        compare([whole], [mnist])


def test_a_field_that_an_older_sweep_lacks_has_its_default(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A sweep from before `fold` existed can be compared with fold 0, but not with fold 1."""
    trials = [make_trial(1.0, 1.0)]
    older = make_front(trials, name="older", data={"name": "digits", "subset": 0.2})
    first, second = (
        make_front(trials, name=f"fold {n}", data={"name": "digits", "subset": 0.2, "fold": n})
        for n in (0, 1)
    )
    assert compare([older], [first]).dataset == "digits"
    with pytest.raises(ComparisonError, match=r"data\.fold = 0 in `older` and 1 in `fold 1`"):
        compare([older], [second])


def test_a_side_without_a_finite_rate_is_refused(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """The error names the side without a finite rate, and the sweeps of this side."""
    good = make_front([make_trial(1.0, 1.0)], name="good")
    noiseless = make_front([make_trial(None, 0.1)], name="noiseless")
    with pytest.raises(ComparisonError, match=r"none on the right side \(`noiseless`\)"):
        compare([good], [noiseless])
    with pytest.raises(ComparisonError, match=r"none on the left side \(no sweep\)"):
        compare([], [good])


def test_both_sides_share_a_reference_point(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """Each coordinate of the common reference point is the larger of the fronts' two values."""
    left = make_front([make_trial(1.0, 1.0)], name="a", reference=(10.0, 2.0))
    right = make_front([make_trial(1.0, 1.0)], name="b", reference=(5.0, 3.0))
    comparison = compare([left], [right])
    assert (comparison.reference.rate_bits, comparison.reference.lost_bits) == (10.0, 3.0)
    assert comparison.indicators.hypervolume.left == comparison.indicators.hypervolume.right == 18


def test_equal_cost_is_the_cost_of_the_cheaper_side(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Right costs 4 s, and within 4 s left completes only the first four of its five trials."""
    left = make_front([*[make_trial(4.0, 2.0)] * 4, make_trial(1.0, 1.0, seconds=4.0)], name="a")
    right = make_front([*[make_trial(4.0, 2.0)] * 3, make_trial(3.0, 2.0)], name="b")
    volumes = compare([left], [right]).indicators.hypervolume_at_equal_cost
    assert (volumes.left, volumes.right) == (6, 7)


def test_a_few_trials_have_no_hypervolume_at_equal_cost(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """Within the cost of right, left has three trials: fewer than four depend on their order."""
    left = make_front([make_trial(4.0, 2.0, seconds=1.3)] * 5, name="a")
    right = make_front([make_trial(4.0, 2.0)] * 4, name="b")
    comparison = compare([left], [right])
    volumes = comparison.indicators.hypervolume_at_equal_cost
    assert (volumes.left, volumes.right) == (None, None)
    labels = [row.label for row in comparison_rows(comparison)]
    assert "hypervolume at equal cost, bits²" not in labels


def test_equal_cost_includes_failed_trials(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """The seconds of a failed trial count towards the cost of its side."""
    trials = [*[make_trial(4.0, 2.0)] * 4, make_trial(1.0, 1.0)]
    failed = make_trial(status="failed", name="bad", seconds=2.0)
    left = make_front([*trials, failed], name="a")
    right = make_front([make_trial(4.0, 2.0, seconds=1.5)] * 4, name="b")
    assert compare([left], [right]).indicators.hypervolume_at_equal_cost.left == 6


def test_distance_to_the_exact_curve(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """(1, 2.5) lies 0.5 bits and (4, 0.25) 0.25 bits above the curve lost = max(3 − rate, 0)."""
    curve = ExactCurve(label="exact", rate_bits=(0, 3, 9), lost_bits=(3, 0, 0))
    left = make_front([make_trial(1.0, 2.5), make_trial(4.0, 0.25)], name="a", exact=curve)
    right = make_front([make_trial(1.0, 2.0)], name="b")
    comparison = compare([left], [right])
    assert comparison.exact == curve
    assert comparison.indicators.exact_gap_bits.left == pytest.approx(0.375)
    assert comparison.indicators.exact_gap_bits.right == pytest.approx(0)
    assert compare([right], [right]).indicators.exact_gap_bits.left is None


def test_several_seeds_give_p_value_intervals_and_attainment(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """If left is better for all five seeds, p is minimal and the attainment difference is 1."""

    def seeds(lost: float, name: str) -> Front:
        trials = [make_trial(1.0 + 0.01 * s, lost + 0.01 * s, seed=s) for s in range(5)]
        return make_front(trials, name=name)

    i = compare([seeds(1.0, "a")], [seeds(1.5, "b")]).indicators
    assert i.p_value == pytest.approx(2 / 252)
    assert i.attainment_difference == 1.0
    ratio, left = i.intervals["hypervolume_ratio"], i.intervals["hypervolume_left"]
    assert ratio is not None
    assert left is not None
    assert ratio.low > 1
    assert left.low < 9 * 2 == i.hypervolume.left


def test_labels_distinguish_the_sides(make_trial: MakeTrial, make_front: MakeFront) -> None:
    """The label of a side is its method.

    If both methods are equal, the label is the sweep's name; if both names are equal too, it is
    the name with the id. Labels that the caller passes take precedence.
    """
    trials = [make_trial(1.0, 1.0)]
    mib = make_front(trials, name="a", method="mib")
    vib = make_front(trials, name="b", method="vib")
    other_vib = make_front(trials, name="c", method="vib")

    def labels(comparison: Comparison) -> tuple[str, str]:
        return comparison.left.label, comparison.right.label

    assert labels(compare([mib], [vib, other_vib])) == ("mib", "vib")
    assert labels(compare([vib], [other_vib])) == ("b", "c")
    info = vib.sweep.model_copy(update={"id": "9a3a3dab00084ae5bfd402e7573cb8a4"})
    same_name = vib.model_copy(update={"sweep": info})
    assert labels(compare([vib], [same_name])) == ("b (b)", "b (9a3a3dab)")
    assert labels(compare([vib], [vib])) == ("b (b) (left)", "b (b) (right)")
    assert labels(compare([mib], [vib], labels=("x", "y"))) == ("x", "y")


def test_points_without_a_rate_are_listed_but_not_compared(
    make_trial: MakeTrial, make_front: MakeFront
) -> None:
    """A point without a rate is the last of its side, and neither dominated nor on the front."""
    left = make_front([make_trial(None, 0.0), make_trial(1.0, 1.0)], name="a")
    right = make_front([make_trial(2.0, 0.5)], name="b")
    last = compare([left], [right]).points[1]
    assert (last.rate_bits, last.on_front, last.dominated_by_other) == (None, False, False)


def test_a_comparison_is_equal_after_json(sides: tuple[Front, Front]) -> None:
    """Reading a comparison's JSON gives the same comparison."""
    comparison = compare([sides[0]], [sides[1]])
    assert Comparison.from_json(comparison.to_json()) == comparison
