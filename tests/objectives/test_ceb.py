"""The learned b(z|y) of the conditional entropy bottleneck."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from paretoib.distributions import (
    CategoricalPrediction,
    GaussianEncoding,
    GaussianPrediction,
    Output,
    TaskPredictions,
)
from paretoib.objectives._ceb import CEB
from paretoib.objectives._vib import VIB

Draw = Callable[..., Tensor]
Noisy = Callable[..., Output]
Y = torch.tensor([0, 1, 0, 2, 1, 0, 0])


def compression(encoding: GaussianEncoding, parameters: Mapping[str, Tensor], y: Tensor) -> Tensor:
    prediction: CategoricalPrediction | GaussianPrediction
    if y.is_floating_point():
        prediction = GaussianPrediction(y, torch.eye(y.shape[1]).to(y))
    else:
        prediction = CategoricalPrediction(torch.zeros(len(y), 3).to(encoding.mean))
    output = Output(encoding, encoding.mean, prediction, parameters)
    return CEB().losses(output, y, {})[1]


def test_compression_is_the_kl_to_the_gaussian_of_the_class(noisy: Noisy, draw: Draw) -> None:
    """Compression is the batch mean of torch's KL(p(z|x) ‖ N(m_y, diag s_y²)), in nats."""
    output = noisy(draw(7, 4), draw(7, 4, seed=1).exp())
    parameters = {"mean": draw(3, 4, seed=2), "log_width": draw(3, 4, seed=3)}
    posterior = Independent(Normal(output.gaussian.mean, output.gaussian.std), 1)
    backward = Independent(Normal(parameters["mean"][Y], parameters["log_width"][Y].exp()), 1)
    actual = compression(output.gaussian, parameters, Y)
    torch.testing.assert_close(actual, kl_divergence(posterior, backward).mean())


@pytest.mark.parametrize("classes", [3, None])
def test_the_initial_compression_is_that_of_vib(
    noisy: Noisy, draw: Draw, classes: int | None
) -> None:
    """The initial b(z|y) is vib's prior N(0, I), for every class and for every continuous y."""
    output = noisy(draw(7, 4), 0.5)
    kl = VIB().losses(output, Y, {"prior_width": torch.tensor(1.0)})[1]
    parameters = CEB().parameters(4, classes, None if classes else 2)
    doubled = {name: p.double() for name, p in parameters.items()}
    actual = compression(output.gaussian, doubled, Y if classes else draw(7, 2))
    torch.testing.assert_close(actual, kl)


def test_the_mean_is_linear_in_a_continuous_y(draw: Draw) -> None:
    """For a continuous y, b(z|y) is N(m + y A, diag s²), with the same s for all y."""
    parameters = {"mean": draw(1, 4), "log_width": draw(1, 4, seed=1), "slope": draw(2, 4, seed=2)}
    y, encoding = draw(7, 2, seed=3), GaussianEncoding(draw(7, 4, seed=4), draw(7, 4).exp())
    backward = Independent(
        Normal(
            parameters["mean"] + y @ parameters["slope"], parameters["log_width"].exp().expand(7, 4)
        ),
        1,
    )
    posterior = Independent(Normal(encoding.mean, encoding.std), 1)
    expected = kl_divergence(posterior, backward).mean()
    torch.testing.assert_close(compression(encoding, parameters, y), expected)


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_the_best_b_fits_the_codes_of_each_class(noisy: Noisy, draw: Draw, scale: float) -> None:
    """The optimal b(z|y) has the mean and variance of the noisy codes of class y."""
    labels = torch.arange(60) % 3
    output = noisy(draw(60, 2) + 3 * draw(3, 2, seed=1)[labels], scale)
    parameters = {k: p.double().requires_grad_() for k, p in CEB().parameters(2, 3, None).items()}
    lbfgs = torch.optim.LBFGS(parameters.values(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        lbfgs.zero_grad()
        loss = compression(output.gaussian, parameters, labels)
        loss.backward()
        return loss

    lbfgs.step(closure)
    for label in range(3):
        codes = output.encoding.mean[labels == label]
        variance = codes.var(0, correction=0) + scale**2
        torch.testing.assert_close(
            parameters["mean"][label].detach(), codes.mean(0), rtol=0, atol=1e-3
        )
        torch.testing.assert_close(
            parameters["log_width"][label].detach(), variance.log() / 2, rtol=0, atol=1e-3
        )


def test_means_and_log_widths_of_several_tasks_are_summed(noisy: Noisy, draw: Draw) -> None:
    """The mean and the log width of b(z|y_1, y_2) are sums over the two tasks.

    Each task has parameters for its own classes.
    """
    encoding = noisy(draw(7, 4), draw(7, 4, seed=1).exp()).gaussian
    y = torch.stack([Y, (Y + 1) % 2], dim=1)
    logits = (torch.zeros(7, 3).double(), torch.zeros(7, 2).double())
    prediction = TaskPredictions(tuple(map(CategoricalPrediction, logits)))
    parameters = {"mean": draw(5, 4, seed=2), "log_width": draw(5, 4, seed=3)}
    assert {k: v.shape for k, v in CEB().parameters(4, (3, 2), None).items()} == {
        k: v.shape for k, v in parameters.items()
    }
    mean, log_width = (rows[:3][y[:, 0]] + rows[3:][y[:, 1]] for rows in parameters.values())
    posterior = Independent(Normal(encoding.mean, encoding.std), 1)
    expected = kl_divergence(posterior, Independent(Normal(mean, log_width.exp()), 1)).mean()
    losses = CEB().losses(Output(encoding, encoding.mean, prediction, parameters), y, {})
    assert len(losses) == 3
    torch.testing.assert_close(losses[2], expected)
