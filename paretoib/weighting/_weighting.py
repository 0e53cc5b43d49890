"""The contract of a weighting."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Weights:
    """The step is Σ_i step_i ∇L_i, one row a trial; `log` is what its history keeps.

    Where the weighting learns the weights itself, `penalty` is what it adds to Σ_i step_i L_i.
    """

    step: Float[Tensor, "M m"]
    log: Mapping[str, Float[Tensor, "M m"]] = field(default_factory=dict)
    penalty: Float[Tensor, " M"] | None = None


class Weighting(ABC):
    """Turns the losses of M trials, and where it needs them their gradients, into weights.

    An implementer guarantees: each trial's weights depend on that trial's losses and gradients
    alone, no gradient flows through them but to the weighting's own parameters, and they are
    finite wherever the losses and gradients are.

    `tasks` is how many of the losses are predictions, which come first; whoever builds a weighting
    for several tasks sets it.

    `gradient` says what it needs: nothing but the losses (one backward pass), or the Gramian of
    the losses' gradients over the parameters (a backward pass a loss) or at the latent (about
    the cost of one pass). `over` says over which parameters.
    """

    gradient: Literal["none", "parameters", "latent"] = "none"
    over: Literal["shared", "all"] = "shared"
    tasks: int = 1

    def parameters(self) -> Mapping[str, Tensor]:
        """What the weighting itself has to learn, as it starts; by default nothing.

        They are trained with the model, by the gradient of Σ_i step_i L_i + penalty, and come to
        each call in `hyper`, (M, …) each. Only for a weighting whose `gradient` is "none".
        """
        return {}

    @abstractmethod
    def __call__(
        self,
        losses: Float[Tensor, "M m"],
        gramian: Float[Tensor, "M m m"] | None,
        hyper: Mapping[str, Any],
    ) -> Weights:
        """The weights of one step. `gramian[:, i, j]` = ⟨∇L_i, ∇L_j⟩; None where not needed.

        `hyper` holds the row's `per_trial` hyperparameters, (M,) each or (M, n) of a list.
        """
