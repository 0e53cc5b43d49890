"""torch's update rules as functions whose state is explicit: it can be stacked, saved and reset.

They are called as functions because the first step of a `torch.optim.Optimizer` imports torch's
compiler, which takes longer than many a trial. All move a parameter in proportion to the learning
rate, and none has a state that depends on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim.adadelta import adadelta
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam

Tensors = list[Tensor]


@dataclass(frozen=True)
class Rule:
    """Which tensors of a parameter's shape a rule keeps, and how it moves the parameters.

    `kernel` takes parameters, gradients, each of `state` in its order, steps, and as keywords the
    learning rate and `options`.
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
        rate: float,
    ) -> None:
        """Move the parameters, their state and the steps, all in place."""
        kept = [state[name] for name in self.state]
        self.kernel(parameters, gradients, *kept, steps, lr=rate, **self.options)


def _adam(
    parameters: Tensors,
    gradients: Tensors,
    first_moment: Tensors,
    second_moment: Tensors,
    steps: Tensors,
    **options: Any,
) -> None:
    largest: Tensors = []  # second moments, which AMSGrad alone keeps
    adam(
        parameters, gradients, first_moment, second_moment, largest, steps, amsgrad=False, **options
    )


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
