"""A user's own torch module as an encoder."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from paretoib.errors import SpecError
from paretoib.models._definition import required_arguments
from paretoib.models._encoders import encoder_of
from paretoib.registry import Noise


class OwnEncoder(nn.Module):
    """Map x (B, *shape) to means and r of `Head` (B, 2K); if not `noise`, to means (B, K).

    An encoder with an argument gets the number of outputs, 2K or K, and makes a module with these
    outputs. An encoder without arguments makes a module with any outputs; a linear layer follows.

    Raises:
        SpecError: the encoder is not known to this process, fails, or has other outputs.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        latent: int,
        *,
        noise: bool,
        encoder: str,
        code: str,
        stack: bool,  # noqa: ARG002
    ) -> None:
        super().__init__()
        make = encoder_of({"encoder": encoder, "code": code})
        outputs = latent * (2 if noise else 1)
        backbone = required_arguments(make) == 0
        self.output: nn.Module = nn.Identity()
        try:
            self.module = make() if backbone else make(outputs)
            found = self._features(shape)
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise SpecError(
                f"encoder: `{encoder}` should make a module that maps (B, {_listed(shape)}) to "
                f"(B, {'any number' if backbone else outputs}); found "
                f"{type(error).__name__}: {text}"
            ) from error
        if backbone:
            self.output = nn.Linear(found, outputs)
        elif found != outputs:
            raise SpecError(
                f"encoder: `{encoder}({outputs})` should have {outputs} outputs, "
                f"{'a mean and a width' if noise else 'a mean'} for each of {latent} latent "
                f"dimensions; found {found}"
            )

    def forward(self, x: Tensor) -> Tensor:
        """The encoder's output for a batch."""
        outputs: Tensor = self.output(self.module(x).flatten(1))
        return outputs

    @torch.no_grad()
    def _features(self, shape: tuple[int, ...]) -> int:
        """The number of outputs of the module; also initialises lazy layers."""
        self.module.eval()  # so that batch norm does not count this batch
        features = self.module(torch.zeros(2, *shape)).flatten(1)
        self.module.train()
        return int(features.shape[1])


def check_encoder(section: Mapping[str, Any], shape: tuple[int, ...], *, noise: Noise) -> None:
    """Check that an encoder can be trained, on a random batch.

    Its output may depend only on the batch, on parameters and on buffers. Then trials have the same
    results in every pack. Raises `SpecError` for a module that draws random numbers, and, unless
    `stack` is off, for one that torch's vmap cannot run.
    """
    names = ("latent", "encoder", "code", "stack")
    options = {name: section[name] for name in names} | {"noise": noise == "learned"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoders = [OwnEncoder(shape, **options) for _ in range(2)]
        x = torch.randn(2, 4, *shape)
        drawn = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            drawn.append(copy.deepcopy(encoders[1])(x[1]).detach())
    if not torch.equal(*drawn):
        raise SpecError(
            f"encoder: `{section['encoder']}` should draw no random numbers, because they do not "
            "depend on the seed of a trial; found other outputs for the same input: replace "
            "nn.Dropout by paretoib.models.Dropout, and leave the noise of Z to paretoib"
        )
    if section["stack"]:
        _check_vmap(str(section["encoder"]), encoders, x, drawn[1])


def _check_vmap(name: str, encoders: list[OwnEncoder], x: Tensor, alone: Tensor) -> None:
    """Check that two stacked encoders give the output `alone` of the second, and gradients."""
    remedy = "set its field `stack` to false, so that trials train one at a time"
    try:
        parameters, buffers = stack_module_state([copy.deepcopy(encoder) for encoder in encoders])

        def call(parameters: Any, buffers: Any, x: Tensor) -> Tensor:
            output: Tensor = functional_call(encoders[0], (parameters, buffers), (x,))
            return output

        outputs = vmap(call)(parameters, buffers, x)
        outputs.sum().backward()
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise SpecError(
            f"model.stack: torch's vmap should run encoder `{name}`; found "
            f"{type(error).__name__}: {text}: {remedy}"
        ) from error
    if not torch.allclose(outputs[1], alone, rtol=1e-3, atol=1e-4):
        raise SpecError(
            f"encoder: the tensors of `{name}` should be parameters or buffers "
            "(`register_buffer`); found outputs that change if two encoders are stacked"
        )


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
