"""The place of a measured encoder beside a front."""

from collections.abc import Callable
from typing import Any

import pytest

from paretoib.errors import ComparisonError
from paretoib.fronts import front_image, place
from paretoib.records import Front, Measurement

ENTROPY = 3.0  # of the fronts of `make_front`


def measurement(rate: float, lost: float, **fields: Any) -> Measurement:
    """A measured encoder at (rate, lost) in bits."""
    values: dict[str, Any] = {
        "examples": 100,
        "rate_inputs": 100,
        "rate_bits": rate,
        "rate_se_bits": 0.1,
        "rate_lower_bits": 0.9 * rate,
        "rate_lower_se_bits": 0.1,
        "rate_limit_bits": 6.6,
        "rate_saturated": False,
        "relevance_bits": ENTROPY - lost,
        "relevance_se_bits": 0.1,
        "label_entropy_bits": ENTROPY,
        "ceiling_bits": ENTROPY,
        "lost_bits": lost,
        "cross_entropy_bits": lost,
        "accuracy": 0.9,
        "accuracy_sampled": 0.9,
        "accuracy_se": 0.01,
        "classes": 8,
        "decoder": "linear",
        "folds": 5,
    }
    return Measurement(**values | fields)


@pytest.fixture
def front(make_trial: Callable[..., Any], make_front: Callable[..., Front]) -> Front:
    """A front with the hull (1, 2), (3, 1), (5, 0.5), and two trials that are not on the hull."""
    points = {"a": (1, 2), "b": (2, 1.8), "c": (3, 1), "d": (5, 0.5), "dominated": (4, 1.5)}
    trials = [make_trial(float(rate), float(lost), name=n) for n, (rate, lost) in points.items()]
    return make_front([*trials, make_trial(None, 0.1, name="noiseless")])


@pytest.mark.parametrize(
    ("rate", "lost", "dominated_by", "dominates", "gap"),
    [
        (2.5, 1.9, ("b",), (), 0.65),  # "a" has a lower rate, but loses more bits
        (3.5, 1.2, ("c",), (), 0.325),
        (3.0, 1.0, (), (), 0.0),
        (2.0, 1.2, (), ("b",), -0.3),
        (2.5, 0.9, (), ("c",), -0.35),
        (0.5, 2.5, (), (), None),
        (9.0, 0.7, ("d",), (), 0.2),
        (0.9, 0.4, (), ("a", "b", "c", "d"), None),
    ],
)
def test_dominance_and_gap_are_those_of_the_front(
    front: Front,
    rate: float,
    lost: float,
    dominated_by: tuple[str, ...],
    dominates: tuple[str, ...],
    gap: float | None,
) -> None:
    """Only trials on the front are named; the gap is vertical, and negative below the hull."""
    found = place(front, measurement(rate, lost))
    assert set(found.dominated_by) == set(dominated_by)
    assert set(found.dominates) == set(dominates)
    assert found.on_front == (not dominated_by)
    assert found.hull_gap_bits == (None if gap is None else pytest.approx(gap))
    assert (found.rate_bits, found.lost_bits) == (rate, pytest.approx(lost))


def test_other_data_are_refused(
    front: Front, make_trial: Callable[..., Any], make_front: Callable[..., Front]
) -> None:
    """The entropy of Y should agree within 0.01 bits, and both should have classes or none."""
    assert place(front, measurement(2.0, 1.0, label_entropy_bits=ENTROPY + 0.005))
    with pytest.raises(ComparisonError, match=r"found H\(Y\) = 2.9000 bits, and 3.0000 bits"):
        place(front, measurement(2.0, 1.0, label_entropy_bits=2.9))
    with pytest.raises(ComparisonError, match="found a continuous Y, and classes in `sweep`"):
        place(front, measurement(2.0, 1.0, classes=None))
    noiseless = make_front([make_trial(None, 0.1)])
    with pytest.raises(ComparisonError, match="finite rate; found none in `sweep`"):
        place(noiseless, measurement(2.0, 1.0))


def test_a_continuous_y_loses_bits_below_the_ceiling_of_the_sweep(front: Front) -> None:
    """A measurement without a ceiling takes that of the sweep."""
    points = [point.model_copy(update={"accuracy": None}) for point in front.points]
    continuous = front.model_copy(update={"points": tuple(points)})
    unknown = measurement(2.0, 1.2, classes=None, ceiling_bits=None, lost_bits=None)
    assert place(continuous, unknown).lost_bits == pytest.approx(1.2)


def test_a_star_in_the_picture_shows_the_encoder(front: Front) -> None:
    """The picture has a legend entry for the encoder, and shows it outside the range of the front.

    A picture of the front alone has neither.
    """
    found = place(front, measurement(30.0, 0.2))
    picture = front_image(front, "svg", measured=found).decode()
    alone = front_image(front, "svg").decode()
    assert "measured encoder" in picture
    assert "measured encoder" not in alone
    assert picture.count("<use") > alone.count("<use")
