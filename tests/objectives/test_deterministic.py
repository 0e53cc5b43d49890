"""The baselines of vim table 1: label smoothing and confidence penalty."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from paretoib.distributions import CategoricalPrediction, GaussianPrediction, Output, PointEncoding
from paretoib.errors import SpecError
from paretoib.objectives._deterministic import Deterministic

Draw = Callable[..., Tensor]
Y = torch.tensor([0, 1, 0, 2, 1])


def loss(objective: Deterministic, logits: Tensor, y: Tensor = Y) -> Tensor:
    z = torch.zeros(len(logits), 1).double()
    (value,) = objective.losses(Output(PointEncoding(z), z, CategoricalPrediction(logits)), y, {})
    return value


def test_label_smoothing_is_the_cross_entropy_with_softened_targets(draw: Draw) -> None:
    """The loss is −Σ_c t_c log q(c) with targets t = (1 − ε) δ_y + ε/C."""
    logits = draw(5, 3)
    targets = 0.7 * torch.eye(3).double()[Y] + 0.3 / 3
    expected = -(targets * Categorical(logits=logits).logits).sum(1).mean()
    torch.testing.assert_close(loss(Deterministic(label_smoothing=0.3), logits), expected)


def test_label_smoothing_has_its_minimum_at_the_softened_targets() -> None:
    """With label smoothing, the gradient is zero at q(y) = 1 − ε + ε/C.

    Without smoothing, the gradient is not zero there.
    """
    targets = 0.7 * torch.eye(3).double()[Y] + 0.3 / 3
    logits = targets.log().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(Deterministic(label_smoothing=0.3), logits), logits)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))
    (plain,) = torch.autograd.grad(loss(Deterministic(), logits), logits)
    assert plain.abs().max() > 0.03


def test_the_confidence_penalty_subtracts_the_entropy(draw: Draw) -> None:
    """The confidence penalty −λ E H[q] is λ KL(q ‖ uniform) plus a constant (Pereyra 2017)."""
    logits = draw(5, 3)
    q, uniform = Categorical(logits=logits), Categorical(torch.ones(5, 3).double())
    actual = loss(Deterministic(confidence_penalty=0.4), logits) - loss(Deterministic(), logits)
    torch.testing.assert_close(actual, -0.4 * q.entropy().mean())
    kl = kl_divergence(q, uniform).mean()
    torch.testing.assert_close(actual, 0.4 * (kl - torch.tensor(3.0).double().log()))


def test_both_options_can_be_combined(draw: Draw) -> None:
    """With label smoothing and a confidence penalty, the loss has both terms."""
    logits = draw(5, 3)
    both = loss(Deterministic(label_smoothing=0.2, confidence_penalty=0.5), logits)
    smoothed = loss(Deterministic(label_smoothing=0.2), logits)
    entropy = Categorical(logits=logits).entropy().mean()
    torch.testing.assert_close(both, smoothed - 0.5 * entropy)


@pytest.mark.parametrize("option", ["label_smoothing", "confidence_penalty"])
def test_each_option_refuses_a_continuous_y(draw: Draw, option: str) -> None:
    """Label smoothing and the confidence penalty refuse a continuous y; the error names the option.

    Without these options, a continuous y is accepted.
    """
    z = draw(5, 1)
    output = Output(PointEncoding(z), z, GaussianPrediction(draw(5, 2), torch.eye(2).double()))
    with pytest.raises(SpecError, match=f"{option} needs classes; found a continuous Y"):
        Deterministic(**{option: 0.1}).losses(output, draw(5, 2), {})
    assert Deterministic().losses(output, draw(5, 2), {})[0].isfinite()
