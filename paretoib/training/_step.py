"""The gradients of one training step, for all trials of a pack at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.training._stack import Stack
from paretoib.weighting import Weighting, Weights

Losses = tuple[Float[Tensor, " M"], ...]
LossFunction = Callable[[Float[Tensor, "M B R"]], Losses]


@dataclass(frozen=True)
class Step:
    """Gradients of the stack's parameters, with the losses, weights and Gramian.

    `gramian` is None if the weighting needs no Gramian.
    """

    gradients: list[Tensor]
    losses: Float[Tensor, "M m"]
    weights: Weights
    gramian: Float[Tensor, "M m m"] | None = None

    @property
    def training_loss(self) -> Float[Tensor, " M"]:
        """Σ_i w_i L_i with the weights of this step, plus the penalty of the weighting.

        For linear scalarisation this is prediction + β · compression. Adaptive weights change from
        step to step, and the loss with them.
        """
        total = (self.weights.step.detach() * self.losses).sum(1)
        penalty = self.weights.penalty
        return total if penalty is None else total + penalty.detach()


def training_step(
    stack: Stack,
    weighting: Weighting,
    hyper: Mapping[str, Any],
    raw: Float[Tensor, "M B R"],
    losses_of: LossFunction,
) -> Step:
    """Compute the gradients of one step.

    `raw` is the encoder's output, and `losses_of` computes the losses from such an output. `hyper`
    holds the per-trial hyperparameters and trainable parameters of the weighting, (M, …) each.
    """
    if weighting.gradient == "none":
        return _scalarised(stack, weighting, hyper, losses_of(raw))
    if weighting.gradient == "latent":
        return _at_latent(stack, weighting, hyper, raw, losses_of)
    return _over_parameters(stack, weighting, hyper, losses_of(raw))


def _scalarised(
    stack: Stack, weighting: Weighting, hyper: Mapping[str, Any], losses: Losses
) -> Step:
    """One backward pass of the weighted sum."""
    values = _values(losses)
    weights = weighting(values, None, hyper)
    products = [torch.dot(*pair) for pair in zip(losses, weights.step.unbind(1), strict=True)]
    if weights.penalty is not None:
        products.append(weights.penalty.sum())
    return Step(_gradients(reduce(torch.add, products), stack.parameters), values, weights)


def _over_parameters(
    stack: Stack, weighting: Weighting, hyper: Mapping[str, Any], losses: Losses
) -> Step:
    """One backward pass for each loss; the result is the weighted sum of these gradients."""
    values = _values(losses)
    loss_gradients = _loss_gradients(losses, stack.parameters)
    compared = stack.shared_count if weighting.over == "shared" else len(stack.parameters)
    gramian = _gramian([[stack.per_trial(g) for g in grads[:compared]] for grads in loss_gradients])
    weights = weighting(values, gramian, hyper)
    return Step(_combine(stack, loss_gradients, weights), values, weights, gramian)


def _at_latent(
    stack: Stack,
    weighting: Weighting,
    hyper: Mapping[str, Any],
    raw: Tensor,
    losses_of: LossFunction,
) -> Step:
    """Compare gradients at the encoder's output, with one backward pass of the encoder."""
    latent = raw.detach().requires_grad_()
    losses = losses_of(latent)
    values = _values(losses)
    loss_gradients = _loss_gradients(losses, [latent, *stack.parameters[stack.encoder_count :]])
    gramian = _gramian([grads[:1] for grads in loss_gradients])
    weights = weighting(values, gramian, hyper)
    at_latent = torch.einsum(
        "mi,imbr->mbr", weights.step, torch.stack([g[0] for g in loss_gradients])
    )
    encoder_gradients = _gradients(
        torch.dot(raw.flatten(), at_latent.flatten()), stack.parameters[: stack.encoder_count]
    )
    other_gradients = _combine(stack, [grads[1:] for grads in loss_gradients], weights)
    return Step([*encoder_gradients, *other_gradients], values, weights, gramian)


def _values(losses: Losses) -> Float[Tensor, "M m"]:
    return torch.stack([loss.detach() for loss in losses], dim=1)


def _gradients(
    summed: Float[Tensor, ""], inputs: Sequence[Tensor], *, retain: bool = False
) -> list[Tensor]:
    """The gradients of a loss summed over trials; zeros for inputs without influence.

    Trials share no parameters, so the gradient of the sum holds the gradient of each trial. The
    weights of the losses are part of `summed`, because `grad` imports sympy if it gets the weights
    as `grad_outputs`.
    """
    return list(torch.autograd.grad(summed, inputs, retain_graph=retain, materialize_grads=True))


def _loss_gradients(losses: Losses, inputs: Sequence[Tensor]) -> list[list[Tensor]]:
    last = losses[-1]
    return [_gradients(loss.sum(), inputs, retain=loss is not last) for loss in losses]


def _gramian(loss_gradients: Sequence[Sequence[Tensor]]) -> Float[Tensor, "M m m"]:
    """⟨g_i, g_j⟩ of each trial; `loss_gradients[i]` holds the gradients of loss i, (M, …) each."""
    flat = [[g.flatten(1) for g in grads] for grads in loss_gradients]
    count = len(flat)
    inner = {(i, j): _inner(flat[i], flat[j]) for i in range(count) for j in range(i, count)}
    rows = [
        torch.stack([inner[min(i, j), max(i, j)] for j in range(count)], dim=1)
        for i in range(count)
    ]
    return torch.stack(rows, dim=1)


def _inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> Float[Tensor, " M"]:
    products = [torch.linalg.vecdot(x, y) for x, y in zip(a, b, strict=True)]
    return torch.stack(products).sum(0)


def _combine(
    stack: Stack, loss_gradients: Sequence[Sequence[Tensor]], weights: Weights
) -> list[Tensor]:
    """Σ_i w_i g_i for every parameter, from the gradients g_i of the losses."""
    combined = []
    for gradients in zip(*loss_gradients, strict=True):
        rows = [stack.per_trial(g) for g in gradients]
        factors = [w.view(-1, *[1] * (rows[0].ndim - 1)) for w in weights.step.unbind(1)]
        total = rows[0] * factors[0]
        for row, factor in zip(rows[1:], factors[1:], strict=True):
            total.addcmul_(row, factor)
        combined.append(total.view_as(gradients[0]))
    return combined
