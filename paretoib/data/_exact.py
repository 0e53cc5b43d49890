"""Exact information-bottleneck curves: the highest relevance of any code at each rate.

The Gaussian IB: Chechik, Globerson, Tishby and Weiss 2005, theorems 3.1 and 4.1. T is the code. As
in the paper, β multiplies the relevance: min I(X;T) − β I(T;Y). This β is the inverse of VIB's β.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paretoib.errors import SpecError

Array = NDArray[np.float64]
Curve = Callable[[Array], Array]


@dataclass(frozen=True)
class ExactIB:
    """An exact curve, sampled from rate 0 upwards; all numbers in bits.

    `lost_bits` is the relevance ceiling minus `relevance_bits`. `curve` computes the exact
    relevance for any array of rates.
    """

    label: str
    rate_bits: Array
    relevance_bits: Array
    lost_bits: Array
    curve: Curve = field(repr=False, compare=False)

    def relevance_at(self, rate_bits: ArrayLike) -> Array:
        """The highest relevance (bits) of any code at each rate (bits, at least 0)."""
        return self.curve(np.asarray(rate_bits, float))


def gaussian(params: Mapping[str, Any], ceiling_bits: float, max_rate_bits: float) -> ExactIB:
    """The curve of the data set `gaussian`, from its parameter `correlations`.

    Raises:
        SpecError: a correlation does not satisfy 0 < |ρ| < 1.
    """
    correlations = params["correlations"]
    check_correlations(correlations)
    kinks = _activation_rates(_sorted_lambdas(correlations)) / np.log(2)
    return _sampled(
        "exact curve (Gaussian IB)",
        lambda rate: gaussian_relevance(correlations, rate * np.log(2)) / np.log(2),
        ceiling_bits,
        max_rate_bits,
        kinks,
    )


def deterministic_labels(
    params: Mapping[str, Any],  # noqa: ARG001
    ceiling_bits: float,
    max_rate_bits: float,
) -> ExactIB:
    """min(rate, H(Y)): the curve for a Y that is a function of X (Kolchinsky et al. 2018).

    Labels of images are a function of X, because no image has two labels. `ceiling_bits` is H(Y).
    For several tasks, `ceiling_bits` is the sum of the tasks' entropies, so the curve assumes
    independent tasks.
    """
    return _sampled(
        "exact curve (deterministic labels)",
        lambda rate: np.minimum(rate, ceiling_bits),
        ceiling_bits,
        max_rate_bits,
        np.array([ceiling_bits]),
    )


def binary_labels(params: Mapping[str, Any], ceiling_bits: float, max_rate_bits: float) -> ExactIB:
    """The curve of the data set `binary12`: Y is a bit f(X), flipped with `label_noise`.

    Given f(X), Y does not depend on X, so the curve is that of f(X) and Y, a binary symmetric
    channel. `ceiling_bits` is I(X;Y) = H(Y) − h(δ); it determines the entropy of f(X).
    """
    flip = params.get("label_noise", 0.0)
    if not flip:
        return deterministic_labels(params, ceiling_bits, max_rate_bits)
    noise = _binary_entropy(np.array(flip))
    share = (_inverse_entropy(np.minimum(ceiling_bits + noise, 1)) - flip) / (1 - 2 * flip)
    entropy = _binary_entropy(share)
    return _sampled(
        "exact curve (flipped labels)",
        lambda rate: bsc_relevance(flip, rate, entropy),
        ceiling_bits,
        max_rate_bits,
        np.array([entropy]),
    )


def _sampled(
    label: str, curve: Curve, ceiling_bits: float, max_rate_bits: float, kinks: Array
) -> ExactIB:
    # Even spacing suits a linear axis, geometric spacing a logarithmic axis. The kinks of the curve
    # are added to both.
    even = np.linspace(0, max_rate_bits, 257)
    rate = np.concatenate([even, np.geomspace(1e-4, 1, 128) * max_rate_bits, kinks])
    rate = np.unique(rate[rate <= max_rate_bits])
    relevance = curve(rate)
    return ExactIB(label, rate, relevance, np.maximum(ceiling_bits - relevance, 0.0), curve)


def check_correlations(correlations: Sequence[float]) -> None:
    """Raise a SpecError unless 0 < |ρ| < 1 for every correlation ρ."""
    for rho in correlations:
        if not 0 < abs(rho) < 1:
            raise SpecError(f"`correlations` should each have 0 < |ρ| < 1; found `{rho}`")


def gaussian_information(correlations: Sequence[float]) -> float:
    """I(X;Y) in nats: −½ Σ ln(1 − ρ²)."""
    return float(-0.5 * np.log1p(-np.square(correlations)).sum())


def gaussian_relevance(correlations: Sequence[float], rate_nats: ArrayLike) -> Array:
    """I(T;Y) in nats of the best code T with I(X;T) = `rate_nats`.

    Each correlation ρ belongs to a mode: one direction of X and one of Y. A mode is active if the
    code uses it. With λ = 1 − ρ², an active mode has the rate r = ½ ln[(β − 1)(1 − λ)/λ]
    (water-filling) and the relevance ½ ln[1/(λ + (1 − λ) e^(−2r))].
    """
    lam = _sorted_lambdas(correlations)
    rate = np.asarray(rate_nats, float)[..., None]
    depth = 0.5 * np.log((1 - lam) / lam)
    active = np.searchsorted(_activation_rates(lam), rate[..., 0], side="right").clip(1)
    level = (rate[..., 0] - np.cumsum(depth)[active - 1]) / active
    mode_rates = np.where(np.arange(len(lam)) < active[..., None], level[..., None] + depth, 0.0)
    return -0.5 * np.log(lam + (1 - lam) * np.exp(-2 * mode_rates)).sum(-1)


def _sorted_lambdas(correlations: Sequence[float]) -> Array:
    return np.sort(1 - np.square(np.asarray(correlations, float)))


def _activation_rates(lam: Array) -> Array:
    """The total rate (nats) at which each mode becomes active, which is the rate at β = 1/(1 − λ).

    `lam` must be in ascending order.
    """
    depth = 0.5 * np.log((1 - lam) / lam)
    return np.cumsum(depth) - np.arange(1, len(lam) + 1) * depth


@dataclass(frozen=True)
class GaussianIB:
    """Exact solutions for each β: rates, relevances (nats), encoders (k, d_x) of k active modes.

    `eigenvalues` are the λ of Σ_{x|y} Σ_x⁻¹ in ascending order; mode i is active for
    β > 1/(1 − λ_i). The optimum is T = A x + ξ with an encoder A and standard normal noise ξ.
    """

    eigenvalues: Array
    rates: Array
    relevances: Array
    encoders: tuple[Array, ...]


def gaussian_ib(
    sigma_x: ArrayLike, sigma_y: ArrayLike, sigma_xy: ArrayLike, betas: Sequence[float]
) -> GaussianIB:
    """Solve min I(X;T) − β I(T;Y) from covariances (d_x, d_x), (d_y, d_y), (d_x, d_y)."""
    sigma_x, sigma_xy = np.asarray(sigma_x, float), np.asarray(sigma_xy, float)
    given_y = sigma_x - sigma_xy @ np.linalg.solve(np.asarray(sigma_y, float), sigma_xy.T)
    # With Σ_x = L Lᵀ and the eigenvectors w of L⁻¹ Σ_{x|y} L⁻ᵀ, the left eigenvectors of
    # Σ_{x|y} Σ_x⁻¹ are vᵀ with v = L⁻ᵀ w, and vᵀ Σ_x v = 1. `rows` holds the vᵀ.
    whiten = np.linalg.inv(np.linalg.cholesky(sigma_x))
    lam, w = np.linalg.eigh(whiten @ given_y @ whiten.T)
    rows = w.T @ whiten
    rates, relevances, encoders = [], [], []
    for beta in betas:
        active = beta * (1 - lam) > 1
        a = lam[active]
        rate = 0.5 * np.log((beta - 1) * (1 - a) / a).sum()
        rates.append(rate)
        relevances.append(rate - 0.5 * np.log(beta * (1 - a)).sum())
        encoders.append(np.sqrt((beta * (1 - a) - 1) / a)[:, None] * rows[active])
    return GaussianIB(lam, np.array(rates), np.array(relevances), tuple(encoders))


def bsc_relevance(flip: float, rate_bits: ArrayLike, entropy_bits: ArrayLike = 1.0) -> Array:
    """The highest relevance at rate r, H(Y) − h(δ ∗ h⁻¹(H(X) − r)) in bits, for a binary X.

    Y is X after a binary symmetric channel with flip probability δ. h is the binary entropy in
    bits, and a ∗ b = a (1 − b) + (1 − a) b. H(X) is `entropy_bits`; by default X is uniform. By Mrs
    Gerber's lemma (Wyner and Ziv 1973), H(Y|T) ≥ h(δ ∗ h⁻¹(H(X|T))), with equality if the
    probability of the likelier bit given T is the same for every T.
    """
    entropy = np.asarray(entropy_bits, float)

    def after_channel(bits: Array) -> Array:
        inverse = _inverse_entropy(bits)
        return _binary_entropy(flip * (1 - inverse) + (1 - flip) * inverse)

    rate = np.clip(np.asarray(rate_bits, float), 0, entropy)
    return after_channel(entropy) - after_channel(entropy - rate)


def bec_relevance(erasure: float, rate_bits: ArrayLike) -> Array:
    """The highest relevance at rate r ≤ 1, (1 − ε) r in bits, for a uniform binary X.

    Y is X after a binary erasure channel with erasure probability ε.
    """
    return (1 - erasure) * np.clip(np.asarray(rate_bits, float), 0, 1)


def _binary_entropy(p: Array) -> Array:
    q = np.stack([p, 1 - p])
    return -(q * np.log2(np.where(q > 0, q, 1.0))).sum(0)


def _inverse_entropy(entropy: Array) -> Array:
    """The p ≤ ½ with h(p) = `entropy`, by bisection."""
    low, high = np.zeros_like(entropy), np.full_like(entropy, 0.5)
    for _ in range(60):
        middle = (low + high) / 2
        below = _binary_entropy(middle) < entropy
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high
