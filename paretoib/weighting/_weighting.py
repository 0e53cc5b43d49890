"""The interface of a weighting."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """The weights of the losses L_i in one training step, for M trials.

    `step` holds the weights w_i: the gradient of a trial is Σ_i w_i ∇L_i. `log` holds values for
    the history. `penalty` is the term that a weighting with trainable parameters adds to
    Σ_i w_i L_i.
    """

    step: Float[Tensor, "M m"]
    log: Mapping[str, Float[Tensor, "M m"]] = field(default_factory=dict)
    penalty: Float[Tensor, " M"] | None = None


class Weighting(ABC):
    """Turns the losses of M trials, and their gradients if needed, into weights.

    An implementation guarantees that

    - the weights of a trial depend only on the losses and gradients of that trial;
    - gradients flow through the weights only to the parameters of the weighting;
    - the weights are finite if the losses and gradients are;
    - it keeps no data of a trial between calls. Such data are its `state`, which the caller keeps
      for each trial, also in checkpoints. Random weights are computed from `hyper["noise"]`.

    `prediction_count` is the number of prediction losses, which come first, and `loss_count` the
    number of all losses; the caller sets both. `gradient` says which gradients the Gramian
    compares: "parameters" (one backward pass for each loss); "latent", those at the encoder's
    output (about the cost of one pass); or "none", without a Gramian (one pass). `over` selects the
    parameters whose gradients are compared: "shared", those of the encoder, or "all".
    """

    gradient: Literal["none", "parameters", "latent"] = "none"
    over: Literal["shared", "all"] = "shared"
    prediction_count: int = 1
    loss_count: int = 2

    def parameters(self) -> Mapping[str, Tensor]:
        """Initial values of the weighting's trainable parameters; none by default.

        The parameters are trained with the model, by the gradient of Σ_i w_i L_i + penalty. Each
        call gets them in `hyper`, (M, …) each. A weighting may have parameters only if `gradient`
        is "none".
        """
        return {}

    @property
    def noise(self) -> int:
        """The number of random numbers that the weighting needs in each step; 0 by default."""
        return 0

    def state(self) -> Mapping[str, Tensor]:
        """Initial values of what the weighting remembers from step to step; nothing by default.

        Each call gets the present values in `hyper`, (M, …) each, with the parameters. Their names
        differ from those of the parameters and hyperparameters.
        """
        return {}

    def after_step(
        self,
        hyper: Mapping[str, Any],  # noqa: ARG002
        losses: Float[Tensor, "M m"],  # noqa: ARG002
        new_losses: Callable[[], Float[Tensor, "M m"]],  # noqa: ARG002
    ) -> Mapping[str, Tensor]:
        """New values of the state after a step; only those that change.

        `losses` are the losses of the step. `new_losses()` computes the losses of the same batch,
        with the same noise, after the step; this costs a forward pass.
        """
        return {}

    def after_epoch(self, hyper: Mapping[str, Any]) -> Mapping[str, Tensor]:  # noqa: ARG002
        """New values of the state after an epoch; only those that change."""
        return {}

    @abstractmethod
    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        """The weights for one training step.

        `gramian[:, i, j]` is ⟨∇L_i, ∇L_j⟩; it is None if `gradient` is "none". `hyper` holds the
        `per_trial` hyperparameters, (M,) each, or (M, n) for a list of n values; the parameters
        and the state; and `noise`, (M, n) standard normal numbers from the seeds of the trials, if
        n = `self.noise` is not 0.
        """
