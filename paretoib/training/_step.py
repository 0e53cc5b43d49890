"""One training step's gradients, for all trials of a pack at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.training._stack import Stack
from paretoib.weighting._weighting import Weighting, Weights

LossFunction = Callable[[Float[Tensor, "M B R"]], Float[Tensor, "M m"]]


@dataclass(frozen=True)
class Step:
    """A gradient for each of the stack's parameters, and what they were made of.

    `losses` (M, m), `gramian` (M, m, m) or None where the weighting needs none.
    """

    gradients: list[Tensor]
    losses: Float[Tensor, "M m"]
    weights: Weights
    gramian: Float[Tensor, "M m m"] | None = None


def training_step(
    stack: Stack,
    weighting: Weighting,
    hyper: Mapping[str, Any],
    raw: Float[Tensor, "M B R"],
    losses_of: LossFunction,
) -> Step:
    """The step's gradients from the encoder's output `raw` and the losses that follow from it."""
    if weighting.gradient == "none":
        return _scalarised(stack, weighting, hyper, losses_of(raw))
    if weighting.gradient == "latent":
        return _at_latent(stack, weighting, hyper, raw, losses_of)
    return _over_parameters(stack, weighting, hyper, losses_of(raw))


def _scalarised(
    stack: Stack, weighting: Weighting, hyper: Mapping[str, Any], losses: Tensor
) -> Step:
    """One backward pass of the weighted sum."""
    weights = weighting(losses.detach(), None, hyper)
    gradients = _gradients((weights.step * losses).sum(1), stack.parameters)
    return Step(gradients, losses.detach(), weights)


def _over_parameters(
    stack: Stack, weighting: Weighting, hyper: Mapping[str, Any], losses: Tensor
) -> Step:
    """A backward pass a loss; their gradients are then weighed and added, without another."""
    each = _each_loss(losses, stack.parameters)
    compared = stack.shared if weighting.over == "shared" else len(stack.parameters)
    gramian = _gramian([[stack.per_trial(g) for g in grads[:compared]] for grads in each])
    weights = weighting(losses.detach(), gramian, hyper)
    return Step(_combine(stack, each, weights), losses.detach(), weights, gramian)


def _at_latent(
    stack: Stack,
    weighting: Weighting,
    hyper: Mapping[str, Any],
    raw: Tensor,
    losses_of: LossFunction,
) -> Step:
    """Gradients compared at the encoder's output; the encoder sees one backward pass."""
    latent = raw.detach().requires_grad_()
    losses = losses_of(latent)
    each = _each_loss(losses, [latent, *stack.parameters[stack.shared :]])
    gramian = _gramian([grads[:1] for grads in each])
    weights = weighting(losses.detach(), gramian, hyper)
    at_latent = torch.einsum("mi,imbr->mbr", weights.step, torch.stack([g[0] for g in each]))
    of_encoder = torch.autograd.grad(raw, stack.parameters[: stack.shared], at_latent)
    of_head = _combine(stack, [grads[1:] for grads in each], weights)
    return Step([*of_encoder, *of_head], losses.detach(), weights, gramian)


def _gradients(
    loss: Float[Tensor, " M"], inputs: Sequence[Tensor], *, retain: bool = False
) -> list[Tensor]:
    """Each trial's gradient; zeros for what a loss does not depend on.

    Trials do not touch each other's parameters, so the sum's gradient is everyone's own.
    """
    return list(
        torch.autograd.grad(loss.sum(), inputs, retain_graph=retain, materialize_grads=True)
    )


def _each_loss(losses: Float[Tensor, "M m"], inputs: Sequence[Tensor]) -> list[list[Tensor]]:
    last = losses.shape[1] - 1
    return [_gradients(losses[:, i], inputs, retain=i < last) for i in range(last + 1)]


def _gramian(each: Sequence[Sequence[Tensor]]) -> Float[Tensor, "M m m"]:
    """⟨g_i, g_j⟩ of each trial; `each[i]` are loss i's gradients, (M, …) each."""
    flat = [[g.flatten(1) for g in grads] for grads in each]
    return torch.stack(
        [torch.stack([_inner(a, b) for b in flat], dim=1) for a in flat],
        dim=1,
    )


def _inner(a: Sequence[Tensor], b: Sequence[Tensor]) -> Float[Tensor, " M"]:
    products = [torch.linalg.vecdot(x, y) for x, y in zip(a, b, strict=True)]
    return torch.stack(products).sum(0)


def _combine(stack: Stack, each: Sequence[Sequence[Tensor]], weights: Weights) -> list[Tensor]:
    """Σ_i weights_i g_i for every parameter."""
    combined = []
    for gradients in zip(*each, strict=True):
        rows = [stack.per_trial(g) for g in gradients]
        column = [w.view(-1, *[1] * (rows[0].ndim - 1)) for w in weights.step.unbind(1)]
        total = rows[0] * column[0]
        for row, weight in zip(rows[1:], column[1:], strict=True):
            total.addcmul_(row, weight)
        combined.append(total.view_as(gradients[0]))
    return combined
