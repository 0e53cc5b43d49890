"""Trials with a user's own encoder."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from paretoib.models import Dropout
from paretoib.specs import SweepSpec, with_own_parts
from paretoib.training._run import run_trials


class Features(nn.Module):
    """Features with batch norm, dropout, a lazy layer and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        # Before batch norm, gradients of a bias would be rounding errors only.
        linear = nn.LazyLinear(16, bias=False)
        self.layers = nn.Sequential(
            nn.Flatten(), linear, nn.BatchNorm1d(16), nn.ReLU(), Dropout(0.2)
        )
        self.register_buffer("factor", torch.rand(64))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1) * self.factor)


def test_an_own_encoder_has_the_same_record_alone_and_in_a_pack(
    assert_same: Callable[..., None],
) -> None:
    """Statistics of batch norm, masks of dropout and buffers are those of each trial."""
    document: dict[str, Any] = {
        "method": "vib",
        "model": {"latent": 4},
        "training": {"epochs": 3},
        "grid": {"beta": [0.001, 0.1]},
    }
    template = SweepSpec.from_document(with_own_parts(document, None, Features)).template
    specs = [
        template.with_fields({"beta": beta, "seed": seed}) for beta, seed in ((0.001, 0), (0.1, 1))
    ]
    for spec, packed in zip(specs, run_trials(specs, device="cpu"), strict=True):
        alone = run_trials([spec], device="cpu")[0]
        assert (alone.status, packed.status, packed.pack) == ("finished", "finished", 2)
        assert_same(alone.history, packed.history, rel=1e-4)
        assert alone.test is not None
        assert packed.test is not None
        assert_same(alone.test.model_dump(), packed.test.model_dump(), rel=1e-4)
