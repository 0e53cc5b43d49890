"""Encoders: outputs, numbers of parameters and initial values."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.models._layers import Dropout
from paretoib.models._model import Model, build_model
from paretoib.specs import section_model

SHAPES = {"image": (1, 20, 20), "vector": (6,)}
# Smaller versions of networks for large images.
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"channels": (4, 6, 8, 10)},
    "mtvib_cnn": {"hidden": (16, 12)},
}
# The encoder of a user is tested in test_own.py.
KINDS = [
    (n, kind)
    for n, entry in MODELS.items()
    if not entry.sigmoid and not entry.local
    for kind in entry.inputs
]


def build(
    name: str, shape: tuple[int, ...], *, noise: bool = True, seed: int = 0, **params: Any
) -> Model:
    torch.manual_seed(seed)
    return build_model(
        name,
        section_model("model", name)(**SMALL.get(name, {}) | params).params,
        shape=shape,
        classes=10,
        target_dim=None,
        noise="learned" if noise else "none",
    )


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("name", "kind"), KINDS)
@pytest.mark.parametrize("noise", [True, False])
def test_every_encoder_accepts_the_inputs_of_its_entry(name: str, kind: str, noise: bool) -> None:
    """An encoder returns K means and, with noise, K numbers r for the widths.

    In evaluation, the outputs of an example do not depend on the other examples.
    """
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
    """ResNet-18 has 11 173 962 parameters for CIFAR-10 and 11 689 512 for ImageNet.

    The stem and the number of outputs differ between these data sets.
    """
    encoder = build("resnet18", (3, 32, 32), latent=outputs // 2, stem=stem).encoder
    assert count(encoder) == published


@pytest.mark.parametrize(("stem", "size"), [("cifar", 4), ("imagenet", 1)])
def test_resnet18_has_the_resolution_of_its_stem(stem: str, size: int) -> None:
    """ResNet-18 maps 32×32 images to 4×4 maps with stem `cifar`, and to 1×1 with `imagenet`."""
    encoder: Any = build("resnet18", (3, 32, 32), stem=stem).encoder.eval()
    assert encoder.features(torch.randn(1, 3, 32, 32)).shape == (1, 512, size, size)


def test_mlp_can_be_the_network_of_vim_for_mnist() -> None:
    """Model `mlp` can have vim's encoder, 784–1024–1024–2K with K = 256, and a linear decoder.

    The encoder has no final ReLU.
    """
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


@pytest.mark.parametrize(("activation", "low", "high"), [("relu", 0, 9), ("sigmoid", 0.1, 0.9)])
def test_mlp_has_the_requested_activation(activation: str, low: float, high: float) -> None:
    """The hidden values of `mlp` are in the range of the activation; imb uses `sigmoid`."""
    encoder: Any = build("mlp", (6,), hidden=(512, 512), activation=activation).encoder
    hidden = encoder.layers[:-1](torch.randn(64, 6)).detach()
    assert low <= float(hidden.min()) < float(hidden.max()) < high
    assert (hidden == 0).any() == (activation == "relu")


def test_cnn_is_the_network_of_vim_for_cifar() -> None:
    """Model `cnn` has four 4×4 convolutions, which end with 1024 maps of 2×2.

    A linear layer gives 2K outputs, K = 64.
    """
    params = section_model("model", "cnn").model_validate({}).params
    model = build("cnn", (3, 32, 32), channels=params["channels"])
    encoder: Any = model.encoder.eval()
    assert encoder.features(torch.randn(1, 3, 32, 32)).shape == (1, 1024, 2, 2)
    widths = (3, 128, 256, 512, 1024)
    convolutions = sum(16 * a * b + 2 * b for a, b in pairwise(widths))
    assert count(encoder) == convolutions + (4096 + 1) * 128
    assert count(model.head) == (64 + 1) * 10


TABLES: list[Any] = [((1, 36, 36), {}, 3136), ((3, 150, 150), {"kernel": 5, "stride": 2}, 4096)]


@pytest.mark.parametrize(("shape", "sizes", "features"), TABLES)
def test_small_alexnet_has_the_layers_of_mtvib(
    shape: tuple[int, ...], sizes: dict[str, Any], features: int
) -> None:
    """Model `small_alexnet` has mtvib's convolutions, then dense layers F–384–192–10.

    F is the number of outputs of the convolutions (mtvib tables 1 and 2, (a)). The test compares
    the numbers of parameters.
    """
    model = build("small_alexnet", shape, noise=False, **sizes)
    convolutions = sizes.get("kernel", 3) ** 2 * 64 * (shape[0] + 64) + 2 * 2 * 64
    dense = (features + 1) * 384 + 2 * 384 + (384 + 1) * 192 + 2 * 192 + (192 + 1) * 10
    assert count(model) == convolutions + dense
    raw = model.encoder(torch.randn(2, *shape))
    assert raw.min() == 0
    assert raw.max() > 0


@pytest.mark.parametrize(("shape", "sizes", "features"), TABLES)
def test_mtvib_cnn_has_the_layers_of_mtvib(
    shape: tuple[int, ...], sizes: dict[str, Any], features: int
) -> None:
    """Model `mtvib_cnn` has mtvib's convolutions, then dense layers F–1024–1024–1024–2·256.

    F is the number of outputs of the convolutions (mtvib tables 1 and 2, (c)). The decoder is
    256–384–192–10. The test compares the numbers of parameters.
    """
    hidden = section_model("model", "mtvib_cnn").model_validate({}).params["hidden"]
    model = build("mtvib_cnn", shape, hidden=hidden, **sizes)
    convolutions = sizes.get("kernel", 3) ** 2 * 64 * (shape[0] + 64) + 2 * 2 * 64
    hidden_layers = (features + 1) * 1024 + 2 * (1024 + 1) * 1024 + 3 * 2 * 1024
    assert count(model.encoder) == convolutions + hidden_layers + (1024 + 1) * 512
    assert count(model.head) == 257 * 384 + 2 * 384 + 385 * 192 + 2 * 192 + 193 * 10
    assert model.encoder(torch.randn(4, *shape))[:, :256].min() < 0


def test_the_final_relu_applies_to_the_means_only() -> None:
    """A final ReLU applies to the means, but not to the outputs r for the widths.

    Because r can be negative, the widths can become small.
    """
    raw = build("small_alexnet", (1, 20, 20), latent=6).encoder(torch.randn(8, 1, 20, 20))
    assert raw[:, :6].min() == 0
    assert raw[:, 6:].min() < 0


def test_dropout_cnn_is_the_mnist_example_of_pytorch() -> None:
    """Model `dropout_cnn` is PyTorch's MNIST example with K = 128 outputs instead of ten.

    The test compares the number of parameters and the shares of dropout.
    """
    model = build("dropout_cnn", (1, 28, 28), noise=False, latent=128)
    published = 1_199_882  # with ten outputs
    assert count(model.encoder) == published - 129 * 10 + 129 * 128
    shares = [layer.share for layer in model.encoder.modules() if isinstance(layer, Dropout)]
    assert shares == [0.25, 0.5]


@pytest.mark.parametrize(("name", "side"), [("cnn", 15), ("mtvib_cnn", 9), ("dropout_cnn", 5)])
def test_an_image_too_small_for_the_convolutions_is_refused(name: str, side: int) -> None:
    """The error for an image that is too small for the convolutions gives the image's side.

    An image whose side is one pixel longer is accepted.
    """
    with pytest.raises(SpecError, match=f"need larger images; found a side of {side}"):
        build(name, (1, side, side))
    assert count(build(name, (1, side + 1, side + 1))) > 0


def test_linear_encoder_has_the_same_width_for_every_input() -> None:
    """The means of the linear encoder are affine in x, and the widths do not depend on x."""
    encoder = build("linear", (6,), latent=3).encoder
    a, b = torch.randn(2, 6)
    raw = encoder(torch.stack([a, b, (a + b) / 2]))
    torch.testing.assert_close(raw[2], (raw[0] + raw[1]) / 2)
    assert torch.equal(raw[0, 3:], raw[1, 3:])


@pytest.mark.parametrize("name", ["mlp", "linear"])
def test_initial_scale_multiplies_only_the_weights_of_the_encoder(name: str) -> None:
    """`initial_scale` multiplies the encoder's weights, but not biases, widths or the decoder."""
    plain, scaled = build(name, (6,)), build(name, (6,), initial_scale=3.0)
    for (key, a), (_, b) in zip(plain.named_parameters(), scaled.named_parameters(), strict=True):
        factor = 3 if key.startswith("encoder.") and key.endswith("weight") else 1
        assert torch.equal(a * factor, b), key


def test_a_centred_mlp_maps_0_to_minus_1_and_1_to_1() -> None:
    """With `centred`, inputs x give the output that 2x − 1 gives without it."""
    plain, centred = (build("mlp", (6,), centred=value).encoder for value in (False, True))
    x = torch.rand(5, 6)
    torch.testing.assert_close(centred(x), plain(2 * x - 1))
    assert not torch.allclose(centred(x), plain(x), atol=1e-3)
