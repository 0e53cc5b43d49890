"""Fixtures: weightings built from specs, and random gradients."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.specs import section_model
from paretoib.weighting import WEIGHTINGS
from paretoib.weighting._weighting import Weighting, Weights

Weigh = Callable[[Tensor, Tensor], Weights]


@pytest.fixture(scope="session")
def weighting() -> Callable[..., Weigh]:
    """`weighting(name, **params)` returns a function from losses and Jacobians to weights.

    Losses have shape (M, m), Jacobians (M, m, d).
    """

    def build(name: str, **params: Any) -> Weigh:
        section = section_model("weighting", name)(**params)
        shared = {k: v for k, v in section.params.items() if not section.is_per_trial(k)}
        per_trial = {k: float(section[k]) for k in section.params if k not in shared}
        built: Weighting = WEIGHTINGS[name].load()(**shared)

        def weigh(losses: Tensor, jacobians: Tensor) -> Weights:
            hyper = {k: torch.full((len(losses),), v) for k, v in per_trial.items()}
            return built(losses, jacobians @ jacobians.mT, hyper)

        return weigh

    return build


class Remembering:
    """A weighting with state, which is kept from step to step as in a pack."""

    def __init__(self, built: Weighting, hyper: dict[str, Tensor]) -> None:
        self.built = built
        self.hyper = hyper

    def weights(self, losses: Tensor) -> Tensor:
        """The weights of the next step."""
        return self.built(losses, None, self.hyper).step

    def step(self, losses: Tensor, new_losses: Tensor) -> None:
        """End a step that changed the losses."""
        self.hyper |= self.built.after_step(self.hyper, losses, lambda: new_losses)

    def end_epoch(self) -> None:
        self.hyper |= self.built.after_epoch(self.hyper)


@pytest.fixture(scope="session")
def remembering() -> Callable[..., Remembering]:
    """`remembering(name, M, m, **params)` returns a weighting of m losses of M trials."""

    def build(name: str, trials: int, losses: int, **params: Any) -> Remembering:
        section = section_model("weighting", name)(**params)
        built: Weighting = WEIGHTINGS[name].build(section.params)
        built.loss_count = losses
        hyper = {k: torch.full((trials,), section[k]) for k in section.params}
        state = {k: v.double().expand(trials, *v.shape) for k, v in built.state().items()}
        return Remembering(built, hyper | state)

    return build


@pytest.fixture(scope="session")
def jacobians() -> Callable[..., Tensor]:
    """`jacobians(M, m, d)` returns M random sets of m gradients with d entries, of unequal norm."""

    def draw(trials: int, losses: int, parameters: int, seed: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randn(trials, losses, parameters, generator=generator, dtype=torch.float64)
        lengths = torch.randn(trials, losses, 1, generator=generator, dtype=torch.float64).exp()
        return rows * lengths

    return draw
