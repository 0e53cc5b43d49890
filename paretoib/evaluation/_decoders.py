"""Decoders q(y|z) of scikit-learn, fitted to latents and cross-fitted. Units: nats.

A decoder is fitted to the examples of all folds but one, and predicts the labels of that fold. So
no label is predicted by a decoder that has seen it.
"""

import math
import warnings
from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from paretoib.errors import DataError
from paretoib.evaluation._latents import Latents
from paretoib.evaluation._rate import GaussianMarginal

DecoderName = Literal["linear", "mlp"]

FIT_ROWS = (
    50_000  # limit on the latents of a fit, if there are more samples than one for each input
)
_HIDDEN = (128,)  # widths of the hidden layers of decoder `mlp`
_EPOCHS = 50  # of decoder `mlp`
_SMALL = 2_000_000  # numbers; below this, several threads are slower than one on a busy machine


class Decoded(NamedTuple):
    """The predictions of a cross-fitted decoder.

    `nll` (N,) is −log q(y|z), averaged over the samples of z. `hits` says which labels are the most
    probable class of the mean prediction over samples, and `hits_at_mean` of the prediction at the
    mean latent. Both are None for a continuous Y, and `hits_at_mean` without a mean latent.
    """

    nll: Float[np.ndarray, " N"]
    hits: NDArray[np.bool_] | None
    hits_at_mean: NDArray[np.bool_] | None


def cross_fitted(
    latents: Latents,
    labels: NDArray[Any],
    folds: Int[np.ndarray, " N"],
    decoder: DecoderName | Any,
    seed: int,
) -> Decoded:
    """Fit a decoder once for each fold, and predict the labels of the fold.

    `decoder` is the name of a decoder, or an estimator of scikit-learn with `fit`, and with
    `predict_proba` for classes or `predict` for a continuous Y. `labels` are integers (N,) from 0
    without gaps, or floats (N, d). Raises `DataError` for an estimator that lacks a method.
    """
    classes = int(labels.max()) + 1 if labels.ndim == 1 else None
    per_fit = int(np.bincount(folds).max()) * int(folds.max())
    fit_draws = max(1, min(latents.draws, FIT_ROWS // per_fit))
    fitted: list[_Decoder] = []
    for fold in range(int(folds.max()) + 1):
        used = folds != fold
        estimator = _estimator(decoder, classes, fit_draws, seed)
        z = np.concatenate([latents.sample(draw)[used] for draw in range(fit_draws)])
        y = np.concatenate([labels[used]] * fit_draws)
        fitted.append(
            _GaussianDecoder(estimator, z, y)
            if classes is None
            else _ClassDecoder(estimator, z, y, classes, int(used.sum()))
        )
    nll = np.zeros(latents.count)
    probabilities = np.zeros((latents.count, classes or 0))
    at_mean = np.zeros_like(probabilities)
    for fold, q in enumerate(fitted):
        rows = folds == fold
        for draw in range(latents.draws):
            sample_nll, p = q.predict(latents.sample(draw)[rows], labels[rows])
            nll[rows] += sample_nll / latents.draws
            probabilities[rows] += p / latents.draws
        if latents.mean is not None:
            at_mean[rows] = q.predict(latents.mean[rows], labels[rows])[1]
    if classes is None:
        return Decoded(nll, None, None)
    hits_at_mean = None if latents.mean is None else at_mean.argmax(1) == labels
    return Decoded(nll, probabilities.argmax(1) == labels, hits_at_mean)


class _Decoder(ABC):
    """A fitted q(y|z)."""

    @abstractmethod
    def predict(
        self, z: Float[np.ndarray, "n K"], y: NDArray[Any]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n C"]]:
        """−log q(y|z), and the probabilities of the C classes; C is 0 for a continuous Y."""


class _ClassDecoder(_Decoder):
    """The probabilities of an estimator, mixed with a small share of the uniform distribution.

    The share, 1/(n + 1) for n examples, keeps −log q finite: a class may be missing from the
    examples of the fit, and estimators can return a probability of 0.
    """

    def __init__(
        self, estimator: Any, z: NDArray[Any], y: NDArray[Any], classes: int, examples: int
    ) -> None:
        self._estimator = _fit(estimator, z, y)
        self._classes = classes
        self._uniform = 1 / (examples + 1)

    def predict(
        self, z: Float[np.ndarray, "n K"], y: NDArray[Any]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n C"]]:
        p = np.zeros((len(z), self._classes))
        p[:, self._estimator.classes_] = self._estimator.predict_proba(z)
        p = (1 - self._uniform) * p + self._uniform / self._classes
        return -np.log(p[np.arange(len(y)), y]), p


class _GaussianDecoder(_Decoder):
    """q(y|z) = N(f(z), Σ): the predictions of an estimator, and the covariance of its errors."""

    def __init__(self, estimator: Any, z: NDArray[Any], y: NDArray[Any]) -> None:
        self._estimator = _fit(estimator, z, y)
        self._errors = GaussianMarginal.fit(self._residuals(z, y))

    def predict(
        self, z: Float[np.ndarray, "n K"], y: NDArray[Any]
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n C"]]:
        return -self._errors.log_prob(self._residuals(z, y)).numpy(), np.zeros((len(z), 0))

    def _residuals(self, z: NDArray[Any], y: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(y - self._estimator.predict(z).reshape(y.shape))


def _estimator(decoder: DecoderName | Any, classes: int | None, draws: int, seed: int) -> Any:
    """A new estimator, to be fitted to `draws` samples of each input."""
    if not isinstance(decoder, str):
        method = "predict" if classes is None else "predict_proba"
        if not (hasattr(decoder, "fit") and hasattr(decoder, method)):
            raise DataError(
                f"decoder: should be `linear`, `mlp` or an estimator with `fit` and `{method}`; "
                f"found {decoder!r}"
            )
        return clone(decoder)
    mlp = {"hidden_layer_sizes": _HIDDEN, "alpha": 0.01, "max_iter": _EPOCHS, "random_state": seed}
    estimators = {
        # The penalty does not depend on the number of draws, because they are no new examples.
        ("linear", True): lambda: LogisticRegression(C=1 / draws, max_iter=1000, tol=1e-3),
        ("mlp", True): lambda: MLPClassifier(**mlp),
        ("linear", False): lambda: Ridge(),
        ("mlp", False): lambda: MLPRegressor(**mlp),
    }
    if (decoder, True) not in estimators:
        raise DataError(f"decoder: should be `linear`, `mlp` or an estimator; found `{decoder}`")
    return make_pipeline(StandardScaler(), estimators[decoder, classes is not None]())


def _fit(estimator: Any, z: NDArray[Any], y: NDArray[Any]) -> Any:
    # One column as a vector: scikit-learn warns about a matrix with one column.
    target = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    with warnings.catch_warnings(), threadpool_limits(1 if z.size < _SMALL else None):
        # A fit that has not converged is a worse decoder; its bound is valid.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(z, target)


def differential_entropy(y: Float[np.ndarray, "N d"], neighbours: int = 3) -> float:
    """h(Y) in nats, estimated from the distances to the k-th nearest neighbours.

    Kozachenko and Leonenko 1987. Raises `DataError` if points repeat, because their distance is 0.
    """
    from scipy.spatial import KDTree
    from scipy.special import digamma, gammaln

    count, dimensions = y.shape
    distance = KDTree(y).query(y, neighbours + 1)[0][:, -1]
    if not distance.all():
        raise DataError(
            "labels: a continuous Y should have different values, so that h(Y) can be estimated; "
            f"found values that occur more than {neighbours} times: use integers for classes, or "
            "give `label_entropy_bits`"
        )
    ball = dimensions / 2 * math.log(math.pi) - gammaln(dimensions / 2 + 1)
    mean_log = float(np.log(distance).mean())
    return float(digamma(count) - digamma(neighbours) + ball + dimensions * mean_log)
