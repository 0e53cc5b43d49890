"""Bounds on the rate of a model's output, for every kind of code. Units: nats. Runs under `vmap`.

`rate_bounds` measures Gaussian codes and each layer of a binary network. The upper bound for a
network is the smallest upper bound of its layers; it is valid, because I(X;Z) ≤ I(X;Z_l) for any
layer Z_l below Z (data-processing inequality). The bound of a lower layer can be smaller, because
p(z_l|x) depends on fewer sampled layers; p(z_1|x) is exact. Codes whose states can be enumerated
(small binary layers, categories) are measured without sampling.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.discrete import BernoulliEncoding, CategoricalEncoding, one_hot
from paretoib.distributions import GaussianEncoding, Output, standard_normal_log_prob
from paretoib.evaluation._rate import GaussianMarginal, RateBounds, rate_bounds
from paretoib.models import can_enumerate, state_probabilities

Marginals = tuple[Tensor, ...]


def fit_marginals(output: Output) -> Marginals:
    """Fit the marginal q(z) of a code to a sample; returns the tensors that `code_rate` takes.

    The tensors are the mean of p(z|x) if the states can be enumerated; for other binary layers, the
    share of ones of each bit of each layer; for any other code, the mean and the Cholesky factor of
    the covariance.
    """
    if tables := code_tables(output):
        return (tables[-1].mean(0),)
    if output.layers:
        # Add-½ smoothing, because a bit that is never 1 in the sample can be 1 for other inputs.
        count = len(output.z)
        return tuple((layer.z.sum(0) + 0.5) / (count + 1) for layer in output.layers)
    fitted = GaussianMarginal.fit(output.z)
    return fitted.mean, fitted.factor


def code_tables(output: Output) -> tuple[Float[Tensor, "N _"], ...]:
    """p(z_l|x) of every layer of a code whose states can be enumerated; empty for other codes."""
    if isinstance(output.encoding, CategoricalEncoding):
        return (output.encoding.logits.double().softmax(-1),)
    if output.layers and can_enumerate([layer.z.shape[-1] for layer in output.layers]):
        return state_probabilities(output.layers)
    return ()


def code_rate(
    output: Output, noise: Tensor, width: Tensor, fitted: Marginals, *, complete: bool = False
) -> RateBounds | None:
    """Bounds on I(X;Z) in nats from N inputs; None for a code without noise (infinite rate).

    Args:
        output: the model's output on the inputs.
        noise: the standard normal noise of z.
        width: the standard deviation of the Gaussian prior.
        fitted: the marginals from `fit_marginals`, or empty.
        complete: whether the N inputs are all possible inputs and equally likely.
    """
    if tables := code_tables(output):
        return discrete_rate_bounds(tables[-1], fitted, complete=complete)
    if isinstance(output.encoding, GaussianEncoding):
        # In single precision, the rounding error of a latent far from 0 can exceed its noise.
        gaussian = output.encoding.double()
        z = gaussian.sample(noise.double())
        densities = [standard_normal_log_prob(z, width)]
        if fitted:
            densities.append(GaussianMarginal(*fitted).log_prob(z))
        return rate_bounds(gaussian, z, densities, complete=complete)
    if not output.layers:
        return None
    layer_bounds = []
    for i, layer in enumerate(output.layers):
        encoding, z = layer.encoding.double(), layer.z.double().round()
        marginals = [layer.prior, *(torch.logit(q) for q in fitted[i : i + 1])]
        densities = [_bits_log_prob(z, q) for q in marginals]
        layer_bounds.append(rate_bounds(encoding, z, densities, complete=complete))
    uppers = torch.stack([bounds.upper for bounds in layer_bounds])
    upper, tightest = uppers.min(0)
    errors = torch.stack([bounds.error for bounds in layer_bounds])
    error = errors.gather(0, tightest.unsqueeze(0)).squeeze(0)
    last = layer_bounds[-1]
    return RateBounds(torch.minimum(last.lower, upper), upper, error, last.lower_error)


def discrete_rate_bounds(
    p: Float[Tensor, "N S"], marginals: Sequence[Float[Tensor, " S"]], *, complete: bool
) -> RateBounds:
    """Both bounds from p(z|x_i) over all S states, N ≥ 2, without sampling of z.

    Lower: the exact I(X;Z) of an X that is uniform over these N inputs. Upper: the smallest of
    log S and E KL(p(z|x_i) ‖ q) for each q; q is one of the `marginals`, or the mean of p(z|x_j)
    over all inputs x_j ≠ x_i. If the inputs are `complete`, both bounds are I(X;Z).
    """
    count = len(p)
    mean = p.mean(0)
    entropy = torch.special.entr(p).sum(-1)

    def divergence(q: Tensor) -> Float[Tensor, " N"]:
        return -entropy - torch.xlogy(p, q).sum(-1)

    from_mean = divergence(mean)
    lower = from_mean.mean().clamp_min(0)
    if complete:
        zero = torch.zeros_like(lower)
        return RateBounds(lower, lower, zero, zero)
    others = (count * mean - p).clamp_min(0) / (count - 1)
    samples = torch.stack([divergence(others), *(divergence(q) for q in marginals)])
    upper, tightest = samples.mean(-1).min(0)
    errors = samples.std(-1) / math.sqrt(count)
    error = errors.gather(0, tightest.unsqueeze(0)).squeeze(0)
    # The rate is at most H(Z) ≤ log S. The bound from the other inputs is infinite if a state
    # occurs for one input only.
    maximum = torch.full_like(upper, math.log(p.shape[-1]))
    error = torch.where(upper < maximum, error, torch.zeros_like(error))
    upper = torch.minimum(torch.maximum(upper, lower), maximum)
    return RateBounds(lower, upper, error, from_mean.std(-1) / math.sqrt(count))


def discrete_information(
    p: Float[Tensor, "N S"], y: Tensor, classes: int
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Exact (I(X;Z), I(Y;Z)) in nats, from p(z|x_i) of N equally likely inputs.

    `y` (k N,) holds k equally likely labels of each input: those of all inputs, k times in a row.
    """
    labels = one_hot(y, classes).unflatten(0, (-1, len(p))).mean(0)
    joint = labels.to(p).mT @ p / len(p)
    mean = joint.sum(0)
    rate = (torch.special.entr(mean) - torch.special.entr(p).mean(0)).sum()
    entropy_sum = torch.special.entr(mean).sum() + torch.special.entr(joint.sum(1)).sum()
    return rate, entropy_sum - torch.special.entr(joint).sum()


def _bits_log_prob(z: Float[Tensor, "N K"], logits: Float[Tensor, " K"]) -> Float[Tensor, " N"]:
    return BernoulliEncoding(logits.double().expand_as(z)).log_prob(z)
