"""The table of a front in the terminal."""

from collections.abc import Sequence

import pytest

from paretoib.cli import _tables
from paretoib.fronts import build_front
from paretoib.records import Front, Metrics, ReferencePoint, SweepInfo, TrialRecord

REFERENCE = ReferencePoint(rate_bits=10, lost_bits=3)


def front_at(
    points: Sequence[tuple[float, float, float]], *, seeds: int = 1, weighting: str = "linear"
) -> Front:
    """The front of trials at (rate, lost, β), with nearly equal results of all seeds."""
    records = [
        TrialRecord(
            trial=f"{rate}-{lost}-{seed}",
            spec={
                "weighting": {"name": weighting, "beta" if weighting == "linear" else "mu": beta},
                "seed": seed,
            },
            status="finished",
            test=Metrics(
                examples=100,
                rate_bits=rate + 0.001 * seed,
                rate_lower_bits=rate,
                rate_se_bits=0.1,
                relevance_bits=3.0 - lost,
                relevance_se_bits=0.1,
                ceiling_bits=3.0,
                lost_bits=lost - 0.001 * seed,
                cross_entropy_bits=lost,
            ),
        )
        for rate, lost, beta in points
        for seed in range(seeds)
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


DENTED = [(1.0, 2.0, 0.1), (2.0, 1.9, 0.2), (3.0, 1.0, 0.3)]
NOTE = "Column `β` is the weight of the training loss."


def printed_front(front: Front, capsys: pytest.CaptureFixture[str]) -> str:
    _tables.front(front)
    return " ".join(capsys.readouterr().out.split())


def test_a_gap_of_one_seed_may_be_noise(capsys: pytest.CaptureFixture[str]) -> None:
    """With one seed, the table gives the distance above the hull and does not say `none`."""
    printed = printed_front(front_at(DENTED), capsys)
    assert "+0.400 above hull 0.2" in printed
    assert "1 of them above its hull by 0.4 bits, which may be noise with so few seeds." in printed
    assert "none" not in printed
    assert "no β" not in printed


def test_a_gap_that_four_seeds_show_is_selected_by_no_beta(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With four seeds, the table has `none` with the interval of the gap."""
    printed = printed_front(front_at(DENTED, seeds=4), capsys)
    assert "none (+0.400 – 0.400)" in printed
    assert "above its hull by up to 0.4 bits, and no β selects 4 of them: the seeds" in printed


def test_a_trained_beta_that_does_not_select_its_point_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The note is printed if a β lies outside the column `selected by β`, and only then."""
    assert NOTE in printed_front(front_at(DENTED), capsys)
    # The slope between the two points is 0.5, so the left one has 0.5 – ∞ and the right 0 – 0.5.
    agreeing = [(1.0, 2.0, 0.6), (3.0, 1.0, 0.1)]
    assert NOTE not in printed_front(front_at(agreeing), capsys)
    assert NOTE not in printed_front(front_at(DENTED, weighting="mib"), capsys)
