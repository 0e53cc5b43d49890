"""The importance of fields, on trials whose measures are known functions of the fields."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from paretoib.fronts import build_front
from paretoib.records import Front, Importance, Metrics, ReferencePoint, SweepInfo, TrialRecord
from paretoib.search import field_importance

LENGTHS = ([64], [64, 64])


def front_of(points: list[tuple[dict[str, Any], float, float | None, float]]) -> Front:
    """A front whose trials have these fields, lost bits, rate and accuracy."""
    records = []
    for i, (fields, lost, rate, accuracy) in enumerate(points):
        metrics = Metrics(
            examples=100,
            rate_bits=rate,
            rate_lower_bits=None,
            rate_se_bits=None,
            relevance_bits=3 - lost,
            relevance_se_bits=0.0,
            ceiling_bits=3.0,
            lost_bits=lost,
            cross_entropy_bits=lost,
            accuracy=accuracy,
        )
        spec = {
            "model": {"hidden": fields.get("hidden", [64])},
            "weighting": {"name": "linear", "beta": fields.get("beta", 0.1)},
            "seed": fields.get("seed", 0),
        }
        records.append(
            TrialRecord(trial=f"{i:016x}", spec=spec, status="finished", test=metrics, seconds=1.0)
        )
    info = SweepInfo(id="0", name="n", method="vib", dataset="digits", status="finished", spec={})
    reference = ReferencePoint(rate_bits=30, lost_bits=3)
    return build_front(info, records, reference=reference, label_entropy_bits=3.0)


def grid(lost: Callable[..., float], rate: Callable[..., float]) -> Importance:
    """The importance in a grid of β, widths and seeds."""
    fields = [
        {"beta": 10.0**-exponent, "hidden": hidden, "seed": seed}
        for exponent in range(1, 7)
        for hidden in LENGTHS
        for seed in range(3)
    ]
    return field_importance(front_of([(f, lost(f), rate(f), 0.9) for f in fields]))


def test_a_measure_is_explained_by_the_fields_that_it_depends_on() -> None:
    """Each measure has its own shares, which sum to 1; the seed is a field."""
    found = grid(
        lost=lambda f: 0.3 * -math.log10(f["beta"]),
        rate=lambda f: 1.0 + 10 * len(f["hidden"]),
    )
    assert found.reason is None
    assert found.trials == 36
    assert found.shares["lost"]["weighting.beta"] > 0.95
    assert found.shares["rate"]["model.hidden"] > 0.95
    for shares in found.shares.values():
        assert set(shares) == {"weighting.beta", "model.hidden", "seed"}
        assert sum(shares.values()) == pytest.approx(1)
    # The accuracy and the seconds are equal for all trials, so that there is nothing to explain.
    assert set(found.shares) == {"rate", "lost"}
    assert [name for name, _ in found.rows][-1] == "seed"


def test_noise_of_the_seeds_is_the_share_of_the_seed() -> None:
    """Where only the seed matters, its share is largest."""
    found = grid(lost=lambda f: 0.5 + 0.1 * f["seed"], rate=lambda f: 1.0 + f["seed"])
    assert found.shares["lost"]["seed"] > 0.95


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([({"beta": 0.1 * (i + 1), "seed": i}, 1.0, 2.0, 0.5) for i in range(7)], "fewer than 8"),
        ([({"beta": 0.1 * (i + 1)}, 1.0, 2.0, 0.5) for i in range(20)], "fewer than two fields"),
        ([({"beta": 0.1 * (i + 1), "seed": i}, 1.0, None, 0.5) for i in range(20)], "fewer than 8"),
        ([], "fewer than 8"),
    ],
    ids=["few trials", "one field", "no finite rate", "no trial"],
)
def test_too_few_trials_or_fields_have_a_reason(points: list[Any], reason: str) -> None:
    """Without enough trials with a finite rate, or with one field, there are no shares."""
    found = field_importance(front_of(points))
    assert not found.shares
    assert reason in (found.reason or "")
