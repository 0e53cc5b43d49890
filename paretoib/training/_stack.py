"""M models as one: parameters stacked along a leading axis, or the plain module for M = 1."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from paretoib.models import Head, Model

# One trial's part of the work: what it is given are that trial's encoder and head, as callables,
# and its slice of every other argument.
OneTrial = Callable[..., Any]


class Stack(ABC):
    """The models of a pack.

    `parameters` are leaves for autograd: first the encoder's, `before` of them, then what else
    p(z|x) has (binary layers), `shared` in all, then the rest of the head's, and what the weighting
    has of its own. Losses are compared over those that are shared. `per_trial` views a gradient
    with its leading axis of trials.
    """

    size: int
    parameters: list[Tensor]
    before: int
    shared: int

    @abstractmethod
    def map(self, function: OneTrial, *stacked: Any, chunk: int | None = None) -> Any:
        """`function(encoder, head, *args)` for every trial; tensors gain the trials' axis.

        `stacked` are tensors with leading axis M, or tuples and dicts of them; at most `chunk`
        trials are worked on at a time.
        """

    @abstractmethod
    def weighting(self) -> dict[str, Tensor]:
        """The weighting's own parameters by name, (M, …) each, for a step to be derived by."""

    @abstractmethod
    def per_trial(self, gradient: Tensor) -> Tensor:
        """A parameter's gradient as (M, …)."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Every parameter and buffer by its name, (M, …) each: no copies."""

    def _order(
        self, encoder: Iterable[Tensor], head: Mapping[str, Tensor], weighting: Iterable[Tensor]
    ) -> None:
        self.parameters = list(encoder)
        self.before = len(self.parameters)
        self._layers = [name for name in head if name.startswith("layers.")]
        self.shared = self.before + len(self._layers)
        self.parameters += [head[name] for name in self._layers]
        self.parameters += [tensor for name, tensor in head.items() if name not in self._layers]
        self.parameters += weighting

    def share_layers(self, count: int) -> None:
        """Z is what comes out of the first `count` layers; those above it are its decoder's."""
        below = [name for name in self._layers if int(name.split(".")[1]) < count]
        self.shared = self.before + len(below)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Overwrite parameters and buffers with what `state` gave."""
        for name, held in self.state().items():
            held.copy_(state[name])

    @abstractmethod
    def train(self, mode: bool) -> None:
        """Switch batch norm and the like between training and evaluation."""

    @property
    @abstractmethod
    def head(self) -> Head:
        """The first model's head: what is not a tensor in it holds for all."""


class Solo(Stack):
    """One model, run as the plain module that it is."""

    def __init__(self, model: Model) -> None:
        self.size = 1
        self.model = model
        self._order(
            model.encoder.parameters(),
            dict(model.head.named_parameters()),
            model.weighting.parameters(),
        )

    def map(self, function: OneTrial, *stacked: Any, chunk: int | None = None) -> Any:  # noqa: ARG002
        # Views both ways: to index instead would cost a copy in the backward pass.
        first = _each(lambda t: t.squeeze(0), stacked)
        result = function(self.model.encoder, self.model.head, *first)
        return _each(lambda t: t.unsqueeze(0), result)

    def weighting(self) -> dict[str, Tensor]:
        return {name: p.unsqueeze(0) for name, p in self.model.weighting.items()}

    def per_trial(self, gradient: Tensor) -> Tensor:
        return gradient.unsqueeze(0)

    def state(self) -> dict[str, Tensor]:
        return {name: t.unsqueeze(0) for name, t in self.model.state_dict().items()}

    def train(self, mode: bool) -> None:
        self.model.train(mode)

    @property
    def head(self) -> Head:
        return self.model.head


class Stacked(Stack):
    """M models of one shape under `vmap`."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.size = len(models)
        self.template = models[0]
        self._encoder = _states([m.encoder for m in models])
        self._head = _states([m.head for m in models])
        self._weighting = _states([m.weighting for m in models])
        self._order(self._encoder[0].values(), self._head[0], self._weighting[0].values())

    def map(self, function: OneTrial, *stacked: Any, chunk: int | None = None) -> Any:
        template = self.template

        def one(encoder_state: Any, head_state: Any, *args: Any) -> Any:
            def encoder(*inputs: Tensor) -> Any:
                return functional_call(template.encoder, encoder_state, inputs)

            def head(*inputs: Tensor) -> Any:
                return functional_call(template.head, head_state, inputs)

            return function(encoder, head, *args)

        return vmap(one, chunk_size=chunk)(self._encoder, self._head, *stacked)

    def weighting(self) -> dict[str, Tensor]:
        return self._weighting[0]

    def per_trial(self, gradient: Tensor) -> Tensor:
        return gradient

    def state(self) -> dict[str, Tensor]:
        return {
            f"{part}.{name}": tensor.detach()
            for part, states in (
                ("encoder", self._encoder),
                ("head", self._head),
                ("weighting", self._weighting),
            )
            for tensors in states
            for name, tensor in tensors.items()
        }

    def train(self, mode: bool) -> None:
        self.template.train(mode)

    @property
    def head(self) -> Head:
        return self.template.head


def stack(models: Sequence[Model]) -> Stack:
    """The models as one; they must have the same shapes."""
    return Solo(models[0]) if len(models) == 1 else Stacked(models)


def _states(modules: list[nn.Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    parameters, buffers = stack_module_state(modules)
    for tensor in parameters.values():
        tensor.requires_grad_()
    return parameters, buffers


def _each(function: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """`function` of every tensor in tuples and dicts of them (torch's `tree_map` is slower)."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, dict):
        return {name: _each(function, branch) for name, branch in tree.items()}
    return tuple([_each(function, branch) for branch in tree])
