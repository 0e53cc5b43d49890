"""Several tasks: one decoder per task on a shared latent."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from paretoib.distributions import CategoricalPrediction, TaskPredictions
from paretoib.models._model import Model, build_model
from paretoib.specs import section_model


def build(name: str, classes: int | tuple[int, ...], shape: tuple[int, ...], **sizes: Any) -> Model:
    torch.manual_seed(0)
    return build_model(
        name,
        section_model("model", name)(**sizes).params,
        shape=shape,
        classes=classes,
        target_dim=None,
        noise="learned" if name == "mtvib_cnn" else "none",
    )


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("shape", "sizes", "classes"),
    [((1, 36, 36), {}, (10, 10)), ((3, 150, 150), {"kernel": 5, "stride": 2}, (2, 2, 2, 5))],
)
@pytest.mark.parametrize(
    ("name", "first_layer_parameters"), [("mtvib_cnn", 257 * 384 + 768), ("small_alexnet", 0)]
)
def test_each_task_has_the_decoder_of_mtvib(
    name: str,
    first_layer_parameters: int,
    shape: tuple[int, ...],
    sizes: dict[str, Any],
    classes: tuple[int, ...],
) -> None:
    """Each task has a decoder 384–192–C or, in model `mtvib_cnn`, 256–384–192–C.

    C is the task's number of classes. See mtvib tables 1 and 2, (b) and (d). The test compares
    the numbers of parameters.
    """
    model = build(name, classes, shape, **sizes)
    per_task = [first_layer_parameters + 385 * 192 + 2 * 192 + 193 * c for c in classes]
    assert count(model.head) == sum(per_task)
    assert count(model.encoder) == count(build(name, 10, shape, **sizes).encoder)


def test_the_prediction_is_the_product_over_tasks() -> None:
    """q(y_1, y_2|z) = q(y_1|z) q(y_2|z), and each task has its own decoder."""
    head = build("mlp", (3, 5), (6,), latent=4, decoder=(7,)).head
    z, y = torch.randn(9, 4), torch.stack([torch.arange(9) % 3, torch.arange(9) % 5], dim=1)
    prediction = head.predict(z)
    assert isinstance(prediction, TaskPredictions)
    assert [task.logits.shape for task in prediction.tasks] == [(9, 3), (9, 5)]
    joint = torch.einsum("nc,nd->ncd", *(task.logits.softmax(-1) for task in prediction.tasks))
    expected = -joint[torch.arange(9), y[:, 0], y[:, 1]].log()
    torch.testing.assert_close(prediction.nll(y), expected)
    marginals = torch.cat([joint.sum(2), joint.sum(1)], dim=1)
    torch.testing.assert_close(prediction.expected, marginals)


@pytest.mark.parametrize("name", ["mlp", "sigmoid"])
def test_each_decoder_predicts_from_every_sample_of_binary_layers(name: str) -> None:
    """The prediction from one sample of z does not depend on the other samples.

    Each binary layer has two samples for every sample of the layer below.
    """
    section = section_model("model", name)(latent=4, hidden=(5,))
    model = build_model(
        name,
        section.params,
        shape=(6,),
        classes=(3, 5),
        target_dim=None,
        noise="bernoulli",
        draws=2,
    )
    paths = (2, 2) if name == "sigmoid" else (2,)
    z = torch.randn(*paths, 9, 4)
    prediction = model.head.predict(z)
    y = torch.stack([torch.arange(9) % 3, torch.arange(9) % 5], dim=1)
    assert prediction.expected.shape == (*paths, 9, 8)
    for path in itertools.product(*map(range, paths)):
        single = model.head.predict(z[path])
        torch.testing.assert_close(prediction.nll(y)[path], single.nll(y))
        torch.testing.assert_close(prediction.expected[path], single.expected)
    output = model.head(model.encoder(torch.randn(9, 6)), torch.randn(9, model.head.training_noise))
    assert output.prediction.nll(y).shape == (*paths, 9)


def test_parameter_names_of_a_single_task_are_stable() -> None:
    """With a single task, the decoder keeps its parameter names: old checkpoints can be loaded."""
    head = build("mlp", 3, (6,), latent=4, decoder=(7,)).head
    names = ["decoder.0.weight", "decoder.0.bias", "decoder.2.weight", "decoder.2.bias"]
    assert [name for name, _ in head.named_parameters()] == names
    assert isinstance(head.predict(torch.randn(2, 4)), CategoricalPrediction)
