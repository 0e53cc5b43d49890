"""The rate of a model's output, whatever its code is. Units: nats. Runs under `vmap`.

A Gaussian code goes through `rate_bounds`. So does each layer of a network of binary ones, and the
least of their upper bounds is taken: by the data-processing inequality I(X;Z) ≤ I(X;Z_l) for any
layer Z_l below Z, whose p(z_l|x) may be better known (that of the first is exact). Where the states
of all layers can be counted, as those of a categorical code can, nothing is sampled.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.discrete import BernoulliEncoding, CategoricalEncoding, one_hot
from paretoib.distributions import GaussianEncoding, Output, standard_normal_log_prob
from paretoib.evaluation._rate import GaussianMarginal, RateBounds, rate_bounds
from paretoib.models import countable, state_probabilities

Fitted = tuple[Tensor, ...]


def fit_marginals(output: Output) -> Fitted:
    """What a code's marginal q(z) is made of, from a sample: tensors that `code_rate` reads.

    The share of ones of every bit of each binary layer; the mean p(z|x) over states that can be
    counted; the mean and the covariance's factor of any other code.
    """
    if tables := code_tables(output):
        return (tables[-1].mean(0),)
    if output.layers:
        # A bit that was never seen set may be set all the same.
        count = len(output.z)
        return tuple((layer.z.sum(0) + 0.5) / (count + 1) for layer in output.layers)
    fitted = GaussianMarginal.fit(output.z)
    return fitted.mean, fitted.factor


def code_tables(output: Output) -> tuple[Float[Tensor, "N _"], ...]:
    """p(z_l|x) of every layer of a code whose states can be counted; of others nothing."""
    if isinstance(output.encoding, CategoricalEncoding):
        return (output.encoding.logits.double().softmax(-1),)
    if output.layers and countable([layer.z.shape[-1] for layer in output.layers]):
        return state_probabilities(output.layers)
    return ()


def code_rate(
    output: Output, noise: Tensor, width: Tensor, fitted: Fitted, *, complete: bool = False
) -> RateBounds | None:
    """Bounds on I(X;Z) from N inputs; None for a code without noise, which has no finite one.

    `noise` is what z is drawn with, `width` that of a Gaussian prior, `fitted` from
    `fit_marginals`, or empty; `complete` says that the inputs are all there are.
    """
    if tables := code_tables(output):
        return discrete_rate_bounds(tables[-1], fitted, complete=complete)
    if isinstance(output.encoding, GaussianEncoding):
        # In single precision, rounding a latent far from 0 can exceed the noise on it.
        gaussian = output.encoding.double()
        z = gaussian.sample(noise.double())
        densities = [standard_normal_log_prob(z, width)]
        if fitted:
            densities.append(GaussianMarginal(*fitted).log_prob(z))
        return rate_bounds(gaussian, z, densities, complete=complete)
    if not output.layers:
        return None
    each = []
    for i, layer in enumerate(output.layers):
        encoding, z = layer.encoding.double(), layer.z.double().round()
        marginals = [layer.prior, *(torch.logit(q) for q in fitted[i : i + 1])]
        densities = [_bits_log_prob(z, q) for q in marginals]
        each.append(rate_bounds(encoding, z, densities, complete=complete))
    uppers = torch.stack([bounds.upper for bounds in each])
    upper, least = uppers.min(0)
    error = torch.stack([bounds.error for bounds in each]).gather(0, least.unsqueeze(0)).squeeze(0)
    return RateBounds(torch.minimum(each[-1].lower, upper), upper, error)


def discrete_rate_bounds(
    p: Float[Tensor, "N S"], marginals: Sequence[Float[Tensor, " S"]], *, complete: bool
) -> RateBounds:
    """Both bounds from p(z|x_i) over all S states, N ≥ 2, with no sampling of z.

    Lower: I(X;Z) were there no other inputs than these. Upper: the least of E KL(p(z|x_i) ‖ q) for
    q the mean of all other inputs', for each marginal, and log S. Where the inputs are `complete`,
    the lower one is I(X;Z), and the upper one too.
    """
    count = len(p)
    mean = p.mean(0)
    entropy = torch.special.entr(p).sum(-1)

    def divergence(q: Tensor) -> Float[Tensor, " N"]:
        return -entropy - torch.xlogy(p, q).sum(-1)

    among = divergence(mean)
    lower = among.mean().clamp_min(0)
    if complete:
        return RateBounds(lower, lower, torch.zeros_like(lower))
    others = (count * mean - p).clamp_min(0) / (count - 1)
    samples = torch.stack([divergence(others), *(divergence(q) for q in marginals)])
    upper, tightest = samples.mean(-1).min(0)
    errors = samples.std(-1) / math.sqrt(count)
    error = errors.gather(0, tightest.unsqueeze(0)).squeeze(0)
    # H(Z) is no more, and is what is left where a state is one input's alone.
    most = torch.full_like(upper, math.log(p.shape[-1]))
    error = torch.where(upper < most, error, torch.zeros_like(error))
    return RateBounds(lower, torch.minimum(torch.maximum(upper, lower), most), error)


def discrete_information(
    p: Float[Tensor, "N S"], y: Tensor, classes: int
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """(I(X;Z), I(Y;Z)) exactly, from p(z|x_i) of N equally likely inputs with labels y_i."""
    joint = one_hot(y, classes).to(p).mT @ p / len(p)
    mean = joint.sum(0)
    rate = (torch.special.entr(mean) - torch.special.entr(p).mean(0)).sum()
    independent = torch.special.entr(mean).sum() + torch.special.entr(joint.sum(1)).sum()
    return rate, independent - torch.special.entr(joint).sum()


def _bits_log_prob(z: Float[Tensor, "N K"], logits: Float[Tensor, " K"]) -> Float[Tensor, " N"]:
    return BernoulliEncoding(logits.double().expand_as(z)).log_prob(z)
