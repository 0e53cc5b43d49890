"""The gradients of a step, compared with autograd on the hand-written model."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.specs import TrialSpec
from paretoib.training._batches import Batch
from paretoib.training._pack import Pack
from paretoib.training._step import Step

Trial = Callable[..., TrialSpec]
PackOf = Callable[[Sequence[TrialSpec]], Pack]

KINDS: dict[str, dict[str, Any]] = {
    "linear": {"method": "vib"},
    "mib": {"method": "mib"},
    "mib, latent gradients": {"method": "mib", "gradient": "latent"},
    "mib, all parameters": {"method": "mib", "over": "all"},
    "mib, hand-set weights": {"method": "mib_no_adaptive"},
    "mgda": {"method": "mgda"},
    "mgda, latent gradients": {"method": "mgda", "gradient": "latent"},
    "upgrad, latent gradients": {"method": "upgrad", "gradient": "latent"},
    "famo": {"method": "famo"},
    "random": {"method": "random"},
}


@pytest.fixture(params=[1, 3], ids=["alone", "packed"])
def step_of(
    request: pytest.FixtureRequest, trial: Trial, pack_of: PackOf, plain: Any
) -> Callable[[dict[str, Any]], tuple[Step, Batch, list[Any], Pack]]:
    """The first step of one or three trials, its batch, hand-written models, and the pack."""

    def make(kind: dict[str, Any]) -> tuple[Step, Batch, list[Any], Pack]:
        fields = {"initial_noise": 0.5, **kind}
        widths = [1.0, 0.5, 2.0][: request.param]
        specs = [trial(**fields, seed=i, prior_width=w) for i, w in enumerate(widths)]
        pack = pack_of(specs)
        pack.stack.train(True)
        batch = next(pack.batches.epoch())
        return pack.gradients(batch), batch, [plain.copy(pack, i) for i in range(len(specs))], pack

    return make


StepOf = Callable[[dict[str, Any]], tuple[Step, Batch, list[Any], Pack]]


def inner_product(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """⟨left, right⟩ over all tensors."""
    return float(sum((a * b).sum() for a, b in zip(left, right, strict=True)))


def gramian(gradients: Sequence[Sequence[Tensor]]) -> Tensor:
    """The Gramian ⟨g_i, g_j⟩ of the gradients g_i of the losses."""
    return torch.tensor([[inner_product(a, b) for b in gradients] for a in gradients])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_step_is_the_gradient_of_the_weighted_sum(
    step_of: StepOf, kind: dict[str, Any]
) -> None:
    """A step's gradients are those of Σ_i w_i L_i, in which the step weights w_i are constant."""
    step, batch, models, pack = step_of(kind)
    for i, model in enumerate(models):
        losses = torch.stack(model.losses_on(batch, i))
        torch.testing.assert_close(step.losses[i], losses.detach(), rtol=1e-5, atol=0)
        (step.weights.step[i] * losses).sum().backward()
        for gradient, parameter in zip(step.gradients, model.parameters, strict=True):
            torch.testing.assert_close(
                pack.stack.per_trial(gradient)[i], parameter.grad, rtol=1e-4, atol=1e-6
            )


@pytest.mark.parametrize("over", ["shared", "all"])
def test_gradients_are_compared_over_the_selected_parameters(step_of: StepOf, over: str) -> None:
    """With `shared`, the Gramian is over the encoder's parameters (mib eq. 7).

    With `all`, it is over all parameters (mib algorithm 1).
    """
    step, batch, models, _ = step_of({"method": "mib", "over": over})
    assert step.gramian is not None
    for i, model in enumerate(models):
        compared = model.parameters[:4] if over == "shared" else model.parameters
        gradients = [
            torch.autograd.grad(loss, compared, retain_graph=True, materialize_grads=True)
            for loss in model.losses_on(batch, i)
        ]
        torch.testing.assert_close(step.gramian[i], gramian(gradients), rtol=1e-4, atol=1e-7)


def test_latent_gradients_are_taken_at_the_encoders_output(step_of: StepOf) -> None:
    """The Gramian of latent gradients sums over the encoder's outputs for the whole batch."""
    step, batch, models, _ = step_of({"method": "mib", "gradient": "latent"})
    assert step.gramian is not None
    for i, model in enumerate(models):
        raw = model.raw(batch.x[i]).detach().requires_grad_()
        losses = model.losses(raw, batch.y[i], batch.noise[i])
        gradients = [torch.autograd.grad(loss, [raw], retain_graph=True) for loss in losses]
        torch.testing.assert_close(step.gramian[i], gramian(gradients), rtol=1e-4, atol=1e-9)


def test_linear_weights_are_one_and_beta(trial: Trial, pack_of: PackOf) -> None:
    """The weight of a trial's compression is its β; the Gramian is not computed."""
    pack = pack_of([trial(beta=b) for b in (0.0, 0.25, 3.0)])
    step = pack.gradients(next(pack.batches.epoch()))
    assert step.weights.step.tolist() == [[1, 0], [1, 0.25], [1, 3]]
    assert step.gramian is None


@pytest.mark.parametrize("gradient", ["parameters", "latent"])
def test_mgda_takes_the_min_norm_step(step_of: StepOf, gradient: str) -> None:
    """KKT conditions for the step d = Σ_i w_i g_i: ⟨d, g_i⟩ ≥ ‖d‖², with equality if w_i > 0.

    The inner products are over the parameters or outputs whose gradients are compared.
    """
    step, *_ = step_of({"method": "mgda", "gradient": gradient})
    assert step.gramian is not None
    weights, gramians = step.weights.step.double(), step.gramian.double()
    inner_products = torch.einsum("mij,mj->mi", gramians, weights)
    squared = (weights * inner_products).sum(1, keepdim=True)
    slack = (inner_products - squared) / squared
    assert (slack > -1e-5).all()
    assert slack[weights > 1e-6].abs().max() < 1e-4


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_the_gramian_of_a_greedy_stage_excludes_higher_layers(pack_of: PackOf, stage: int) -> None:
    """The Gramian excludes the layers above the stage's layer, because they are the decoder."""

    def step(**weighting: Any) -> tuple[Step, Pack]:
        spec = TrialSpec(
            data={"name": "digits", "subset": 0.1},
            model={"name": "sigmoid", "hidden": [6, 5], "latent": 4},
            objective={"name": "imb_greedy", "draws": 2},
            weighting=weighting,
            training={"epochs": 3},
        )
        pack = pack_of([spec])
        pack.epoch = stage
        pack._begin_epoch()
        return pack.gradients(next(pack.batches.epoch())), pack

    compared, pack = step(name="mgda")
    prediction, _ = step(name="linear", beta=0.0)
    squares = torch.stack([g.square().sum() for g in prediction.gradients])
    shared = pack.stack.encoder_count + 2 * stage
    assert compared.gramian is not None
    torch.testing.assert_close(compared.gramian[0, 0, 0], squares[:shared].sum())
    assert squares[shared:].sum() > 0
