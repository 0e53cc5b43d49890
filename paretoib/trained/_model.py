"""A trained model as a torch module."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretoib.discrete import CodebookPrediction
from paretoib.distributions import (
    CategoricalPrediction,
    GaussianEncoding,
    GaussianPrediction,
    Prediction,
    TaskPredictions,
)
from paretoib.errors import DataError
from paretoib.models import Head
from paretoib.registry import Noise
from paretoib.trained._header import ModelHeader

Probabilities = Tensor | tuple[Tensor, ...]


class TrainedModel(nn.Module):
    """The encoder and the decoder of a trial, with the weights that were measured.

    An input `x` is a tensor (B, *shape) of floating-point numbers, with values as the data set
    delivers them, in `input_range` on the training data. Other inputs raise `DataError`. Gradients
    flow to the inputs. All parameters are trainable; `state_dict` has the names of the model file.

    `train()` and `eval()` switch batch norm and dropout, as in any module. They do not switch the
    noise of the encoder: `sample` always draws it, and `predict` draws it if `samples` is above 0.
    A loaded model is in evaluation mode, in which trials are measured.
    """

    def __init__(self, header: ModelHeader, encoder: nn.Module, head: Head) -> None:
        super().__init__()
        self.header = header
        self.encoder = encoder
        self.head = head
        self.eval()

    @property
    def trial(self) -> str:
        """The trial key."""
        return self.header.trial

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return self.header.shape

    @property
    def input_range(self) -> tuple[float, float]:
        """The smallest and the largest value of the training inputs."""
        return self.header.input_range

    @property
    def classes(self) -> int | tuple[int, ...] | None:
        """The number of classes, a tuple with one number for each task, None for a continuous Y."""
        return self.header.classes

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks; empty if Y is a single task."""
        return self.header.tasks

    @property
    def noise(self) -> Noise:
        """The noise of p(z|x), as in `paretoib.objectives.ObjectiveEntry`."""
        return self.header.noise

    def encode(self, x: Tensor) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"] | None]:
        """The mean and the standard deviation of p(z|x) = N(mean, diag scale²).

        Without noise, z is the mean, and the scale is zero. If Z is not Gaussian, the scale is
        None, and the mean is: for `bernoulli` noise, the probability of each bit, if the layers
        below pass on their probabilities; for `categorical` noise, the probability of each
        category.
        """
        encoding = self.head(self._raw(x), None).encoding
        if isinstance(encoding, GaussianEncoding):
            return encoding.mean, encoding.std
        mean = encoding.mean
        return mean, torch.zeros_like(mean) if self.noise == "none" else None

    def sample(
        self, x: Tensor, *, generator: torch.Generator | None = None
    ) -> Float[Tensor, "B K"]:
        """One sample of z ~ p(z|x) for each input: a vector, bits, or a one-hot vector.

        Without noise it is the mean. A Gaussian sample is reparameterised. Bits and categories
        pass the gradient of their probabilities (straight-through).
        """
        z: Tensor = self.head(self._raw(x), self._noise(x, generator)).z
        if self.noise != "categorical":
            return z
        p = z.detach().to(x.device if generator is None else generator.device)
        category = torch.multinomial(p, 1, generator=generator)
        one_hot = torch.zeros_like(z).scatter(1, category.to(z.device), 1.0)
        return z + (one_hot - z).detach()

    def predict(
        self,
        x: Tensor,
        *,
        samples: int = 0,
        generator: torch.Generator | None = None,
    ) -> Probabilities:
        """The class probabilities (B, classes), or one such tensor for each of several tasks.

        With `samples=0`, the prediction is q(y|z) at the mean latent. With `samples=n`, it is the
        mean of q(y|z) over n samples of z for each input, drawn with `generator`. A categorical
        code needs no samples: its prediction is the exact mean over all categories. For a
        continuous Y the result is the mean of q(y|z), (B, target_dim).
        """
        outputs = self._outputs(x, samples, generator)
        if self.classes is not None:
            outputs = tuple(output.exp() for output in outputs)
        return outputs if self.tasks else outputs[0]

    def forward(
        self,
        x: Tensor,
        *,
        samples: int = 0,
        generator: torch.Generator | None = None,
    ) -> Probabilities:
        """The logarithms of `predict`; for a continuous Y the same as `predict`.

        They are computed without the probabilities, so that gradients stay accurate where a
        probability is almost 0 or 1. Losses and attacks that take logits accept them.
        """
        outputs = self._outputs(x, samples, generator)
        return outputs if self.tasks else outputs[0]

    def train(self, mode: bool = True) -> "TrainedModel":
        """Switch batch norm and dropout between training and evaluation."""
        super().train(mode)
        # In training mode a binary network would draw the samples of a training step.
        self.head.training = False
        return self

    def extra_repr(self) -> str:
        """The trial, for `repr`."""
        return f"trial={self.trial}, shape={self.shape}, classes={self.classes}"

    def _outputs(
        self, x: Tensor, samples: int, generator: torch.Generator | None
    ) -> tuple[Tensor, ...]:
        """For each task: log-probabilities of the classes, or the mean of a continuous Y."""
        raw = self._raw(x)
        if samples == 0 or self.noise == "categorical":
            return _by_task(self.head(raw, None).prediction)
        drawn = [
            _by_task(self.head(raw, self._noise(x, generator)).prediction) for _ in range(samples)
        ]
        return tuple(self._averaged(torch.stack(task)) for task in zip(*drawn, strict=True))

    def _averaged(self, outputs: Float[Tensor, "S B C"]) -> Float[Tensor, "B C"]:
        """The mean over samples of a task's outputs, see `_outputs`."""
        return outputs.mean(0) if self.classes is None else _log_mean_exp(outputs)

    def _raw(self, x: Tensor) -> Tensor:
        """The encoder's output."""
        if x.shape[1:] != self.shape or not x.is_floating_point():
            low, high = self.input_range
            sizes = ", ".join(map(str, self.shape))
            raise DataError(
                f"inputs should be floating-point tensors of shape (B, {sizes}), as data set "
                f"`{self.header.spec['data']['name']}` delivers them, with values from {low:.4g} "
                f"to {high:.4g}; found {x.dtype} of shape {tuple(x.shape)}"
            )
        raw: Tensor = self.encoder(x.to(self.head.shift.dtype))
        return raw

    def _noise(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Standard normal numbers for one sample of z for each input, drawn as in measurements."""
        device = x.device if generator is None else generator.device
        noise = torch.randn((len(x), self.head.noise), generator=generator, device=device)
        return noise.to(self.head.shift)


def _by_task(prediction: Prediction) -> tuple[Tensor, ...]:
    """The output of each task, see `TrainedModel._outputs`, averaged over sample axes."""
    tasks = prediction.tasks if isinstance(prediction, TaskPredictions) else (prediction,)
    return tuple(map(_output, tasks))


def _output(prediction: Any) -> Tensor:
    if isinstance(prediction, GaussianPrediction):
        return prediction.mean.reshape(-1, *prediction.mean.shape[-2:]).mean(0)
    if isinstance(prediction, CodebookPrediction):
        return prediction.log_expected
    assert isinstance(prediction, CategoricalPrediction)
    logits = prediction.logits.log_softmax(-1)
    return _log_mean_exp(logits.reshape(-1, *logits.shape[-2:]))


def _log_mean_exp(values: Float[Tensor, "S B C"]) -> Float[Tensor, "B C"]:
    return values.logsumexp(0) - math.log(len(values))
