"""One optimiser for a stack of trials, whose learning rates may differ."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.specs import TrialSpec
from paretoib.training._rules import rule_of
from paretoib.training._schedule import LearningRates
from paretoib.training._stack import Stack


class Optimiser:
    """Applies one of torch's update rules (`rule_of`) to all trials in one call.

    torch's kernel takes a single learning rate. If the learning rates of the trials differ, the
    kernel computes the change for learning rate 1, which is then multiplied by each trial's
    learning rate. Such a step takes a third more time, however many learning rates differ.
    """

    def __init__(self, stack: Stack, specs: Sequence[TrialSpec]) -> None:
        self.stack = stack
        self.clip_norm = specs[0].training.clip_norm
        self.learning_rates = LearningRates(specs)
        self.parameters = [p.detach() for p in stack.parameters]
        self._rule = rule_of(specs[0].training)
        self.moments = {
            name: [torch.zeros_like(p) for p in self.parameters] for name in self._rule.state
        }
        steps = torch.zeros(len(self.parameters), device=self.parameters[0].device)
        self.steps = list(steps.unbind())
        self._change: list[Tensor] = []
        self._prepare_learning_rates()

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Update all parameters in place; `gradients` are in the order of `stack.parameters`."""
        if self.clip_norm is not None:
            gradients = self._clipped(gradients, self.clip_norm)
        # Gradients from vmap can be transposed in memory; the fused kernel misreads such tensors.
        gradients = [g.contiguous() for g in gradients]
        if not self._change:
            self._update(self.parameters, gradients, self.learning_rates.now[0])
            return
        torch._foreach_zero_(self._change)
        self._update(self._change, gradients, 1.0)
        for parameter, change in zip(self.parameters, self._change, strict=True):
            parameter.addcmul_(change, self._learning_rates.view(-1, *[1] * (change.ndim - 1)))

    def end_epoch(self, epoch: int, training_losses: Float[Tensor, " M"]) -> None:
        """Update all learning rates after an epoch with these mean training losses."""
        self.learning_rates.end_epoch(epoch, training_losses.tolist())
        self._prepare_learning_rates()

    def reset(self) -> None:
        """Start another stage of training: moments and step counts are 0, learning rates stay."""
        self.learning_rates.start_stage()
        for tensors in (self.steps, *self.moments.values()):
            torch._foreach_zero_(tensors)

    def state(self) -> dict[str, Tensor]:
        """Moments, step counts and learning rates, (M, …) each."""
        steps = torch.full((len(self.learning_rates.now),), float(self.steps[0]))
        return {"steps": steps, **self.learning_rates.state(), **self._moments()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a `state()`."""
        for name, moment in self._moments().items():
            moment.copy_(state[name])
        for step in self.steps:
            step.fill_(state["steps"][0])
        self.learning_rates.load(state)
        self._prepare_learning_rates()

    def _moments(self) -> dict[str, Tensor]:
        return {
            f"{kind}/{i}": self.stack.per_trial(moment)
            for kind, moments in self.moments.items()
            for i, moment in enumerate(moments)
        }

    def _prepare_learning_rates(self) -> None:
        if len(set(self.learning_rates.now)) > 1:
            self._learning_rates = torch.tensor(self.learning_rates.now).to(self.parameters[0])
            self._change = self._change or [torch.empty_like(p) for p in self.parameters]
        else:
            self._change = []

    def _update(
        self, parameters: list[Tensor], gradients: list[Tensor], learning_rate: float
    ) -> None:
        with torch.no_grad():
            self._rule.update(parameters, gradients, self.moments, self.steps, learning_rate)

    def _clipped(self, gradients: Sequence[Tensor], max_norm: float) -> list[Tensor]:
        rows = [self.stack.per_trial(g) for g in gradients]
        factor = (max_norm / gradient_norms(rows).clamp_min(1e-12)).clamp_max(1)
        scaled = [r * factor.view(-1, *[1] * (r.ndim - 1)) for r in rows]
        return [s.view_as(g) for s, g in zip(scaled, gradients, strict=True)]


def gradient_norms(rows: Sequence[Tensor]) -> Float[Tensor, " M"]:
    """The gradient norm of each trial over all parameters; `rows` are (M, …) each."""
    squares = [torch.linalg.vecdot(r.flatten(1), r.flatten(1)) for r in rows]
    return torch.stack(squares).sum(0).sqrt()
