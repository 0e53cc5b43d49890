"""One optimiser for a stack of trials whose learning rates may differ."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from paretoib.specs import TrialSpec
from paretoib.training._rules import RULES
from paretoib.training._schedule import LearningRates
from paretoib.training._stack import Stack


class Optimiser:
    """One of torch's rules (`RULES`), one call for all trials.

    The kernel knows one learning rate. Where trials differ in theirs, it makes a step of rate 1
    from zero, which then moves each trial's parameters at that trial's own rate: a third slower,
    however many rates there are.
    """

    def __init__(self, stack: Stack, specs: Sequence[TrialSpec]) -> None:
        self.stack = stack
        self.clip_norm = specs[0].training.clip_norm
        self.rates = LearningRates(specs)
        self.parameters = [p.detach() for p in stack.parameters]
        self._rule = RULES[specs[0].training.optimiser]
        self.moments = {
            name: [torch.zeros_like(p) for p in self.parameters] for name in self._rule.state
        }
        steps = torch.zeros(len(self.parameters), device=self.parameters[0].device)
        self.steps = list(steps.unbind())
        self._change: list[Tensor] = []
        self._scale_to_rates()

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Update every trial's parameters in place, from gradients as the stack has them."""
        if self.clip_norm is not None:
            gradients = self._clipped(gradients, self.clip_norm)
        # vmap's gradients are transposed in memory, which the fused kernel misreads.
        gradients = [g.contiguous() for g in gradients]
        if not self._change:
            self._update(self.parameters, gradients, self.rates.now[0])
            return
        torch._foreach_zero_(self._change)
        self._update(self._change, gradients, 1.0)
        for parameter, change in zip(self.parameters, self._change, strict=True):
            parameter.addcmul_(change, self._rates.view(-1, *[1] * (change.ndim - 1)))

    def end_epoch(self, epoch: int, validation_losses: Float[Tensor, " M"]) -> None:
        """Move every learning rate on after an epoch."""
        self.rates.end_epoch(epoch, validation_losses.tolist())
        self._scale_to_rates()

    def reset(self) -> None:
        """Forget all gradients, as at the start; learning rates stay."""
        for tensors in (self.steps, *self.moments.values()):
            torch._foreach_zero_(tensors)

    def state(self) -> dict[str, Tensor]:
        """The rule's moments, its steps and the learning rates, (M, …) each."""
        steps = torch.full((len(self.rates.now),), float(self.steps[0]))
        return {"steps": steps, **self.rates.state(), **self._moments()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        for name, moment in self._moments().items():
            moment.copy_(state[name])
        for step in self.steps:
            step.fill_(state["steps"][0])
        self.rates.load(state)
        self._scale_to_rates()

    def _moments(self) -> dict[str, Tensor]:
        return {
            f"{kind}/{i}": self.stack.per_trial(moment)
            for kind, moments in self.moments.items()
            for i, moment in enumerate(moments)
        }

    def _scale_to_rates(self) -> None:
        if len(set(self.rates.now)) > 1:
            self._rates = torch.tensor(self.rates.now).to(self.parameters[0])
            self._change = self._change or [torch.empty_like(p) for p in self.parameters]
        else:
            self._change = []

    def _update(self, parameters: list[Tensor], gradients: list[Tensor], rate: float) -> None:
        with torch.no_grad():
            self._rule.update(parameters, gradients, self.moments, self.steps, rate)

    def _clipped(self, gradients: Sequence[Tensor], most: float) -> list[Tensor]:
        rows = [self.stack.per_trial(g) for g in gradients]
        factor = (most / gradient_norms(rows).clamp_min(1e-12)).clamp_max(1)
        scaled = [r * factor.view(-1, *[1] * (r.ndim - 1)) for r in rows]
        return [s.view_as(g) for s, g in zip(scaled, gradients, strict=True)]


def gradient_norms(rows: Sequence[Tensor]) -> Float[Tensor, " M"]:
    """Each trial's gradient norm over all parameters; `rows` are (M, …) each."""
    squares = [torch.linalg.vecdot(r.flatten(1), r.flatten(1)) for r in rows]
    return torch.stack(squares).sum(0).sqrt()
