"""A β grid on Gaussian data reaches the exact curve and never exceeds it.

Chechik, Globerson, Tishby, Weiss 2005. Encoder and decoder are linear and Gaussian like the
optimum. VIB's β multiplies the rate and is the inverse of the paper's β.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from paretoib.data import DATASETS
from paretoib.data._exact import ExactIB, GaussianIB, gaussian, gaussian_ib
from paretoib.data._gaussian import covariances
from paretoib.fronts import hypervolume
from paretoib.records import Metrics
from paretoib.specs import with_overrides
from paretoib.training._run import run_trials

Array = NDArray[np.float64]

CORRELATIONS = next(p.default for p in DATASETS["gaussian"].params if p.name == "correlations")
SETTINGS = {
    "latent": 4,
    "epochs": 15,
    "batch_size": 256,
    "learning_rate": 0.02,
    "schedule": "exponential",
    "decay": 0.7,
}
# Equal steps in log(β/(1 − β)) place the exact points at rates from 0.2 to 17 bits.
ODDS = np.geomspace(0.003 / 0.997, 0.88 / 0.12, 16)
BETAS = ODDS / (1 + ODDS)


@pytest.fixture(scope="module")
def trained() -> list[Metrics]:
    """The test metrics of the trials for all β."""
    template = with_overrides({"method": "vib", "data": "gaussian"}, SETTINGS).template
    specs = [template.with_fields({"beta": float(beta)}) for beta in BETAS]
    records = run_trials(specs, device="cpu")
    return [record.test for record in records if record.test is not None]


@pytest.fixture(scope="module")
def curve(trained: list[Metrics]) -> ExactIB:
    """The exact curve up to a rate of ten times the ceiling."""
    ceiling = trained[0].ceiling_bits
    return gaussian({"correlations": CORRELATIONS}, ceiling, 10 * ceiling)


def points(trained: list[Metrics]) -> Array:
    """(rate, lost bits) of every trial, in bits."""
    return np.array([(m.rate_bits, m.lost_bits) for m in trained])


@pytest.fixture(scope="module")
def exact() -> GaussianIB:
    """The exact optima at the same β."""
    return gaussian_ib(*covariances(CORRELATIONS, 8, 0), list(1 / BETAS))


def test_the_grid_has_the_hypervolume_of_the_exact_solutions(
    trained: list[Metrics], exact: GaussianIB
) -> None:
    """The trials have at least 99 % of the hypervolume of the exact solutions at the same β.

    The hypervolume of 16 exact points is 2 % smaller than the area that the curve dominates,
    because a finite front is a staircase. Both sides of this comparison have 16 points.
    """
    assert len(trained) == len(BETAS)
    ceiling = trained[0].ceiling_bits
    rates, relevances = exact.rates / np.log(2), exact.relevances / np.log(2)
    exact_points = np.stack([rates, ceiling - relevances], axis=1)
    reference = (10 * ceiling, ceiling)
    assert hypervolume(points(trained), reference) >= 0.99 * hypervolume(exact_points, reference)


@pytest.mark.parametrize("multiple", [10.0, 3.0, 1.5])
def test_the_grid_has_the_hypervolume_of_points_on_the_curve(
    trained: list[Metrics], curve: ExactIB, multiple: float
) -> None:
    """The trials have at least 99 % of the hypervolume of points on the curve at equal rates.

    This also holds for reference points near the bend (rates of 3 and 1½ ceilings), where the
    trade-off contributes most of the volume.
    """
    rates = points(trained)[:, 0]
    ceiling = trained[0].ceiling_bits
    exact_points = np.stack([rates, ceiling - curve.relevance_at(rates)], axis=1)
    reference = (multiple * ceiling, ceiling)
    assert hypervolume(points(trained), reference) >= 0.99 * hypervolume(exact_points, reference)


def test_points_are_at_most_slightly_below_the_curve(
    trained: list[Metrics], curve: ExactIB
) -> None:
    """The relevance of every trial is at most 0.06 bits below the curve at the trial's rate."""
    rates, lost = points(trained).T
    exact_relevance = curve.relevance_at(rates)
    assert (curve.lost_bits[0] - lost > exact_relevance - 0.06).all()


def test_the_curve_is_never_exceeded(trained: list[Metrics], curve: ExactIB) -> None:
    """No trial is above the curve by more than four standard errors of its rate and relevance."""
    for metrics in trained:
        assert metrics.rate_bits is not None
        assert metrics.rate_se_bits is not None
        highest = curve.relevance_at(metrics.rate_bits + 4 * metrics.rate_se_bits)
        assert metrics.relevance_bits <= highest + 4 * metrics.relevance_se_bits


def test_beta_sets_the_rate(trained: list[Metrics], exact: GaussianIB) -> None:
    """The rate falls as β rises. For moderate β the rate is within 5 % of the exact rate."""
    rates = points(trained)[:, 0]
    assert (np.diff(rates) < 0).all()
    middle = (BETAS > 0.05) & (BETAS < 0.6)
    assert middle.sum() > 5
    np.testing.assert_allclose(rates[middle], exact.rates[middle] / np.log(2), rtol=0.05)
