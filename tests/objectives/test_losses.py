"""Prediction loss and gradients of all objectives that allow a Gaussian encoder."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical

from paretoib.distributions import (
    CategoricalPrediction,
    GaussianEncoding,
    GaussianPrediction,
    Output,
)
from paretoib.objectives._ceb import CEB
from paretoib.objectives._deterministic import Deterministic
from paretoib.objectives._dib import DIB
from paretoib.objectives._l2 import L2
from paretoib.objectives._log_var import LogVar, LogVarGivenY
from paretoib.objectives._nib import NIB, NIBSquared
from paretoib.objectives._objective import Objective, prediction_losses
from paretoib.objectives._vib import VIB, VIBSquared
from paretoib.objectives._vim import VIM

EXAMPLES, LATENT, CLASSES = 7, 4, 3


@pytest.fixture
def output() -> Output:
    """Random p(z|x) and q(y|z), in double precision."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    encoding = GaussianEncoding(draw(EXAMPLES, LATENT), draw(EXAMPLES, LATENT).exp())
    z = encoding.sample(draw(EXAMPLES, LATENT))
    return Output(encoding, z, CategoricalPrediction(draw(EXAMPLES, CLASSES)))


@pytest.fixture
def y() -> Tensor:
    """A class for each example."""
    return torch.arange(EXAMPLES) % CLASSES


def test_prediction_is_the_decoder_cross_entropy(output: Output, y: Tensor) -> None:
    """`prediction_losses` and `Deterministic` return the mean of −log q(y|z) in nats."""
    assert isinstance(output.prediction, CategoricalPrediction)
    expected = -Categorical(logits=output.prediction.logits).log_prob(y).mean()
    assert float(prediction_losses(output, y)[0]) == pytest.approx(float(expected))
    (alone,) = Deterministic().losses(output, y, {})
    assert float(alone) == pytest.approx(float(expected))


ANY_TARGET: list[Objective] = [
    VIB(),
    VIBSquared(),
    NIB(),
    NIBSquared(),
    VIM(statistic="v"),
    VIM(statistic="u"),
    L2(),
    LogVar(),
    DIB(covariance="diagonal"),
    DIB(covariance="full"),
    CEB(),
    Deterministic(),
]
NEED_CLASSES = (LogVarGivenY(), Deterministic(label_smoothing=0.2, confidence_penalty=0.5))
CASES = [
    *((objective, continuous) for objective in ANY_TARGET for continuous in (False, True)),
    *((objective, False) for objective in NEED_CLASSES),
]


@pytest.mark.parametrize(("objective", "continuous"), CASES)
def test_gradients_match_finite_differences(objective: Objective, continuous: bool) -> None:
    """Autograd agrees with finite differences for all inputs of the losses.

    The inputs are the means, the numbers r that give the widths softplus(r), the decoder, the log
    of the prior's width, and the parameters of the objective.
    """
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> Tensor:
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        return values.requires_grad_()

    noise = draw(3, 2).detach()
    y = draw(3, 2).detach() if continuous else torch.tensor([0, 1, 1])
    initial = objective.parameters(2, None if continuous else 2, 2 if continuous else None)

    def losses(
        mean: Tensor, r: Tensor, decoder: Tensor, log_width: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        encoding = GaussianEncoding(mean, torch.nn.functional.softplus(r))
        z = encoding.sample(noise)
        prediction: CategoricalPrediction | GaussianPrediction
        if continuous:
            prediction = GaussianPrediction(z @ decoder, decoder.tril(-1) + torch.eye(2).double())
        else:
            prediction = CategoricalPrediction(z @ decoder)
        output = Output(encoding, z, prediction, dict(zip(initial, parameters, strict=True)))
        return tuple(objective.losses(output, y, {"prior_width": log_width.exp()}))

    parameters = [draw(*values.shape) for values in initial.values()]
    inputs = (draw(3, 2), draw(3, 2), draw(2, 2), draw(), *parameters)
    assert torch.autograd.gradcheck(losses, inputs)
