"""Fixtures: small trials, packs, and a hand-written VIB model for comparison."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paretoib.data._load import load_dataset
from paretoib.models import MODELS, ModelEntry
from paretoib.specs import TrialSpec, with_overrides
from paretoib.training._batches import Batch
from paretoib.training._pack import Pack

CPU = torch.device("cpu")

Trial = Callable[..., TrialSpec]


@pytest.fixture(scope="session")
def trial() -> Trial:
    """`trial(method, data, **fields)` returns a small trial; fields have names such as `beta`."""

    def make(method: str = "vib", data: str = "digits", **fields: Any) -> TrialSpec:
        small: dict[str, Any] = {"latent": 4, "epochs": 2}
        if data == "digits" and "model" not in fields:
            small["hidden"] = [16]
        sections: dict[str, Any] = {k: fields.pop(k) for k in ("model", "objective") if k in fields}
        document: dict[str, Any] = {"method": method, "data": data, **sections}
        seed = fields.pop("seed", 0)
        template = with_overrides(document, small | fields).template
        return template.with_fields({"seed": seed})

    return make


@pytest.fixture(scope="session")
def pack_of() -> Callable[[Sequence[TrialSpec]], Pack]:
    """`pack_of(specs)` returns the pack of these trials on the CPU."""

    def make(specs: Sequence[TrialSpec]) -> Pack:
        data = specs[0].data
        return Pack(specs, load_dataset(data.name, data.params), CPU)

    return make


@dataclass
class PlainVIB:
    """One trial of a `Pack`, written in plain torch: 64–16–2K encoder, K–10 decoder.

    K is the size of the latent. `parameters` holds the weight and the bias of each of the three
    layers, in order.
    """

    spec: TrialSpec
    parameters: list[Tensor]

    @classmethod
    def copy(cls, pack: Pack, trial: int) -> "PlainVIB":
        """A model with the present weights of a trial of a pack."""
        weights = [pack.stack.per_trial(p.detach())[trial] for p in pack.stack.parameters]
        return cls(pack.specs[trial], [p.clone().requires_grad_() for p in weights])

    def raw(self, x: Tensor) -> Tensor:
        """The encoder's output (B, 2K)."""
        hidden = F.linear(x.flatten(1), *self.parameters[:2]).relu()
        return F.linear(hidden, *self.parameters[2:4])

    def losses(self, raw: Tensor, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy and KL(p(z|x) ‖ N(0, σ²I)), in nats."""
        mean, r = raw.chunk(2, dim=1)
        start = torch.tensor(self.spec.get("initial_noise"))
        s = F.softplus(r + start.expm1().log())
        logits = F.linear(mean + s * noise, *self.parameters[4:])
        sigma = self.spec.get("prior_width")
        kl = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, s),
            torch.distributions.Normal(torch.zeros(()), torch.tensor(sigma)),
        )
        return F.cross_entropy(logits, y), kl.sum(1).mean()

    def losses_on(self, batch: Batch, trial: int) -> tuple[Tensor, Tensor]:
        """Both losses of one trial on a batch of a pack."""
        return self.losses(self.raw(batch.x[trial]), batch.y[trial], batch.noise[trial])


@pytest.fixture(scope="session")
def plain() -> type[PlainVIB]:
    """The hand-written model."""
    return PlainVIB


@pytest.fixture(scope="session")
def assert_same() -> Callable[..., None]:
    """A function that compares the histories or metrics of two trials, number by number.

    A rounding error can change the most likely class of a sample, so the accuracy of one sample may
    differ by a few of 12 · 359 samples.
    """

    def check(left: Any, right: Any, *, rel: float, path: str = "") -> None:
        if isinstance(left, Mapping):
            assert left.keys() == right.keys(), path
            for key in left:
                check(left[key], right[key], rel=rel, path=f"{path}.{key}")
        elif isinstance(left, tuple):
            assert len(left) == len(right), path
            for i, (a, b) in enumerate(zip(left, right, strict=True)):
                check(a, b, rel=rel, path=f"{path}[{i}]")
        elif left is None or right is None:
            assert left is right, path
        else:
            absolute = 1e-3 if path == ".accuracy_one_sample" else rel / 10
            assert left == pytest.approx(right, rel=rel, abs=absolute), path

    return check


class TinyConv(nn.Module):
    """A convolution with batch norm."""

    def __init__(self, shape: tuple[int, ...], latent: int, *, noise: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(shape[0], 4, 3, stride=2, bias=False), nn.BatchNorm2d(4), nn.ReLU()
        )
        self.output = nn.Linear(36, latent * (2 if noise else 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.features(x).flatten(1))


@pytest.fixture
def tiny_conv(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a model with batch norm, registered for one test."""
    entry = ModelEntry(f"{__name__}:TinyConv", "for tests", params=MODELS["linear"].params)
    monkeypatch.setitem(MODELS, "tiny_conv", entry)
    return "tiny_conv"
