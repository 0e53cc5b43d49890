"""The networks of the papers, layer by layer; the presets have their settings."""

from typing import Any

import pytest
import torch
from torch import nn

from paretoib.models._layers import Dropout
from paretoib.models._model import Model, build_model
from paretoib.objectives import OBJECTIVES
from paretoib.specs import with_overrides

KINDS: dict[type[nn.Module], str] = {
    nn.BatchNorm1d: "bn",
    nn.BatchNorm2d: "bn",
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    Dropout: "dropout",
}


def layers(module: nn.Module, x: torch.Tensor) -> list[str]:
    """The layers in call order: `conv SIZE/STRIDE OUTPUT`, `pool OUTPUT`, `fc IN×OUT`, …"""
    seen: list[str] = []

    def record_layer(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        maps = "×".join(map(str, output.shape[1:]))
        if isinstance(layer, nn.Conv2d):
            seen.append(f"conv {layer.kernel_size[0]}/{layer.stride[0]} {maps}")
        elif isinstance(layer, nn.MaxPool2d):
            seen.append(f"pool {maps}")
        elif isinstance(layer, nn.Linear):
            seen.append(f"fc {layer.in_features}×{layer.out_features}")
        elif type(layer) in KINDS:
            seen.append(KINDS[type(layer)])

    hooks = [layer.register_forward_hook(record_layer) for layer in module.modules()]
    module.eval()(x)
    for hook in hooks:
        hook.remove()
    return seen


def build(document: dict[str, Any], fields: dict[str, Any], shape: tuple[int, ...]) -> Model:
    """The model of a sweep's trials, with ten classes per task."""
    spec = with_overrides(document, fields).template
    torch.manual_seed(0)
    return build_model(
        spec.model.name,
        spec.model.params,
        shape=shape,
        classes=(10,) * len(spec.tasks) or 10,
        target_dim=None,
        noise=OBJECTIVES[spec.objective.name].noise_of(spec.objective.params),
    )


def network(model: Model, shape: tuple[int, ...]) -> tuple[list[str], list[list[str]]]:
    """The layers of the encoder and of each decoder."""
    head = model.head
    decoders = head.decoders if hasattr(head, "decoders") else [head.decoder]
    z = torch.randn(2, head.latent)
    return layers(model.encoder, torch.randn(2, *shape)), [layers(d, z) for d in decoders]


NORM = ["bn", "relu"]
# The layers of mtvib tables 1 and 2 up to the second pooling, for each side of the images.
CONVOLUTIONS = {
    36: [
        *("conv 3/1 64×34×34", *NORM, "pool 64×17×17"),
        *("conv 3/1 64×15×15", *NORM, "pool 64×7×7"),
    ],
    150: [
        *("conv 5/2 64×73×73", *NORM, "pool 64×36×36"),
        *("conv 5/2 64×16×16", *NORM, "pool 64×8×8"),
    ],
}
MTVIB = [(36, 1, "multi_mnist", 3136, 2), (150, 3, "mtfl", 4096, 4)]


@pytest.mark.parametrize(("side", "channels", "data", "features", "tasks"), MTVIB)
@pytest.mark.parametrize("method", ["uwl", "gs", "stl"])
def test_mtvib_small_alexnet(
    method: str, side: int, channels: int, data: str, features: int, tasks: int
) -> None:
    """mtvib's tasks share the layers up to fc 384; each task has its own fc 192 and fc 10.

    See mtvib tables 1 and 2, (a) and (b).
    """
    fields = {"model": "small_alexnet"} if method == "stl" else {}
    shape = (channels, side, side)
    encoder, decoders = network(build({"method": method, "data": data, **fields}, {}, shape), shape)
    assert encoder == [*CONVOLUTIONS[side], f"fc {features}×384", *NORM]
    expected = ["fc 384×192", *NORM, "fc 192×10"]
    assert decoders == [expected] * (1 if method == "stl" else tasks)


@pytest.mark.parametrize(("side", "channels", "data", "features", "tasks"), MTVIB)
@pytest.mark.parametrize("method", ["mtvib", "stvib"])
def test_mtvib_variational_encoder(
    method: str, side: int, channels: int, data: str, features: int, tasks: int
) -> None:
    """`mtvib` and `stvib` have the layers of mtvib tables 1 and 2, (c) and (d), except one.

    The paper has a layer of 256 outputs for the means and another for the widths. Here one layer
    has all 512 outputs.
    """
    fields = {"model": "mtvib_cnn"} if method == "stvib" else {}
    shape = (channels, side, side)
    encoder, decoders = network(build({"method": method, "data": data, **fields}, {}, shape), shape)
    hidden = [layer for n in (features, 1024, 1024) for layer in (f"fc {n}×1024", *NORM)]
    assert encoder == [*CONVOLUTIONS[side], *hidden, "fc 1024×512"]
    expected = ["fc 256×384", *NORM, "fc 384×192", *NORM, "fc 192×10"]
    assert decoders == [expected] * (1 if method == "stvib" else tasks)


def test_vim_network_for_cifar() -> None:
    """vim's network for CIFAR has four 4×4 convolutions, 2K outputs and a linear decoder.

    K is 64 (vim table 4).
    """
    shape = (3, 32, 32)
    model = build({"method": "vim", "data": "cifar10", "model": "cnn"}, {}, shape)
    maps = [(128, 16), (256, 8), (512, 4), (1024, 2)]
    encoder = [layer for c, side in maps for layer in (f"conv 4/2 {c}×{side}×{side}", *NORM)]
    assert network(model, shape) == ([*encoder, "fc 4096×128"], [["fc 64×10"]])


@pytest.mark.parametrize("latent", [256, 2])
def test_vim_network_for_mnist(latent: int) -> None:
    """vim's network for MNIST has the encoder 784–1024–1024–2K with K = 256 or 2.

    The decoder is linear.
    """
    shape, fields = (1, 28, 28), {"hidden": [1024, 1024], "latent": latent}
    model = build({"method": "vim", "data": "mnist", "model": "mlp"}, fields, shape)
    encoder = ["fc 784×1024", "relu", "fc 1024×1024", "relu", f"fc 1024×{2 * latent}"]
    assert network(model, shape) == (encoder, [[f"fc {latent}×10"]])


@pytest.mark.parametrize("method", ["l2", "log_var", "log_var_given_y"])
def test_uib_resnet18(method: str) -> None:
    """uib's ResNet-18 outputs 100 means and no widths (zero-entropy noise).

    The decoder is linear. See uib section 7.3.
    """
    shape, fields = (3, 32, 32), {"stem": "cifar", "latent": 100}
    model = build({"method": method, "data": "cifar10", "model": "resnet18"}, fields, shape)
    encoder, decoders = network(model, shape)
    convolutions = [layer for layer in encoder if layer.startswith("conv")]
    assert encoder.count("bn") == len(convolutions)
    stages = [
        [f"conv 3/{stride if i == 0 else 1} {c}×{side}×{side}" for i in range(4)]
        for c, side, stride in ((64, 32, 1), (128, 16, 2), (256, 8, 2), (512, 4, 2))
    ]
    assert [c for c in convolutions if c.startswith("conv 3")] == ["conv 3/1 64×32×32"] + [
        layer for stage in stages for layer in stage
    ]
    shortcuts = [c for c in convolutions if c.startswith("conv 1")]
    assert shortcuts == ["conv 1/2 128×16×16", "conv 1/2 256×8×8", "conv 1/2 512×4×4"]
    assert encoder[-1] == "fc 512×100"
    assert decoders == [["fc 100×10"]]


def test_uib_network_for_categorical_codes() -> None:
    """uib's categorical codes have the encoder 784–1024–1024–C and C = 100 categories.

    The decoder is C–1024–1024–10. See uib section 7.1.
    """
    shape, hidden = (1, 28, 28), [1024, 1024]
    document = {"method": "categorical", "data": "permutation_mnist", "model": "mlp"}
    model = build(document, {"hidden": hidden, "latent": 100, "decoder": hidden}, shape)
    encoder = ["fc 784×1024", "relu", "fc 1024×1024", "relu", "fc 1024×100"]
    decoder = ["fc 100×1024", "relu", "fc 1024×1024", "relu", "fc 1024×10"]
    assert network(model, shape) == (encoder, [decoder])


def test_uib_dropout_network() -> None:
    """uib's dropout network is PyTorch's MNIST example with K = 128 outputs instead of ten.

    See uib section 7.2.
    """
    shape = (1, 28, 28)
    model = build({"method": "log_var", "data": "mnist", "model": "dropout_cnn"}, {}, shape)
    encoder = [
        *("conv 3/1 32×26×26", "relu", "conv 3/1 64×24×24", "relu", "pool 64×12×12", "dropout"),
        *("fc 9216×128", "relu", "dropout", "fc 128×128"),
    ]
    assert network(model, shape) == (encoder, [["fc 128×10"]])


def test_imb_network() -> None:
    """imb's binary and deterministic networks are 784–512–512–10 (imb table 1).

    VIB's encoder has two hidden layers of 512.
    """
    shape, sizes = (1, 28, 28), {"hidden": [512], "latent": 512}
    for method in ("imb_joint", "imb_greedy", "sfnn", "det"):
        model = build({"method": method, "data": "mnist"}, sizes, shape)
        assert network(model, shape) == (["fc 784×512"], [["fc 512×10"]])
        between = [layer for m in model.head.layers for layer in layers(m, torch.randn(2, 512))]
        assert between == ["fc 512×512"]
    fields = {"hidden": [512, 512], "activation": "sigmoid"}
    encoder, _ = network(build({"method": "vib", "data": "mnist"}, fields, shape), shape)
    assert encoder[:4] == ["fc 784×512", "sigmoid", "fc 512×512", "sigmoid"]
