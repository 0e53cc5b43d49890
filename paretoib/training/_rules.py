"""torch's update rules as functions whose state is explicit: it can be stacked, saved and reset.

They are called as functions because the first step of a `torch.optim.Optimizer` imports torch's
compiler, which takes longer than many a trial. All move a parameter in proportion to the learning
rate, and none has a state that depends on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.optim.adadelta import adadelta
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam

Tensors = list[Tensor]
# Parameters, gradients, state by its name, steps, learning rate.
Update = Callable[[Tensors, Tensors, Mapping[str, Tensors], Tensors, float], None]


@dataclass(frozen=True)
class Rule:
    """Which tensors of a parameter's shape a rule keeps, and how it moves the parameters."""

    state: tuple[str, ...]
    update: Update


def _adam(
    parameters: Tensors,
    gradients: Tensors,
    state: Mapping[str, Tensors],
    steps: Tensors,
    rate: float,
) -> None:
    adam(
        parameters,
        gradients,
        state["first_moment"],
        state["second_moment"],
        [],
        steps,
        fused=True,
        amsgrad=False,
        beta1=0.9,
        beta2=0.999,
        lr=rate,
        weight_decay=0.0,
        eps=1e-8,
        maximize=False,
    )


def _adadelta(
    parameters: Tensors,
    gradients: Tensors,
    state: Mapping[str, Tensors],
    steps: Tensors,
    rate: float,
) -> None:
    adadelta(
        parameters,
        gradients,
        state["second_moment"],
        state["squared_change"],
        steps,
        lr=rate,
        rho=0.9,
        eps=1e-6,
        weight_decay=0.0,
        maximize=False,
    )


def _adagrad(
    parameters: Tensors,
    gradients: Tensors,
    state: Mapping[str, Tensors],
    steps: Tensors,
    rate: float,
) -> None:
    adagrad(
        parameters,
        gradients,
        state["squared_sum"],
        steps,
        lr=rate,
        weight_decay=0.0,
        lr_decay=0.0,
        eps=1e-10,
        maximize=False,
    )


def _sgd(
    parameters: Tensors,
    gradients: Tensors,
    state: Mapping[str, Tensors],  # noqa: ARG001
    steps: Tensors,  # noqa: ARG001
    rate: float,
) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.add_(gradient, alpha=-rate)


RULES = {
    "adam": Rule(("first_moment", "second_moment"), _adam),
    "adadelta": Rule(("second_moment", "squared_change"), _adadelta),
    "adagrad": Rule(("squared_sum",), _adagrad),
    "sgd": Rule((), _sgd),
}
