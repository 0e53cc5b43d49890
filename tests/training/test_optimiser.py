"""Update rules and clipping, compared with torch's optimisers on a hand-written model."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Adadelta, Adagrad, Adam

from paretoib.data._load import load_dataset
from paretoib.specs import TrialSpec
from paretoib.training._batches import Batches
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]
PackOf = Callable[[Sequence[TrialSpec]], Pack]

LEARNING_RATES = (1e-3, 1e-3, 4e-3, 2e-2)


def by_hand(plain: Any, steps: int) -> list[Tensor]:
    """The parameters after `steps` steps of a hand-written VIB loop."""
    spec: TrialSpec = plain.spec
    split = load_dataset("digits", spec.data.params).train
    batches = Batches(split, [spec.seed], batch_size=spec.training.batch_size, noise_size=4)
    adam = Adam(plain.parameters, lr=spec.training.learning_rate)
    done = 0
    while done < steps:
        for batch in batches.epoch():
            prediction, compression = plain.losses_on(batch, 0)
            adam.zero_grad()
            (prediction + spec.get("beta") * compression).backward()
            if spec.training.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(plain.parameters, spec.training.clip_norm)
            adam.step()
            done += 1
            if done == steps:
                break
    return [p.detach() for p in plain.parameters]


@pytest.mark.parametrize("clip_norm", [None, 0.8])
@pytest.mark.parametrize("learning_rates", [LEARNING_RATES[:1], (3e-3, 3e-3, 3e-3), LEARNING_RATES])
def test_parameters_are_those_of_a_hand_written_loop(
    trial: Trial,
    pack_of: PackOf,
    plain: Any,
    learning_rates: tuple[float, ...],
    clip_norm: float | None,
) -> None:
    """A plain VIB loop with torch's Adam has the same parameters after 20 steps.

    This holds for a single trial, for packs with one or several learning rates, and with or
    without clipping by `clip_grad_norm_`.
    """
    specs = [
        trial(
            learning_rate=learning_rate,
            beta=(1e-3, 0.1, 1.0, 1e-2)[i],
            seed=i,
            initial_noise=0.3,
            prior_width=0.5 + i,
            clip_norm=clip_norm,
            epochs=5,
        )
        for i, learning_rate in enumerate(learning_rates)
    ]
    pack = pack_of(specs)
    models = [plain.copy(pack, i) for i in range(len(specs))]
    done = 0
    pack.stack.train(True)
    while done < 20:
        for batch in pack.batches.epoch():
            if done < 20:
                pack.step(batch)
                done += 1
    for i, model in enumerate(models):
        trained = [pack.stack.per_trial(p.detach())[i] for p in pack.stack.parameters]
        for actual, expected in zip(trained, by_hand(model, 20), strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-4, atol=2e-6)


TORCH_OPTIMISERS = {"adam": Adam, "adadelta": Adadelta, "adagrad": Adagrad, "sgd": SGD}


@pytest.mark.parametrize("optimiser", TORCH_OPTIMISERS)
@pytest.mark.parametrize("learning_rates", [(3e-3, 3e-3), LEARNING_RATES])
def test_each_step_agrees_with_torch(
    trial: Trial, pack_of: PackOf, plain: Any, learning_rates: tuple[float, ...], optimiser: str
) -> None:
    """After 200 steps with the same gradients, parameters agree with torch's optimiser."""
    specs = [
        trial(optimiser=optimiser, learning_rate=r, seed=i) for i, r in enumerate(learning_rates)
    ]
    pack = pack_of(specs)
    copies = [plain.copy(pack, i).parameters for i in range(len(learning_rates))]
    optimisers = [
        TORCH_OPTIMISERS[optimiser](parameters, lr=learning_rate)
        for parameters, learning_rate in zip(copies, learning_rates, strict=True)
    ]
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        gradients = [torch.randn(p.shape, generator=generator) for p in pack.stack.parameters]
        pack.optimiser.step(gradients)
        for i, torch_optimiser in enumerate(optimisers):
            for parameter, gradient in zip(copies[i], gradients, strict=True):
                parameter.grad = gradient[i]
            torch_optimiser.step()
    for i, copy in enumerate(copies):
        for actual, expected in zip(pack.stack.parameters, copy, strict=True):
            torch.testing.assert_close(actual.detach()[i], expected.detach(), rtol=1e-5, atol=1e-6)


def test_adam_has_the_beta1_of_its_spec(trial: Trial, pack_of: PackOf, plain: Any) -> None:
    """With `adam_beta1=0.5`, 50 steps are those of torch's Adam with β₁ = 0.5."""
    pack = pack_of([trial(adam_beta1=0.5, learning_rate=1e-2)])
    parameters = plain.copy(pack, 0).parameters
    adam = Adam(parameters, lr=1e-2, betas=(0.5, 0.999))
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        gradients = [torch.randn(p.shape, generator=generator) for p in parameters]
        pack.optimiser.step(gradients)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        adam.step()
    for actual, expected in zip(pack.stack.parameters, parameters, strict=True):
        torch.testing.assert_close(actual.detach(), expected.detach(), rtol=1e-5, atol=1e-6)


def test_clipping_bounds_the_norm_of_each_trial(trial: Trial, pack_of: PackOf) -> None:
    """Only gradients longer than `clip_norm` are shortened, for each trial separately.

    The test reads Adam's first moment, which is a tenth of the gradient after one step.
    """
    scales = (0.05, 1.0, 6.0)
    specs = [trial(clip_norm=0.5, initial_scale=s, beta=0.3, initial_noise=0.5) for s in scales]
    pack = pack_of(specs)
    pack.stack.train(True)
    step = pack.step(next(pack.batches.epoch()))
    before = torch.cat([g.flatten(1) for g in step.gradients], dim=1).norm(dim=1)
    moments = [moment.flatten(1) for moment in pack.optimiser.moments["first_moment"]]
    after = 10 * torch.cat(moments, dim=1).norm(dim=1)
    assert before.min() < 0.5 < before.max()
    torch.testing.assert_close(after, before.clamp_max(0.5), rtol=1e-5, atol=0)


@pytest.mark.parametrize("optimiser", TORCH_OPTIMISERS)
def test_a_reset_optimiser_behaves_like_a_new_one(
    trial: Trial, pack_of: PackOf, optimiser: str
) -> None:
    """After a reset, a step equals the first step, and zero gradients change no parameter."""
    pack = pack_of([trial(optimiser=optimiser, learning_rate=r) for r in (1e-2, 0.1)])
    parameters, generator = pack.stack.parameters, torch.Generator()
    gradients = [torch.randn(p.shape, generator=generator.manual_seed(1)) for p in parameters]

    def changes(gradients: Sequence[Tensor]) -> list[Tensor]:
        before = [p.detach().clone() for p in parameters]
        pack.optimiser.step(gradients)
        return [p.detach() - b for p, b in zip(parameters, before, strict=True)]

    first = changes(gradients)
    for scale in (3, -1, 20):
        changes([scale * g for g in gradients])
    pack.optimiser.reset()
    assert all(not change.any() for change in changes([torch.zeros_like(g) for g in gradients]))
    pack.optimiser.reset()
    for again, change in zip(changes(gradients), first, strict=True):
        torch.testing.assert_close(again, change, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("schedule", ["exponential", "plateau"])
def test_steps_use_the_scheduled_learning_rate(trial: Trial, schedule: str) -> None:
    """Losses no longer change when the schedule has reduced the learning rate to nearly 0."""
    fields: dict[str, Any] = {"schedule": schedule, "decay": 1e-9, "patience": 1, "epochs": 30}
    specs = [trial(beta=30.0, learning_rate=r, **fields) for r in (0.5, 0.2)]
    for record in run_trials(specs, device="cpu"):
        learning_rates, losses = (
            [v for v in record.history[name] if v is not None]
            for name in ("learning_rate", "loss/compression")
        )
        late = [
            loss
            for loss, learning_rate in zip(losses, learning_rates, strict=True)
            if learning_rate < 1e-8
        ]
        assert len(late) > 1
        assert max(late) == pytest.approx(min(late), rel=1e-4)
        assert losses[0] != pytest.approx(late[0], rel=0.1)
