"""A decoder for each task on the one latent."""

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
@pytest.mark.parametrize(("name", "before"), [("mtvib_cnn", 257 * 384 + 768), ("small_alexnet", 0)])
def test_heads_are_those_of_mtvib(
    name: str, before: int, shape: tuple[int, ...], sizes: dict[str, Any], classes: tuple[int, ...]
) -> None:
    """Tables 1 and 2 (b) and (d): 384–192–C for each task, MTVIB's from K = 256."""
    model = build(name, classes, shape, **sizes)
    each = [before + 385 * 192 + 2 * 192 + 193 * c for c in classes]
    assert count(model.head) == sum(each)
    assert count(model.encoder) == count(build(name, 10, shape, **sizes).encoder)


def test_q_is_the_product_over_tasks() -> None:
    """−log q(y_1, y_2|z) is the sum of the tasks' own, from decoders that differ."""
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
def test_binary_layers_have_every_tasks_q_of_every_sample(name: str) -> None:
    """Two samples of each layer: of each path those that its own z gives, by each decoder."""
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
    found = model.head.predict(z)
    y = torch.stack([torch.arange(9) % 3, torch.arange(9) % 5], dim=1)
    assert found.expected.shape == (*paths, 9, 8)
    for path in itertools.product(*map(range, paths)):
        one = model.head.predict(z[path])
        torch.testing.assert_close(found.nll(y)[path], one.nll(y))
        torch.testing.assert_close(found.expected[path], one.expected)
    output = model.head(model.encoder(torch.randn(9, 6)), torch.randn(9, model.head.training_noise))
    assert output.prediction.nll(y).shape == (*paths, 9)


def test_one_task_has_the_head_that_it_always_had() -> None:
    """The same parameters by the same names: old checkpoints and results stay good."""
    head = build("mlp", 3, (6,), latent=4, decoder=(7,)).head
    names = ["decoder.0.weight", "decoder.0.bias", "decoder.2.weight", "decoder.2.bias"]
    assert [name for name, _ in head.named_parameters()] == names
    assert isinstance(head.predict(torch.randn(2, 4)), CategoricalPrediction)
