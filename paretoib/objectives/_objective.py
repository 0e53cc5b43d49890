"""The contract of an objective."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from paretoib.distributions import Output

Scalar = Float[Tensor, ""]
Hyper = Mapping[str, Any]


class Objective(ABC):
    """Turns a batch and a model's output into named losses, in nats, as scalars.

    An implementer guarantees that `losses` returns one scalar for each name in its row's
    `losses`, in that order, `prediction` first; that it is differentiable and free of Python
    branches on tensors' values (it runs under `vmap`); and that it knows nothing of β, of
    optimisers or of Ray. Hyperparameters that its row marks `per_trial` come in `hyper` as
    scalar tensors; the others were given to the constructor.
    """

    @abstractmethod
    def losses(self, output: Output, y: Tensor, hyper: Hyper) -> tuple[Scalar, ...]:
        """The losses of one batch: `output` of B examples, targets `y` (B,) or (B, d)."""


def prediction_loss(output: Output, y: Tensor) -> Scalar:
    """E[−log q(y|z)] in nats, one sample of z: the decoder cross-entropy (uib section 5)."""
    return output.prediction.nll(y).mean()
