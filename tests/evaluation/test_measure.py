"""`measure`: rate and relevance of any encoder, against channels with known information."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.tree import DecisionTreeClassifier

from paretoib.errors import DataError
from paretoib.evaluation import _measurement, measure

Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(0)


def two_gaussians(rng: Rng, count: int = 2000) -> tuple[Any, Any]:
    """Means ±1 in one dimension for classes 1 and 0, and the classes."""
    labels = rng.integers(0, 2, count)
    return (2.0 * labels - 1)[:, None], labels


def two_gaussians_bits() -> float:
    """I(Y;Z) = I(X;Z) of `two_gaussians` with noise of scale 1, by quadrature of h(Z)."""

    def minus_p_log_p(z: float) -> float:
        p = (norm.pdf(z, 1) + norm.pdf(z, -1)) / 2
        return float(-p * math.log2(p)) if p > 0 else 0.0

    entropy, _ = quad(minus_p_log_p, -12, 12, limit=200)
    return float(entropy - norm.entropy() / math.log(2))


@pytest.mark.parametrize("decoder", ["linear", "mlp"])
def test_a_gaussian_channel_lies_between_the_bounds(rng: Rng, decoder: str) -> None:
    """X ~ N(0, I) in two dimensions, Z = X + noise, and Y = X₁ + noise: both are known exactly.

    The rate is Σ ½ log2(1 + 1/s²), and the relevance −½ log2(1 − ρ²) of Y and Z₁. The decoders can
    have the form of p(y|z), so their bounds are close to the truth.
    """
    s, t = 0.5, 0.5
    x = rng.standard_normal((2000, 2))
    y = x[:, :1] + t * rng.standard_normal((2000, 1))
    entropy = 0.5 * math.log2(2 * math.pi * math.e * (1 + t**2))
    found = measure(x, s, y, decoder=decoder, draws=2, label_entropy_bits=entropy)
    rate = math.log2(1 + 1 / s**2)
    assert found.rate_lower_bits - 3 * found.rate_lower_se_bits < rate
    assert rate < found.rate_bits + 3 * found.rate_se_bits
    assert found.rate_bits - found.rate_lower_bits < 0.1
    rho2 = 1 / ((1 + s**2) * (1 + t**2))
    assert found.relevance_bits == pytest.approx(-0.5 * math.log2(1 - rho2), abs=0.06)
    assert (found.classes, found.accuracy, found.ceiling_bits, found.lost_bits) == (None,) * 4


def test_an_estimated_entropy_of_y_agrees_with_the_known_entropy(rng: Rng) -> None:
    """By nearest neighbours, h(Y) of a Gaussian in two dimensions is right within 0.05 bits."""
    x = rng.standard_normal((3000, 2))
    y = x @ np.array([[2.0, 0.0], [1.0, 0.5]])
    estimated = measure(x, 0.5, y, ceiling_bits=10.0)
    known = math.log2(2 * math.pi * math.e)  # the determinant of the mixing is 1
    assert estimated.label_entropy_bits == pytest.approx(known, abs=0.05)
    assert estimated.lost_bits == pytest.approx(10 - estimated.relevance_bits)


def test_classes_in_gaussian_noise_lie_between_the_bounds(rng: Rng) -> None:
    """Both bounds on the rate, and the relevance, are I(Y;Z) of a binary Gaussian channel.

    X is known from Y alone, so the rate and the relevance are equal. A decoder that is not of the
    right form has a smaller relevance.
    """
    mean, labels = two_gaussians(rng)
    truth = two_gaussians_bits()
    found = measure(mean, 1.0, labels)
    for value, error in (
        (found.rate_bits, found.rate_se_bits),
        (found.rate_lower_bits, found.rate_lower_se_bits),
        (found.relevance_bits, found.relevance_se_bits),
    ):
        assert value == pytest.approx(truth, abs=3 * error)
        assert 0 < error < 0.03
    assert found.accuracy == 1.0  # at the mean latent
    assert found.accuracy_sampled == pytest.approx(norm.cdf(math.sqrt(12)), abs=0.01)
    assert (found.label_entropy_bits, found.lost_bits) == (
        pytest.approx(1, abs=0.01),
        pytest.approx(found.label_entropy_bits - found.relevance_bits),
    )
    stump = measure(mean, 1.0, labels, decoder=DecisionTreeClassifier(max_depth=1))
    assert stump.relevance_bits < found.relevance_bits - 0.05
    assert stump.decoder == "DecisionTreeClassifier"


@pytest.mark.parametrize("form", ["gaussian", "discrete"])
def test_a_deterministic_one_hot_code_has_the_entropy_of_y(rng: Rng, form: str) -> None:
    """For Z = Y as a one-hot vector, rate and relevance are H(Y), and no bit is lost."""
    labels = rng.integers(0, 8, 2000)
    one_hot = np.eye(8)[labels]
    found = (
        measure(one_hot, 1e-3, labels)
        if form == "gaussian"
        else measure(probabilities=one_hot, labels=labels)
    )
    entropy = found.label_entropy_bits
    assert entropy == pytest.approx(3, abs=0.01)
    assert found.rate_lower_bits == pytest.approx(entropy, abs=1e-6)
    assert entropy - 1e-6 <= found.rate_bits < entropy + 0.01
    assert entropy - 0.02 < found.relevance_bits <= entropy
    assert found.accuracy_sampled == 1.0
    assert not found.rate_saturated


def test_a_noisy_discrete_code_has_the_information_of_its_channel() -> None:
    """A bit that is flipped with probability 0.11 has a rate and a relevance of 1 − h(0.11)."""
    labels = np.tile([0, 1], 2000)
    flip = 0.11
    p = np.where(np.eye(2)[labels] > 0, 1 - flip, flip)
    truth = 1 + flip * math.log2(flip) + (1 - flip) * math.log2(1 - flip)
    found = measure(probabilities=p, labels=labels)
    assert found.rate_lower_bits == pytest.approx(truth, abs=1e-9)
    assert truth <= found.rate_bits < truth + 0.001
    assert found.relevance_bits == pytest.approx(truth, abs=0.01)
    assert found.rate_inputs == 4000


def test_samples_with_log_densities_agree_with_the_gaussian_form(rng: Rng) -> None:
    """A function and a matrix of log-densities give the bounds of the same Gaussian encoder.

    The function gets torch tensors if the samples are torch tensors.
    """
    mean, labels = rng.standard_normal((300, 3)), rng.integers(0, 3, 300)
    samples = mean + 0.3 * rng.standard_normal((4, 300, 3))
    kinds = set()

    def log_density(z: Any) -> Any:
        kinds.add(type(z))
        normal = torch.distributions.Normal(torch.from_numpy(mean), 0.3)
        return normal.log_prob(torch.as_tensor(z)[:, None]).sum(-1)

    by_function = measure(samples=samples, log_density=log_density, labels=labels)
    as_torch = measure(samples=torch.from_numpy(samples), log_density=log_density, labels=labels)
    matrix = log_density(samples[0])
    by_matrix = measure(samples=samples, log_density=matrix, labels=labels)
    assert by_function == by_matrix == as_torch
    assert kinds == {np.ndarray, torch.Tensor}
    gaussian = measure(mean, 0.3, labels)
    error = math.hypot(gaussian.rate_se_bits, by_matrix.rate_se_bits)
    assert by_matrix.rate_bits == pytest.approx(gaussian.rate_bits, abs=4 * error)
    assert by_matrix.rate_lower_bits == pytest.approx(gaussian.rate_lower_bits, abs=0.2)
    assert by_matrix.accuracy is None
    assert by_matrix.accuracy_sampled is not None


def test_a_fitted_marginal_never_uses_its_own_points(rng: Rng) -> None:
    """With few inputs of high dimension, the mean upper bound stays above the true rate.

    A Gaussian that is fitted to the same points would give a mean of about half the rate.
    """
    truth = 8 * math.log2(1 + 1 / 0.2**2)
    uppers = [
        measure(rng.standard_normal((40, 16)), 0.2, np.tile([0, 1], 20), draws=1).rate_bits
        for _ in range(20)
    ]
    assert np.mean(uppers) > truth - 3 * np.std(uppers) / math.sqrt(20)


def test_the_fitted_marginal_is_tight_where_the_others_are_not(rng: Rng) -> None:
    """The mean of a latent far from 0 costs no rate, because the Gaussian is fitted."""
    mean = 50 + 10 * rng.standard_normal((2000, 4))
    found = measure(mean, 0.1, np.tile([0, 1], 1000))
    truth = 2 * math.log2(1 + 100**2)
    assert found.rate_bits == pytest.approx(truth, abs=0.01 * truth)
    assert found.rate_saturated
    assert found.rate_lower_bits == pytest.approx(math.log2(2000), abs=1e-3)
    assert found.rate_limit_bits == math.log2(2000)


def test_labels_that_the_code_does_not_know_have_no_relevance(rng: Rng) -> None:
    """A decoder that saw the labels it predicts would find relevance in random labels."""
    found = measure(rng.standard_normal((200, 50)), 0.1, rng.integers(0, 2, 200))
    assert found.relevance_bits == 0
    assert found.accuracy is not None
    assert found.accuracy < 0.65
    assert found.cross_entropy_bits > found.label_entropy_bits


def test_predictions_replace_the_decoder(rng: Rng) -> None:
    """Probabilities, their logarithms and −log q give the same relevance, that of the channel."""
    mean, labels = two_gaussians(rng)
    z = mean + rng.standard_normal((3, *mean.shape))
    ones = 1 / (1 + np.exp(-2 * z[..., 0]))
    q = np.stack([1 - ones, ones], axis=-1)
    nll = -np.log(q[:, np.arange(2000), labels])
    forms = {
        "probabilities": q,
        "logarithms": np.log(q),
        "torch": torch.from_numpy(q).float(),
        "−log q": nll.mean(0),
    }
    found = {name: measure(mean, 1.0, labels, predictions=form) for name, form in forms.items()}
    for result in found.values():
        assert result.relevance_bits == pytest.approx(found["−log q"].relevance_bits, abs=1e-5)
        assert (result.decoder, result.folds, result.classes) == ("predictions", None, 2)
    exact = found["probabilities"]
    assert exact.relevance_bits == pytest.approx(
        two_gaussians_bits(), abs=3 * exact.relevance_se_bits
    )
    assert exact.accuracy is None
    assert exact.accuracy_sampled == pytest.approx(norm.cdf(math.sqrt(3)), abs=0.02)
    one = measure(mean, 1.0, labels, predictions=q[0])
    assert one.accuracy_sampled == pytest.approx(norm.cdf(1), abs=0.02)


def test_many_inputs_are_chosen_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more inputs than the limit, a random part is used, although arrays may be sorted."""
    monkeypatch.setattr(_measurement, "RATE_INPUTS", 200)
    labels = np.repeat([0, 1], 1000)
    found = measure((2.0 * labels - 1)[:, None], 0.1, labels)
    assert found.rate_inputs == 200
    assert found.rate_bits == pytest.approx(1, abs=0.1)


def test_noise_is_independent_of_data_from_the_same_seed() -> None:
    """If the means come from `default_rng(0)`, the rate is still the true one."""
    mean = np.random.default_rng(0).standard_normal((1000, 2))
    found = measure(mean, 0.5, np.tile([0, 1], 500), seed=0)
    assert found.rate_bits == pytest.approx(math.log2(5), abs=4 * found.rate_se_bits)


def test_equal_arguments_give_equal_results(rng: Rng) -> None:
    """The seed fixes samples, folds and decoder; another seed gives other samples."""
    mean, labels = two_gaussians(rng, 200)
    assert measure(mean, 1.0, labels) == measure(mean.tolist(), [1.0], labels.tolist())
    assert measure(mean, 1.0, labels, seed=1) != measure(mean, 1.0, labels)


def test_rare_classes_keep_the_relevance_finite(rng: Rng) -> None:
    """A class with one example is unknown to the decoder that predicts it, and costs a few bits."""
    mean, labels = two_gaussians(rng, 400)
    labels[0] = 7
    found = measure(mean, 0.1, labels)
    assert found.classes == 3
    assert 0.8 < found.relevance_bits < found.label_entropy_bits


MEAN, LABELS = np.zeros((20, 2)), np.arange(20) % 2
SAMPLES = np.random.default_rng(1).standard_normal((2, 20, 2))
PAIRS = np.zeros((20, 20))


def with_value(array: Any, value: float) -> Any:
    changed = np.array(array, float)
    changed.flat[7] = value
    return changed


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: measure(MEAN, 1.0), "labels: should be given"),
        (lambda: measure(labels=LABELS), "found none of them"),
        (lambda: measure(MEAN, labels=LABELS), "found mean$"),
        (
            lambda: measure(MEAN, 1.0, LABELS, probabilities=MEAN),
            "found mean, scale, probabilities",
        ),
        (lambda: measure(MEAN[0], 1.0, LABELS), r"mean: .*shape \(N, K\); found \(2,\)"),
        (
            lambda: measure(MEAN, np.ones(3), LABELS),
            r"scale: .*\(20, 2\) or \(2\) or \(\); found \(3,\)",
        ),
        (lambda: measure(with_value(MEAN, math.nan), 1, LABELS), r"mean: .*found nan at \[3, 1\]"),
        (lambda: measure(MEAN, with_value(MEAN + 1, 0), LABELS), "above 0; found 0: an encoder"),
        (lambda: measure(MEAN, -1.0, LABELS), "above 0; found -1"),
        (lambda: measure([["a"]], 1.0, LABELS), "mean: should be an array of numbers"),
        (lambda: measure([[1.0], [1.0, 2.0]], 1.0, LABELS), "mean: should be an array of numbers"),
        (lambda: measure(MEAN, 1.0, LABELS[:5]), r"labels: should have shape \(20\)"),
        (lambda: measure(MEAN, 1.0, LABELS - 1), "labels: should be classes from 0; found -1"),
        (lambda: measure(MEAN, 1.0, LABELS * 0), "labels: .*two or more classes"),
        (lambda: measure(MEAN, 1.0, LABELS * 1.0), r"labels.astype\(int\)"),
        (lambda: measure(MEAN, 1.0, np.stack([LABELS] * 2, 1)), "each task on its own"),
        (lambda: measure(MEAN[:8], 1.0, LABELS[:8]), "examples: should be 10 or more.*found 8"),
        (lambda: measure(MEAN, 1.0, LABELS, folds=1), "folds: should be 2 or more; found 1"),
        (lambda: measure(MEAN, 1.0, LABELS, draws=0), "draws: should be 1 or more; found 0"),
        (
            lambda: measure(MEAN, 1.0, np.eye(20)[0].astype(int)),
            "two or more classes should have two or more examples",
        ),
        (lambda: measure(MEAN, 1.0, LABELS, decoder="tree"), "`linear`, `mlp` or an estimator"),
        (lambda: measure(MEAN, 1.0, LABELS, decoder=3), "with `fit` and `predict_proba`; found 3"),
        (lambda: measure(MEAN, 1.0, LABELS, ceiling_bits=1.0), "ceiling_bits: .*continuous Y"),
        (lambda: measure(MEAN, 1.0, MEAN), "occur more than 3 times"),
        (
            lambda: measure(MEAN, 1.0, LABELS, predictions=np.ones((20, 2))),
            "sum to 1; found 2",
        ),
        (
            lambda: measure(MEAN, 1.0, LABELS, predictions=np.tile([3.0, -2.0], (20, 1))),
            "from -2 to 3: apply `softmax`",
        ),
        (
            lambda: measure(MEAN, 1.0, LABELS, predictions=np.ones((20, 1))),
            "labels: should be below 1, .*found 1",
        ),
        (
            lambda: measure(MEAN, 1.0, LABELS, predictions=np.eye(2)[1 - LABELS]),
            "probability above 0; found 0 for 20 examples",
        ),
        (
            lambda: measure(MEAN, 1.0, LABELS, predictions=-np.ones(20)),
            "of classes should be 0 or more; found -1",
        ),
        (
            lambda: measure(MEAN, 1.0, LABELS, predictions=np.ones(5)),
            r"predictions: .*found \(5,\)",
        ),
        (
            lambda: measure(probabilities=np.ones((20, 2)), labels=LABELS),
            "probabilities: .*sum to 1; found 2",
        ),
        (
            lambda: measure(samples=SAMPLES[0], log_density=PAIRS, labels=LABELS),
            r"samples: .*\(S, N, K\); found \(20, 2\)",
        ),
        (
            lambda: measure(samples=np.zeros((1, 20, 2)), log_density=PAIRS, labels=LABELS),
            "found 1 different samples of 20 inputs: give a discrete code",
        ),
        (
            lambda: measure(samples=SAMPLES, log_density=PAIRS[:5], labels=LABELS),
            r"log_density: should have shape \(20, 20\); found \(5, 20\)",
        ),
        (
            lambda: measure(samples=SAMPLES, log_density=lambda z: z, labels=LABELS),
            r"log_density: should have shape \(20, 20\); found \(20, 2\)",
        ),
        (
            lambda: measure(samples=SAMPLES, log_density=PAIRS - np.inf, labels=LABELS),
            "should be finite; found -inf",
        ),
        (
            lambda: measure(samples=SAMPLES, log_density=with_value(PAIRS, np.nan), labels=LABELS),
            "log_density: should have no NaN",
        ),
    ],
)
def test_wrong_input_is_refused(call: Callable[[], Any], text: str) -> None:
    """The error has the name of the argument, the rule and the value found."""
    with pytest.raises(DataError, match=text):
        call()
