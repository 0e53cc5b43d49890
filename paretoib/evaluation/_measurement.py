"""`measure`: rate and relevance of any encoder, from arrays."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from paretoib.errors import DataError
from paretoib.evaluation._arrays import (
    as_labels,
    as_numbers,
    check_rows_sum_to_1,
    check_shape,
)
from paretoib.evaluation._decoders import Decoded, DecoderName, cross_fitted, differential_entropy
from paretoib.evaluation._latents import (
    DiscreteLatents,
    GaussianLatents,
    Latents,
    LogDensity,
    SampledLatents,
    generator,
)
from paretoib.evaluation._limits import RATE_INPUTS, SAMPLES
from paretoib.evaluation._relevance import relevance_bound, relevance_error
from paretoib.records import Measurement

SATURATED_BITS = 1.0  # distance to log2 N below which the lower bound on the rate is saturated


def measure(
    mean: Any = None,
    scale: Any = None,
    labels: Any = None,
    *,
    samples: Any = None,
    log_density: LogDensity | Any = None,
    probabilities: Any = None,
    predictions: Any = None,
    decoder: DecoderName | Any = "linear",
    folds: int = 5,
    draws: int = SAMPLES,
    seed: int = 0,
    label_entropy_bits: float | None = None,
    ceiling_bits: float | None = None,
) -> Measurement:
    """Measure the rate I(X;Z) and the relevance I(Y;Z) of an encoder on N held-out examples.

    Arrays are NumPy arrays, lists or torch tensors. p(z|x) is given in one of three forms:

    - `mean` (N, K) and `scale`: N(mean, diag scale²), with standard deviations (N, K), (K,) or one
      number;
    - `samples` (S, N, K) with `log_density`: a function from B latents (B, K) to log p(z_b|x_j) in
      nats for all N inputs, (B, N); or the matrix (N, N) of log p(z_i|x_j) for the first sample z_i
      of each input;
    - `probabilities` (N, S): a discrete code with S states.

    The rate is between two bounds (`rate_bounds`). The upper bound is the smallest of the
    leave-one-out mixture, a standard normal prior, and a Gaussian with full covariance. This
    Gaussian is cross-fitted: log q(z_i) comes from a Gaussian that is fitted without the fold of
    x_i. For more than 4 096 inputs, the bounds use a random choice of 4 096, except for a discrete
    code.

    The relevance H(Y) − E[−log q(y|z)] is a lower bound that depends on the decoder q: a better
    decoder gives a larger value. Without `predictions`, a decoder is cross-fitted.

    Args:
        labels: integers (N,), or floats (N, d) for a continuous Y.
        predictions: q(y|z) at samples of z: probabilities or their logarithms, (N, C) or
            (S, N, C); or −log q(y|z) in nats, (N,). Predictions that are averaged over samples, or
            made at the mean, belong to I(X;Y) or to another code, and may exceed I(Y;Z).
        decoder: "linear" (logistic or ridge regression), "mlp" (one hidden layer of 128 units), or
            an estimator of scikit-learn.
        folds: number of folds of the cross-fitting.
        draws: samples of z for each input, unless `samples` are given.
        seed: seed of samples, folds and decoder.
        label_entropy_bits: h(Y) of a continuous Y in bits. By default, h(Y) is estimated by nearest
            neighbours, and the relevance is an estimate, no bound.
        ceiling_bits: I(X;Y) of a continuous Y in bits, if it is known; `lost_bits` needs it.

    Raises:
        DataError: a shape does not match, a value is not finite, a scale is not positive, a label
            is out of range, there are too few examples, or an argument is missing.
    """
    latents = _latents(mean, scale, samples, log_density, probabilities, draws, seed)
    if labels is None:
        raise DataError("labels: should be given; found none")
    y = as_labels(labels, latents.count)
    _check_counts(y, folds)
    rng = generator(seed, latents.draws)
    fold_of = _folds(y, folds, rng)
    count = latents.count
    inputs = np.sort(rng.choice(count, min(count, RATE_INPUTS), replace=False))
    bounds, rate_inputs = latents.rate(inputs, fold_of)
    entropy, ceiling = _entropies(y, label_entropy_bits, ceiling_bits)
    name: str = decoder if isinstance(decoder, str) else type(decoder).__name__
    if predictions is None:
        classes, numbered = np.unique(y, return_inverse=True) if y.ndim == 1 else (None, y)
        decoded = cross_fitted(latents, numbered, fold_of, decoder, seed)
        number = None if classes is None else len(classes)
    else:
        decoded, number = _given(predictions, y)
        name = "predictions"
    nll = torch.from_numpy(decoded.nll)[None]
    relevance = float(relevance_bound(nll, entropy, math.inf if ceiling is None else ceiling))
    hits = decoded.hits if decoded.hits_at_mean is None else decoded.hits_at_mean
    limit = math.log(rate_inputs)

    def bits(nats: float | torch.Tensor) -> float:
        return float(nats) / math.log(2)

    return Measurement(
        examples=count,
        rate_inputs=rate_inputs,
        rate_bits=bits(bounds.upper),
        rate_se_bits=bits(bounds.error),
        rate_lower_bits=bits(bounds.lower),
        rate_lower_se_bits=bits(bounds.lower_error),
        rate_limit_bits=bits(limit),
        rate_saturated=bits(limit - float(bounds.lower)) < SATURATED_BITS,
        relevance_bits=bits(relevance),
        relevance_se_bits=bits(relevance_error(nll)),
        label_entropy_bits=bits(entropy),
        ceiling_bits=None if ceiling is None else bits(ceiling),
        lost_bits=None if ceiling is None else bits(max(0.0, ceiling - relevance)),
        cross_entropy_bits=bits(decoded.nll.mean()),
        accuracy=_share(decoded.hits_at_mean),
        accuracy_sampled=_share(decoded.hits),
        accuracy_se=None if hits is None else float(hits.std(ddof=1)) / math.sqrt(count),
        classes=number,
        decoder=name,
        folds=folds if predictions is None else None,
    )


def _latents(
    mean: Any,
    scale: Any,
    samples: Any,
    log_density: Any,
    probabilities: Any,
    draws: int,
    seed: int,
) -> Latents:
    """The encoder, in the one form that is given."""
    given = {
        "mean": mean,
        "scale": scale,
        "samples": samples,
        "log_density": log_density,
        "probabilities": probabilities,
    }
    names = [name for name, value in given.items() if value is not None]
    if draws < 1:
        raise DataError(f"draws: should be 1 or more; found {draws}")
    if names == ["mean", "scale"]:
        return GaussianLatents(mean, scale, draws, seed)
    if names == ["samples", "log_density"]:
        return SampledLatents(samples, log_density)
    if names == ["probabilities"]:
        return DiscreteLatents(probabilities, draws, seed)
    raise DataError(
        "an encoder should be given as `mean` and `scale`, as `samples` and `log_density`, or as "
        f"`probabilities`; found {', '.join(names) or 'none of them'}"
    )


def _check_counts(y: NDArray[Any], folds: int) -> None:
    if folds < 2:
        raise DataError(f"folds: should be 2 or more; found {folds}")
    if len(y) < 2 * folds:
        raise DataError(
            f"examples: should be {2 * folds} or more, two for each of {folds} folds; "
            f"found {len(y)}"
        )
    if y.ndim == 1 and np.sort(np.unique(y, return_counts=True)[1])[-2] < 2:
        raise DataError(
            "labels: two or more classes should have two or more examples, so that each fit sees "
            "two classes; found one such class"
        )


def _folds(y: NDArray[Any], folds: int, rng: np.random.Generator) -> Int[np.ndarray, " N"]:
    """The number of the fold of each example; the folds have similar shares of each class."""
    order = rng.permutation(len(y))
    if y.ndim == 1:
        order = order[np.argsort(y[order], kind="stable")]
    fold_of = np.empty(len(y), np.int64)
    fold_of[order] = np.arange(len(y)) % folds
    return fold_of


def _entropies(
    y: NDArray[Any], label_entropy_bits: float | None, ceiling_bits: float | None
) -> tuple[float, float | None]:
    """H(Y) or h(Y), and the relevance ceiling, in nats; the ceiling is None if it is not known."""
    given = {"label_entropy_bits": label_entropy_bits, "ceiling_bits": ceiling_bits}
    if y.ndim == 1:
        for name, value in given.items():
            if value is not None:
                raise DataError(
                    f"{name}: should be given only for a continuous Y, because H(Y) of classes is "
                    f"counted; found {value}"
                )
        shares = np.unique(y, return_counts=True)[1] / len(y)
        entropy = float(-(shares * np.log(shares)).sum())
        return entropy, entropy
    if label_entropy_bits is None:
        entropy = differential_entropy(y)
    else:
        entropy = label_entropy_bits * math.log(2)
    return entropy, None if ceiling_bits is None else ceiling_bits * math.log(2)


def _given(predictions: Any, y: NDArray[Any]) -> tuple[Decoded, int | None]:
    """The predictions that a user gives, and the number of classes if it is known."""
    values = as_numbers("predictions", predictions, infinite=True)
    if values.ndim == 1:
        check_shape("predictions", values, (len(y),))
        if not np.isfinite(values).all():
            raise DataError("predictions: −log q(y|z) should be finite; found an infinite value")
        if y.ndim == 1 and values.min() < 0:
            raise DataError(
                f"predictions: −log q(y|z) of classes should be 0 or more; found {values.min():g}"
            )
        number = len(np.unique(y)) if y.ndim == 1 else None
        return Decoded(values, None, None), number
    if y.ndim == 2:
        raise DataError(
            "predictions: should be −log q(y|z), (N,), for a continuous Y; "
            f"found shape {values.shape}"
        )
    check_shape("predictions", values, (len(y), "C"), ("S", len(y), "C"))
    log_q = _log_probabilities(values.reshape(-1, *values.shape[-2:]))
    classes = log_q.shape[-1]
    if y.max() >= classes:
        raise DataError(
            f"labels: should be below {classes}, the number of classes of `predictions`; "
            f"found {y.max()}"
        )
    nll = -log_q[:, np.arange(len(y)), y]
    if not np.isfinite(nll).all():
        raise DataError(
            "predictions: the true class should have a probability above 0; found 0 for "
            f"{int((~np.isfinite(nll)).any(0).sum())} examples"
        )
    return Decoded(nll.mean(0), np.exp(log_q).mean(0).argmax(1) == y, None), classes


def _log_probabilities(values: Float[np.ndarray, "S N C"]) -> Float[np.ndarray, "S N C"]:
    """Logarithms of probabilities, from probabilities or from their logarithms."""
    if values.max() <= 0:
        with np.errstate(under="ignore"):
            check_rows_sum_to_1("predictions", np.exp(values))
        return values
    if values.min() < 0:
        raise DataError(
            "predictions: should be probabilities or their logarithms; found values from "
            f"{values.min():g} to {values.max():g}: apply `softmax` to logits"
        )
    check_rows_sum_to_1("predictions", values)
    with np.errstate(divide="ignore"):
        return np.log(values)


def _share(hits: NDArray[np.bool_] | None) -> float | None:
    return None if hits is None else float(hits.mean())
