"""The table of a front in the terminal."""

from collections.abc import Sequence

import pytest

from paretoib.cli import _tables
from paretoib.fronts import build_front
from paretoib.records import Front, Metrics, ReferencePoint, SweepInfo, TrialRecord

REFERENCE = ReferencePoint(rate_bits=10, lost_bits=3)


def front_at(
    points: Sequence[tuple[float, float, float]],
    *,
    seeds: int = 1,
    weighting: str = "linear",
    diverged: int = 0,
    **metrics: float,
) -> Front:
    """The front of trials at (rate, lost, β), with nearly equal results of all seeds.

    The first `diverged` trials diverged. `metrics` are further metrics of all trials.
    """
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
                **metrics,
            ),
        )
        for rate, lost, beta in points
        for seed in range(seeds)
    ]
    for i in range(diverged):
        changes = {"status": "diverged", "reason": "loss was not finite", "test": None}
        records[i] = records[i].model_copy(update=changes)
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


def printed_front(front: Front, capsys: pytest.CaptureFixture[str], *, trials: bool = False) -> str:
    _tables.front(front, trials=trials)
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
    front = front_at(DENTED, seeds=4)
    printed = printed_front(front, capsys)
    assert printed.count("none (+0.400 – 0.400)") == 1
    assert "1 of them above its hull by 0.4 bits, and no β selects it: the seeds show" in printed
    printed = printed_front(front, capsys, trials=True)
    assert "above its hull by up to 0.4 bits, and no β selects 4 of them: the seeds" in printed


def test_a_row_is_the_mean_of_a_setting_over_its_seeds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A row has means, half the widths of their intervals, and the number of seeds.

    The text has the hypervolumes of the means, of single seeds and of all trials. `trials` prints
    what one seed prints: a row for each trial on the front, with its seed.
    """
    front = front_at([(1.0, 2.0, 0.6), (3.0, 1.0, 0.1)], seeds=3)
    assert front.replicates is not None
    printed = printed_front(front, capsys)
    # The standard deviation of 0, 0.001 and 0.002 is 0.001, and Student's factor is 4.303.
    half_width = 4.303 * 0.001 / 3**0.5
    assert f"1.00 ± 0.00 1.00 1.000 1.999 ± {half_width:.3f} 0.5 – ∞ 3 0.6" in printed
    assert "2 of 2 settings are on the front of the means." in printed
    assert f"Hypervolume {front.replicates.hypervolume_of_means:.2f} bits²" in printed
    mean = sum(front.replicates.seed_hypervolumes) / 3
    assert f"The fronts of 3 single seeds have {mean:.2f} on average" in printed
    assert f"all trials together have {front.hypervolume:.2f}." in printed
    printed = printed_front(front, capsys, trials=True)
    assert "±" not in printed
    assert "6 of 6 trials are on the front" in printed
    assert "seed" in printed


def test_seeds_without_a_result_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """If a trial of a setting on the front diverged, the column `seeds` has both numbers."""
    printed = printed_front(front_at(DENTED, seeds=2, diverged=1), capsys)
    assert "1 of 2" in printed
    assert "2 of 2" in printed
    assert "1 trial has no result: loss was not finite" in printed


def test_a_trained_beta_that_does_not_select_its_point_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The note is printed if a β lies outside the column `selected by β`, and only then."""
    assert NOTE in printed_front(front_at(DENTED), capsys)
    # The slope between the two points is 0.5, so the left one has 0.5 – ∞ and the right 0 – 0.5.
    agreeing = [(1.0, 2.0, 0.6), (3.0, 1.0, 0.1)]
    assert NOTE not in printed_front(front_at(agreeing), capsys)
    assert NOTE not in printed_front(front_at(DENTED, weighting="mib"), capsys)


@pytest.mark.parametrize(("width", "tables"), [("120", 1), ("80", 2), ("60", 2)])
def test_the_accuracy_of_each_predictor_has_a_column(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: str, tables: int
) -> None:
    """The accuracies move to a second table with the rates if one table is too wide."""
    monkeypatch.setenv("COLUMNS", width)
    accuracies = {"accuracy": 0.972, "accuracy_sampled": 0.969, "accuracy_one_sample": 0.95}
    _tables.front(front_at(DENTED, **accuracies))
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if line.split()[:1] == ["rate"]]
    assert len(headings) == tables
    assert headings[-1].split()[1] == ("at" if tables == 1 else "accuracy")
    assert "accuracy  sampled  one sample" in headings[-1]
    assert sum("97.2 %   96.9 %      95.0 %" in line for line in lines) == len(DENTED)
    assert max(map(len, lines)) <= int(width)


def test_unknown_accuracies_have_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    """Records of older versions have no accuracy of one sample; a continuous Y has none at all."""
    _tables.front(front_at(DENTED, accuracy=0.972, accuracy_sampled=0.969))
    printed = capsys.readouterr().out
    assert "accuracy  sampled" in printed
    assert "one sample" not in printed
    _tables.front(front_at(DENTED))
    assert "accuracy" not in capsys.readouterr().out
