"""The data set `gaussian` against its exact distribution."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from paretoib.data import DATASETS, Dataset
from paretoib.data._gaussian import covariances
from paretoib.errors import SpecError

RHO = (0.9, -0.6, 0.3)


def load(
    correlations: tuple[float, ...] = RHO,
    inputs: int = 5,
    samples: int = 100_000,
    split_seed: int = 0,
) -> Dataset:
    return DATASETS["gaussian"].load()(
        folder=None,
        correlations=correlations,
        inputs=inputs,
        samples=samples,
        split_seed=split_seed,
    )


def test_samples_have_the_exact_covariance() -> None:
    """The sample covariance is within four standard errors of the exact covariance."""
    data = load(split_seed=7)
    splits = (data.train, data.validation, data.test)
    samples = torch.cat([torch.cat([s.x, s.y], 1) for s in splits]).double().numpy()
    sigma_x, sigma_y, sigma_xy = covariances(RHO, 5, 7)
    exact = np.block([[sigma_x, sigma_xy], [sigma_xy.T, sigma_y]])
    error = np.sqrt((exact**2 + np.outer(np.diag(exact), np.diag(exact))) / len(samples))
    assert (np.abs(np.cov(samples.T) - exact) < 4 * error).all()
    assert [len(s) for s in splits] == [60_000, 20_000, 20_000]


def test_covariances_have_the_requested_canonical_correlations() -> None:
    """The singular values of the whitened cross-covariance are the |ρ|; X itself is not white."""
    sigma_x, sigma_y, sigma_xy = covariances(RHO, 5, 0)
    left, right = (np.linalg.inv(np.linalg.cholesky(s)) for s in (sigma_x, sigma_y))
    correlations = np.linalg.svd(left @ sigma_xy @ right.T, compute_uv=False)
    np.testing.assert_allclose(correlations, [0.9, 0.6, 0.3], rtol=1e-12)
    assert np.linalg.cond(sigma_x) == pytest.approx(9)
    assert np.abs(sigma_x - np.diag(np.diag(sigma_x))).max() > 0.1


def test_entropy_and_ceiling_are_exact() -> None:
    """In nats, the entropy h(Y) agrees with scipy, and the ceiling is I(X;Y) = −½ Σ ln(1 − ρ²)."""
    data = load()
    entropy, ceiling = data.entropies(data.test)
    _, sigma_y, _ = covariances(RHO, 5, 0)
    assert entropy == pytest.approx(multivariate_normal(cov=sigma_y).entropy(), rel=1e-12)
    assert ceiling == pytest.approx(-0.5 * sum(math.log(1 - r * r) for r in RHO), rel=1e-12)
    assert (data.classes, data.target_dim, data.shape) == (None, 3, (5,))


def test_split_seed_fixes_samples_and_mixing() -> None:
    """Equal seeds give equal data; different seeds give different mixings."""
    assert torch.equal(load(samples=100).train.x, load(samples=100).train.x)
    assert not np.allclose(covariances(RHO, 5, 0)[0], covariances(RHO, 5, 1)[0])


@pytest.mark.parametrize("rho", [0.0, 1.0, -1.0, 1.5, math.nan])
def test_a_correlation_out_of_range_is_refused(rho: float) -> None:
    """The error for an invalid ρ has the rule and the value."""
    with pytest.raises(SpecError, match=rf"0 < \|ρ\| < 1; found `{rho}`"):
        load(correlations=(0.5, rho))


def test_fewer_inputs_than_correlations_are_refused() -> None:
    """Fewer inputs than correlations are refused: each correlation needs a dimension of X."""
    with pytest.raises(SpecError, match=r"at least the number of `correlations`, 3; .*inputs = 2"):
        load(inputs=2)
