"""M models as one: parameters stacked along a leading axis, or a plain module for M = 1."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from paretoib.errors import SpecError
from paretoib.models import Head, Model
from paretoib.trained import TrainedModel

# A function of one trial: it gets the trial's encoder and head, as callables, and the trial's slice
# of every other argument.
TrialFunction = Callable[..., Any]


class Stack(ABC):
    """The models of a pack.

    `parameters` are leaves for autograd: first the parameters of the encoder, then of the sigmoid
    layers in the head, of the rest of the head, and of the weighting. The first `encoder_count`
    parameters belong to the encoder. The first `shared_count` parameters are shared by all losses:
    they belong to the encoder and the sigmoid layers, or to fewer layers after `share_layers`. A
    weighting with `over="shared"` compares gradients over the shared parameters.
    """

    size: int
    parameters: list[Tensor]
    encoder_count: int
    shared_count: int

    @abstractmethod
    def map(self, function: TrialFunction, *stacked: Any, chunk: int | None = None) -> Any:
        """Call `function(encoder, head, *args)` for every trial; results get a leading axis M.

        `stacked` are tensors with leading axis M, or tuples and dicts of such tensors. At most
        `chunk` trials are computed at a time.
        """

    @abstractmethod
    def weighting(self) -> dict[str, Tensor]:
        """The parameters and the state of the weighting by name, (M, …) each.

        Parameters have gradients, state has none.
        """

    def update_weighting(self, state: Mapping[str, Tensor]) -> None:
        """Replace values of the weighting's state in place; (M, …) each."""
        present = self.weighting()
        for name, values in state.items():
            present[name].copy_(values)

    @abstractmethod
    def per_trial(self, gradient: Tensor) -> Tensor:
        """View the gradient of a parameter as (M, …)."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """All parameters and buffers by name, (M, …) each, without copies."""

    def _order(
        self, encoder: Iterable[Tensor], head: Mapping[str, Tensor], weighting: Iterable[Tensor]
    ) -> None:
        self.parameters = list(encoder)
        self.encoder_count = len(self.parameters)
        self._layers = [name for name in head if name.startswith("layers.")]
        self.shared_count = self.encoder_count + len(self._layers)
        self.parameters += [head[name] for name in self._layers]
        self.parameters += [tensor for name, tensor in head.items() if name not in self._layers]
        self.parameters += weighting

    def share_layers(self, count: int) -> None:
        """Count only the encoder and the first `count` sigmoid layers of the head as shared.

        The layers above belong to the decoder.
        """
        shared = [name for name in self._layers if int(name.split(".")[1]) < count]
        self.shared_count = self.encoder_count + len(shared)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore a `state()` in place."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])

    @abstractmethod
    def train(self, mode: bool) -> None:
        """Switch all modules between training and evaluation mode."""

    @property
    @abstractmethod
    def head(self) -> Head:
        """The head of the first model; its attributes that are not tensors apply to all models."""


class SingleModel(Stack):
    """One model, called as a plain module."""

    def __init__(self, model: Model) -> None:
        self.size = 1
        self.model = model
        self._order(
            model.encoder.parameters(),
            dict(model.head.named_parameters()),
            model.weighting.parameters(),
        )

    def map(self, function: TrialFunction, *stacked: Any, chunk: int | None = None) -> Any:  # noqa: ARG002
        # `squeeze` and `unsqueeze` are views; indexing would cost a copy in the backward pass.
        first = _tree_map(lambda t: t.squeeze(0), stacked)
        result = function(self.model.encoder, self.model.head, *first)
        return _tree_map(lambda t: t.unsqueeze(0), result)

    def weighting(self) -> dict[str, Tensor]:
        weighting = self.model.weighting
        named = {**dict(weighting.named_parameters()), **dict(weighting.named_buffers())}
        return {name: tensor.unsqueeze(0) for name, tensor in named.items()}

    def per_trial(self, gradient: Tensor) -> Tensor:
        return gradient.unsqueeze(0)

    def state(self) -> dict[str, Tensor]:
        return {name: t.unsqueeze(0) for name, t in self.model.state_dict().items()}

    def train(self, mode: bool) -> None:
        self.model.train(mode)

    @property
    def head(self) -> Head:
        return self.model.head


class StackedModels(Stack):
    """M models of one shape under `vmap`."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.size = len(models)
        self.template = models[0]
        self._encoder = _states([m.encoder for m in models])
        self._head = _states([m.head for m in models])
        self._weighting = _states([m.weighting for m in models])
        self._order(self._encoder[0].values(), self._head[0], self._weighting[0].values())

    def map(self, function: TrialFunction, *stacked: Any, chunk: int | None = None) -> Any:
        template = self.template

        def call(encoder_state: Any, head_state: Any, *args: Any) -> Any:
            def encoder(*inputs: Tensor) -> Any:
                return functional_call(template.encoder, encoder_state, inputs)

            def head(*inputs: Tensor) -> Any:
                return functional_call(template.head, head_state, inputs)

            return function(encoder, head, *args)

        return vmap(call, chunk_size=chunk)(self._encoder, self._head, *stacked)

    def weighting(self) -> dict[str, Tensor]:
        parameters, state = self._weighting
        return {**parameters, **state}

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


def stack_models(models: Sequence[Model]) -> Stack:
    """Stack models that have the same shapes."""
    return SingleModel(models[0]) if len(models) == 1 else StackedModels(models)


def stack_trained(models: Sequence[TrainedModel]) -> Stack:
    """Stack trained models whose trials can train in one pack (equal `pack_key`).

    Raises:
        SpecError: the trials have different `pack_key`s.
    """
    if len({model.header.trial_spec.pack_key for model in models}) != 1:
        raise SpecError(
            "the models of a stack should differ only in per-trial fields and seeds; found "
            f"{len(models)} models with different shapes or sections"
        )
    return stack_models([Model(model.encoder, model.head) for model in models])


def _states(modules: list[nn.Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    parameters, buffers = stack_module_state(modules)
    for tensor in parameters.values():
        tensor.requires_grad_()
    return parameters, buffers


def _tree_map(function: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """Apply `function` to all tensors of nested tuples and dicts (torch's `tree_map` is slower)."""
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, dict):
        return {name: _tree_map(function, branch) for name, branch in tree.items()}
    return tuple([_tree_map(function, branch) for branch in tree])
