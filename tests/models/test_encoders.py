"""Encoders: what they put out, how many parameters they have, how they start."""

from typing import Any

import pytest
import torch
from torch import nn

from paretoib.models import MODELS
from paretoib.models._model import Model, build_model
from paretoib.specs import section_model

SHAPES = {"image": (1, 12, 12), "vector": (6,)}
KINDS = [(name, kind) for name, row in MODELS.items() for kind in row.inputs]


def build(
    name: str, shape: tuple[int, ...], *, noise: bool = True, seed: int = 0, **params: Any
) -> Model:
    torch.manual_seed(seed)
    return build_model(
        name,
        section_model("model", name)(**params).params,
        shape=shape,
        classes=10,
        target_dim=None,
        noise=noise,
    )


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("name", "kind"), KINDS)
@pytest.mark.parametrize("noise", [True, False])
def test_every_encoder_takes_every_kind_of_input_it_names(
    name: str, kind: str, noise: bool
) -> None:
    """K means and, with noise, K widths for each example; examples do not mix in evaluation."""
    model = build(name, SHAPES[kind], noise=noise, latent=5).eval()
    x = torch.randn(3, *SHAPES[kind])
    raw = model.encoder(x)
    assert raw.shape == (3, 10 if noise else 5)
    torch.testing.assert_close(model.encoder(x[:1]), raw[:1], rtol=1e-4, atol=1e-5)
    assert (raw[0, :5] - raw[1, :5]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("stem", "outputs", "published"), [("cifar", 10, 11_173_962), ("imagenet", 1000, 11_689_512)]
)
def test_resnet18_has_the_published_number_of_parameters(
    stem: str, outputs: int, published: int
) -> None:
    """11 173 962 with CIFAR-10's stem and head, 11 689 512 with ImageNet's."""
    encoder = build("resnet18", (3, 32, 32), latent=outputs // 2, stem=stem).encoder
    assert count(encoder) == published


@pytest.mark.parametrize(("stem", "size"), [("cifar", 4), ("imagenet", 1)])
def test_resnet18_has_the_resolution_of_its_stem(stem: str, size: int) -> None:
    """32×32 images end as 4×4 maps behind CIFAR's stem and as 1×1 behind ImageNet's."""
    encoder: Any = build("resnet18", (3, 32, 32), stem=stem).encoder.eval()
    assert encoder.features(torch.randn(1, 3, 32, 32)).shape == (1, 512, size, size)


def test_mlp_has_the_widths_of_vim() -> None:
    """784–1024–1024–2K with K = 256, ReLU between and none at the end, a linear decoder."""
    model = build("mlp", (1, 28, 28), hidden=(1024, 1024), latent=256)
    linear = [m for m in model.encoder.modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [
        (784, 1024),
        (1024, 1024),
        (1024, 512),
    ]
    assert count(model.encoder) == 785 * 1024 + 1025 * 1024 + 1025 * 512
    assert count(model.head) == 257 * 10
    assert (model.encoder(torch.randn(8, 1, 28, 28)) < 0).any()


def test_linear_encoder_has_the_same_width_for_every_input() -> None:
    """Means are affine in x, widths do not depend on it: no hidden nonlinearity."""
    encoder = build("linear", (6,), latent=3).encoder
    a, b = torch.randn(2, 6)
    raw = encoder(torch.stack([a, b, (a + b) / 2]))
    torch.testing.assert_close(raw[2], (raw[0] + raw[1]) / 2)
    assert torch.equal(raw[0, 3:], raw[1, 3:])


@pytest.mark.parametrize("name", ["mlp", "linear"])
def test_initial_scale_multiplies_the_weights_alone(name: str) -> None:
    """Matrices are scaled; biases, widths and the decoder start as they would."""
    plain, scaled = build(name, (6,)), build(name, (6,), initial_scale=3.0)
    for (where, a), (_, b) in zip(plain.named_parameters(), scaled.named_parameters(), strict=True):
        factor = 3 if where.startswith("encoder.") and where.endswith("weight") else 1
        assert torch.equal(a * factor, b), where
