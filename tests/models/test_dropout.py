"""Dropout: the masks of a model do not depend on the other models in its pack."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from paretoib.models._layers import Dropout, mlp
from paretoib.specs import TrialSpec
from paretoib.training._run import run_trials


def new_dropout(share: float, seed: int = 0) -> Dropout:
    torch.manual_seed(seed)
    return Dropout(share)


def masks(dropout: Dropout, count: int, *shape: int) -> Tensor:
    """Dropout of a tensor of ones, in `count` training steps."""
    return torch.stack([dropout(torch.ones(shape)) for _ in range(count)])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_given_share_of_values_is_dropped(share: float) -> None:
    """Dropout sets a share of the values to 0 and divides the other values by 1 − share."""
    dropped = masks(new_dropout(share), 40, 50, 50)
    kept = dropped > 0
    error = (share * (1 - share) / kept.numel()) ** 0.5
    assert float(kept.double().mean()) == pytest.approx(1 - share, abs=4 * error)
    torch.testing.assert_close(dropped[kept], torch.full_like(dropped[kept], 1 / (1 - share)))
    assert float(dropped.double().mean()) == pytest.approx(1, abs=4 * error / (1 - share))


def test_masks_are_uncorrelated() -> None:
    """Masks are uncorrelated between neighbouring values, steps, layers of a model, and seeds."""
    torch.manual_seed(0)
    first, second = Dropout(0.5), Dropout(0.5)
    kept = masks(first, 30, 40, 40) - 1
    others = [
        kept[:, :, 1:] * kept[:, :, :-1],
        kept[:, 1:] * kept[:, :-1],
        kept[1:] * kept[:-1],
        kept * (masks(second, 30, 40, 40) - 1),
        kept * (masks(new_dropout(0.5, seed=1), 30, 40, 40) - 1),
    ]
    for product in others:
        assert abs(float(product.mean())) < 4 / product.numel() ** 0.5
    counts = kept.flatten(1).sum(1) / 40
    assert float(counts.std()) == pytest.approx(1, abs=0.5)


def test_nothing_is_dropped_in_evaluation() -> None:
    """In evaluation, the output of dropout is its input, and the counter does not change."""
    dropout = new_dropout(0.5).eval()
    before, x = dropout.count.clone(), torch.randn(5, 3)
    assert torch.equal(dropout(x), x)
    assert torch.equal(dropout.count, before)


def test_gradients_pass_where_units_are_kept() -> None:
    """Gradients are multiplied by the same factors as the values: 0 or 1/(1 − share)."""
    x = torch.randn(20, 20).requires_grad_()
    y = new_dropout(0.5)(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient * x, y)
    assert set(gradient.flatten().tolist()) == {0, 2}


def test_masks_do_not_depend_on_the_pack() -> None:
    """Under `vmap` each model has the masks that it has alone.

    This does not hold for torch's dropout.
    """

    def model(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        return mlp((6, 16, 16, 4), dropout=0.5)

    x = torch.randn(3, 3, 8, 6)
    states = stack_module_state([model(seed) for seed in (4, 7, 4)])
    template = model(0)
    for step in range(3):
        together = vmap(lambda *a: functional_call(template, a[:2], a[2]))(*states, x[step])
        if step == 0:
            alone = [model(seed) for seed in (4, 7, 4)]
        for i, model_alone in enumerate(alone):
            torch.testing.assert_close(together[i], model_alone(x[step, i]))
    counts = [dict(model_alone.named_buffers())["2.count"] for model_alone in alone]
    assert counts[0] != counts[1]


def test_share_0_adds_no_layer() -> None:
    """A network whose share of dropout is 0 has no dropout layers."""
    assert not any(isinstance(layer, Dropout) for layer in mlp((6, 16, 4)))


def test_a_trial_with_dropout_does_not_depend_on_its_pack() -> None:
    """A trial with dropout has the same prediction losses alone and in a pack.

    Without dropout, the losses are different.
    """
    template = TrialSpec.from_document(
        {"data": "digits", "model": "mlp", "objective": "ceb", "weighting": "linear"}
    ).with_fields({"latent": 4, "hidden": [16], "epochs": 2, "subset": 0.3, "dropout": 0.3})
    specs = [template.with_fields({"seed": seed}) for seed in (3, 1, 2)]
    packed = run_trials(specs, device="cpu")[0].history["loss/prediction"]
    alone = run_trials(specs[:1], device="cpu")[0].history["loss/prediction"]
    assert packed == pytest.approx(alone, rel=1e-4)
    plain = run_trials([specs[0].with_fields({"dropout": 0})], device="cpu")[0]
    assert plain.history["loss/prediction"] != pytest.approx(alone, rel=1e-4)
