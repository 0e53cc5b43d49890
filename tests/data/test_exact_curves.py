"""Exact curves against independent solutions. T stands for the latent, elsewhere called Z."""

import dit
import numpy as np
import pytest
from dit.rate_distortion import InformationBottleneck

from paretoib.data import DATASETS
from paretoib.data._exact import (
    ExactIB,
    bec_relevance,
    binary_labels,
    bsc_relevance,
    deterministic_labels,
    gaussian,
    gaussian_ib,
    gaussian_information,
    gaussian_relevance,
)
from paretoib.data._gaussian import covariances

RHO = (0.95, -0.8, 0.6, 0.3)
BETAS = (1.05, 1.12, 1.5, 2.0, 3.0, 5.0, 12.0, 100.0, 1e4)


def curve(max_rate_bits: float = 30.0) -> ExactIB:
    bits = gaussian_information(RHO) / np.log(2)
    return gaussian({"correlations": RHO, "inputs": 8}, bits, max_rate_bits)


def test_canonical_curve_agrees_with_the_general_solver() -> None:
    """Solutions from covariances lie on the curve from canonical correlations."""
    solution = gaussian_ib(*covariances(RHO, 8, 3), BETAS)
    np.testing.assert_allclose(
        gaussian_relevance(RHO, solution.rates), solution.relevances, atol=1e-12
    )
    bits = solution.rates / np.log(2)
    np.testing.assert_allclose(
        curve().relevance_at(bits) * np.log(2), solution.relevances, atol=1e-12
    )


def test_eigenvalues_are_one_less_squared_correlations() -> None:
    """The eigenvalues are 1 − ρ² for each correlation ρ, and 1 for directions independent of Y."""
    eigenvalues = gaussian_ib(*covariances(RHO, 6, 1), BETAS).eigenvalues
    np.testing.assert_allclose(eigenvalues, [0.0975, 0.36, 0.64, 0.91, 1, 1], atol=1e-12)


def test_optimal_encoders_reach_their_rate_and_relevance() -> None:
    """The determinants of T's covariances give the rate and relevance of the solution."""
    sigma_x, sigma_y, sigma_xy = covariances(RHO, 8, 3)
    given_y = sigma_x - sigma_xy @ np.linalg.inv(sigma_y) @ sigma_xy.T
    solution = gaussian_ib(sigma_x, sigma_y, sigma_xy, BETAS)
    for rate, relevance, a in zip(
        solution.rates, solution.relevances, solution.encoders, strict=True
    ):
        unit = np.eye(len(a))
        i_x = np.linalg.slogdet(a @ sigma_x @ a.T + unit).logabsdet / 2
        i_y = i_x - np.linalg.slogdet(a @ given_y @ a.T + unit).logabsdet / 2
        np.testing.assert_allclose([i_x, i_y], [rate, relevance], atol=1e-9)


@pytest.mark.parametrize("i", range(4))
def test_the_encoder_gets_a_row_at_the_beta_of_each_eigenvalue(i: int) -> None:
    """The encoder has a row for eigenvalue λ_i just above β = 1/(1 − λ_i), but not just below."""
    threshold = 1 / RHO[i] ** 2
    below, above = gaussian_ib(
        *covariances(RHO, 8, 0), [threshold * 0.999, threshold * 1.001]
    ).encoders
    assert (len(below), len(above)) == (i, i + 1)


def test_random_encoders_are_not_above_the_gaussian_curve() -> None:
    """Linear encoders with noise, some of them near an optimum, lie on or below the curve."""
    rng = np.random.default_rng(0)
    sigma_x, sigma_y, sigma_xy = covariances(RHO, 8, 0)
    given_y = sigma_x - sigma_xy @ np.linalg.inv(sigma_y) @ sigma_xy.T
    best = gaussian_ib(sigma_x, sigma_y, sigma_xy, [3.0]).encoders[0]
    gaps = []
    for _ in range(300):
        near = best + 10 ** rng.uniform(-4, 0) * rng.standard_normal(best.shape)
        a = near * 10 ** rng.uniform(-1, 1, (len(best), 1))
        unit = np.eye(len(a))
        rate = np.linalg.slogdet(a @ sigma_x @ a.T + unit).logabsdet / 2
        relevance = rate - np.linalg.slogdet(a @ given_y @ a.T + unit).logabsdet / 2
        gaps.append(gaussian_relevance(RHO, rate) - relevance)
    assert min(gaps) > -1e-9


def test_slope_of_the_gaussian_curve_is_the_inverse_of_beta() -> None:
    """Along the curve dI(T;Y)/dI(X;T) = 1/β."""
    solution = gaussian_ib(*covariances(RHO, 8, 0), [1.2, 2.5, 6.0, 50.0])
    step = 1e-5
    rise = gaussian_relevance(RHO, solution.rates + step) - gaussian_relevance(
        RHO, solution.rates - step
    )
    np.testing.assert_allclose(rise / (2 * step), [1 / 1.2, 0.4, 1 / 6, 0.02], rtol=1e-5)


def test_gaussian_curve_rises_concavely_from_zero_to_the_ceiling() -> None:
    """Relevance is increasing, concave and at most the rate; lost bits fall to almost 0."""
    exact = curve()
    slopes = np.diff(exact.relevance_bits) / np.diff(exact.rate_bits)
    assert exact.rate_bits[0] == exact.relevance_bits[0] == 0
    assert exact.rate_bits[-1] == 30
    assert (slopes > 0).all()
    assert (np.diff(slopes) < 1e-9).all()
    assert (exact.relevance_bits <= exact.rate_bits).all()
    assert (exact.lost_bits >= 0).all()
    assert exact.lost_bits[-1] < 1e-3
    np.testing.assert_allclose(
        exact.lost_bits + exact.relevance_bits, gaussian_information(RHO) / np.log(2), atol=1e-12
    )


def test_one_correlation_follows_the_scalar_formula() -> None:
    """For a single ρ, I(T;Y) = −½ ln(1 − ρ² (1 − e^(−2 rate)))."""
    rate = np.array([0.0, 0.1, 1.0, 5.0])
    expected = -0.5 * np.log(1 - 0.64 * (1 - np.exp(-2 * rate)))
    np.testing.assert_allclose(gaussian_relevance((0.8,), rate), expected, atol=1e-14)


def test_equal_correlations_share_the_rate() -> None:
    """Each of two equal correlations gets half of the rate."""
    np.testing.assert_allclose(
        gaussian_relevance((0.7, 0.7), 3.0), 2 * gaussian_relevance((0.7,), 1.5), atol=1e-14
    )


def test_the_curve_of_deterministic_labels_is_the_rate_up_to_the_entropy() -> None:
    """Relevance is min(rate, H(Y)), and one point of the curve is at the corner."""
    exact = deterministic_labels({}, 3.3, 33.0)
    np.testing.assert_array_equal(exact.relevance_at([0, 1.2, 3.3, 20]), [0, 1.2, 3.3, 3.3])
    assert 3.3 in exact.rate_bits
    np.testing.assert_array_equal(exact.lost_bits, np.maximum(3.3 - exact.rate_bits, 0))


def test_entries_name_the_exact_curve() -> None:
    """`gaussian` and `binary12` have their own curves, and `mtfl` and `npz` have none.

    All others have `deterministic_labels`.
    """
    names = {name: entry.exact.partition(":")[2] for name, entry in DATASETS.items()}
    assert names.pop("gaussian") == gaussian.__name__
    assert names.pop("binary12") == binary_labels.__name__
    assert names.pop("mtfl") == names.pop("npz") == ""
    assert set(names.values()) == {deterministic_labels.__name__}


def solve(pmf: list[float], outcomes: list[str], beta: float) -> tuple[float, float]:
    """(rate, relevance) in bits by dit's solver for min I(X;T) − β I(T;Y)."""
    np.random.seed(0)  # dit uses numpy's global generator
    solver = InformationBottleneck(dit.Distribution(outcomes, pmf), beta=beta)
    solver.optimize(niter=5)
    joint = solver.construct_joint(solver._optima)
    return float(solver.complexity(joint)), float(solver.relevance(joint))


@pytest.mark.parametrize("beta", [1.8, 2.5, 4.0])
def test_binary_symmetric_channel_agrees_with_a_solver(beta: float) -> None:
    """Above β = 1/(1 − 2δ)² the solver's point is on the curve, at a slope of 1/β."""
    rate, relevance = solve([0.45, 0.05, 0.05, 0.45], ["00", "01", "10", "11"], beta)
    assert 0.05 < rate < 1
    assert relevance == pytest.approx(float(bsc_relevance(0.1, rate)), abs=1e-5)
    slope = (bsc_relevance(0.1, rate + 1e-5) - bsc_relevance(0.1, rate - 1e-5)) / 2e-5
    assert slope == pytest.approx(1 / beta, abs=2e-3)


@pytest.mark.parametrize("beta", [2.2, 4.0])
def test_the_channel_of_an_unbalanced_bit_agrees_with_a_solver(beta: float) -> None:
    """The solver's point for P(X = 1) = 0.3 is on the curve of this bit."""
    entropy = -0.3 * np.log2(0.3) - 0.7 * np.log2(0.7)
    rate, relevance = solve([0.63, 0.07, 0.03, 0.27], ["00", "01", "10", "11"], beta)
    assert 0.05 < rate < entropy
    assert relevance == pytest.approx(float(bsc_relevance(0.1, rate, entropy)), abs=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_flipped_labels_have_the_curve_of_a_binary_channel(share: float) -> None:
    """From I(X;Y) alone, the curve of flipped labels rises to I(X;Y) at the entropy of f(X).

    Without noise, the curve is that of deterministic labels.
    """

    def h(p: float) -> float:
        return float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))

    flipped = 0.9 * share + 0.1 * (1 - share)
    ceiling = h(flipped) - h(0.1)
    exact = binary_labels({"label_noise": 0.1}, ceiling, 10.0)
    rates = np.linspace(0, 3, 50)
    np.testing.assert_allclose(
        exact.relevance_at(rates), bsc_relevance(0.1, rates, h(share)), atol=1e-9
    )
    assert exact.relevance_bits.max() == pytest.approx(ceiling)
    assert float(exact.relevance_at(h(share))) == pytest.approx(ceiling)
    assert float(exact.relevance_at(0.9 * h(share))) < ceiling - 0.01
    assert (np.diff(exact.relevance_bits) >= -1e-12).all()
    plain = binary_labels({"labels": "sphere"}, ceiling, 10.0)
    np.testing.assert_array_equal(plain.relevance_at(rates), np.minimum(rates, ceiling))


def test_binary_symmetric_channel_has_a_smallest_beta() -> None:
    """The slope at rate 0 is (1 − 2δ)²; below β = 1/(1 − 2δ)² the solver's rate is 0."""
    assert bsc_relevance(0.1, 1e-6) / 1e-6 == pytest.approx(0.64, rel=1e-3)
    rate, _ = solve([0.45, 0.05, 0.05, 0.45], ["00", "01", "10", "11"], 1.5)
    assert rate == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("beta", "expected"), [(1.2, 0.0), (1.6, 1.0)])
def test_binary_erasure_channel_jumps_at_its_beta(beta: float, expected: float) -> None:
    """The curve is straight: the solver's rate is 0 below β = 1/(1 − ε) and 1 bit above."""
    outcomes = ["00", "0e", "1e", "11"]
    rate, relevance = solve([0.375, 0.125, 0.125, 0.375], outcomes, beta)
    assert rate == pytest.approx(expected, abs=1e-3)
    assert relevance == pytest.approx(float(bec_relevance(0.25, rate)), abs=1e-4)
