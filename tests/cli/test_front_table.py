"""The table of a front in the terminal."""

from collections.abc import Sequence

import pytest

from paretoib.cli import _tables
from paretoib.fronts import build_front
from paretoib.records import Front, Metrics, ReferencePoint, SweepInfo, TrialRecord

REFERENCE = ReferencePoint(rate_bits=10, lost_bits=3)


def front_at(points: Sequence[tuple[float, float, float]]) -> Front:
    """The front of trials at (rate, lost, β)."""
    records = [
        TrialRecord(
            trial=f"{rate}-{lost}",
            spec={"weighting": {"name": "linear", "beta": beta}, "seed": 0},
            status="finished",
            test=Metrics(
                examples=100,
                rate_bits=rate,
                rate_lower_bits=rate,
                rate_se_bits=0.1,
                relevance_bits=3.0 - lost,
                relevance_se_bits=0.1,
                ceiling_bits=3.0,
                lost_bits=lost,
                cross_entropy_bits=lost,
            ),
        )
        for rate, lost, beta in points
    ]
    info = SweepInfo(
        id="0" * 32, name="a", method="vib", dataset="digits", status="finished", spec={}
    )
    return build_front(info, records, reference=REFERENCE, label_entropy_bits=3.0)


def test_close_values_of_a_parameter_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """A column has as many digits as tell its values apart."""
    betas = (0.500001, 0.500002, 0.500003)
    _tables.front(front_at([(1.0 + i, 2.0 - i / 2, beta) for i, beta in enumerate(betas)]))
    printed = capsys.readouterr().out
    assert all(str(beta) in printed for beta in betas)


def test_a_hypervolume_of_0_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is that every point lies beyond the reference point."""
    _tables.front(front_at([(20.0, 1.0, 0.1), (30.0, 0.5, 0.01)]))
    assert (
        "Hypervolume 0: every point lies beyond the reference point at rate 10.00 and lost 3.00."
        in " ".join(capsys.readouterr().out.split())
    )
