"""The contract of a weighting."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """The step is Σ_i step_i ∇L_i, one row a trial; `log` is what its history keeps."""

    step: Float[Tensor, "M m"]
    log: Mapping[str, Float[Tensor, "M m"]] = field(default_factory=dict)


class Weighting(ABC):
    """Turns the losses of M trials, and where it needs them their gradients, into weights.

    An implementer guarantees: each trial's weights depend on that trial's losses and gradients
    alone, they are constants (no gradient flows through them), and they are finite wherever the
    losses and gradients are.

    `gradient` says what it needs: nothing but the losses (one backward pass), or the Gramian of
    the losses' gradients over the parameters (a backward pass a loss) or at the latent (about
    the cost of one pass). `over` says over which parameters.
    """

    gradient: Literal["none", "parameters", "latent"] = "none"
    over: Literal["shared", "all"] = "shared"

    @abstractmethod
    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        """The weights of one step. `gramian[:, i, j]` = ⟨∇L_i, ∇L_j⟩; None where not needed.

        `hyper` holds the row's `per_trial` hyperparameters, (M,) each.
        """
