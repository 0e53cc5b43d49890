"""torch's update rules as functions with explicit state, which can be stacked, saved and reset.

The functional interface is used because the first step of a `torch.optim.Optimizer` imports torch's
compiler, which takes longer than many trials. Every rule must change parameters in proportion to
the learning rate, and its state must not depend on the learning rate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor
from torch.optim.adadelta import adadelta
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam

from paretoib.specs import Training

Tensors = list[Tensor]


@dataclass(frozen=True)
class Rule:
    """An update rule: the names of its state tensors and its kernel.

    State tensors have the shape of the parameter. `kernel` takes the parameters, the gradients, the
    state tensors in the order of `state`, and the step counts. The learning rate and `options` are
    keyword arguments.
    """

    state: tuple[str, ...]
    kernel: Callable[..., None]
    options: Mapping[str, float] = field(default_factory=dict)

    def update(
        self,
        parameters: Tensors,
        gradients: Tensors,
        state: Mapping[str, Tensors],
        steps: Tensors,
        learning_rate: float,
    ) -> None:
        """Update parameters, state and step counts in place."""
        tensors = [state[name] for name in self.state]
        self.kernel(parameters, gradients, *tensors, steps, lr=learning_rate, **self.options)


def _adam(
    parameters: Tensors,
    gradients: Tensors,
    first_moment: Tensors,
    second_moment: Tensors,
    steps: Tensors,
    **options: Any,
) -> None:
    max_moment: Tensors = []  # used by AMSGrad only
    moments = (first_moment, second_moment, max_moment)
    adam(parameters, gradients, *moments, steps, amsgrad=False, **options)


def _sgd(parameters: Tensors, gradients: Tensors, _: Tensors, *, lr: float) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.add_(gradient, alpha=-lr)


_PLAIN = {"weight_decay": 0.0, "maximize": False}
RULES = {
    "adam": Rule(
        ("first_moment", "second_moment"),
        _adam,
        {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "fused": True, **_PLAIN},
    ),
    "adadelta": Rule(
        ("second_moment", "squared_change"), adadelta, {"rho": 0.9, "eps": 1e-6, **_PLAIN}
    ),
    "adagrad": Rule(("squared_sum",), adagrad, {"lr_decay": 0.0, "eps": 1e-10, **_PLAIN}),
    "sgd": Rule((), _sgd),
}


def rule_of(training: Training) -> Rule:
    """The update rule of a trial's training."""
    rule = RULES[training.optimiser]
    if training.optimiser != "adam":
        return rule
    return replace(rule, options={**rule.options, "beta1": training.adam_beta1})
