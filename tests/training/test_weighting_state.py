"""What weightings remember from step to step, and the random numbers of `random`."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from paretoib.specs import TrialSpec
from paretoib.training._pack import Pack

Trial = Callable[..., TrialSpec]
PackOf = Callable[[Sequence[TrialSpec]], Pack]


def weights(pack: Pack) -> Tensor:
    """The weights of all steps of an epoch, (steps, M, m)."""
    pack.stack.train(True)
    return torch.stack([pack.step(batch).weights.step for batch in pack.batches.epoch()])


@pytest.mark.parametrize("trials", [1, 3])
@pytest.mark.parametrize(
    ("method", "names"),
    [
        ("famo", {"stack/weighting.logits", "stack/weighting.first_moment"}),
        ("dwa", {"stack/weighting.loss_mean", "stack/weighting.loss_ratio"}),
        ("random", {"batches/weighting"}),
    ],
)
def test_the_state_of_a_weighting_is_in_checkpoints(
    trial: Trial, pack_of: PackOf, method: str, names: set[str], trials: int
) -> None:
    """The state of a pack has a row for each trial, which changes in every epoch."""
    pack = pack_of([trial(method, seed=s, initial_noise=0.3) for s in range(trials)])
    states = []
    for _ in range(3):
        pack.train_epoch()
        state = pack.state()
        assert names <= state.keys()
        states.append({name: state[name].clone() for name in names})
    for name in names:
        assert len(states[0][name]) == trials
        assert all((a != b).any() for a, b in zip(states[1][name], states[2][name], strict=True))


def test_other_weightings_add_nothing_to_checkpoints(trial: Trial, pack_of: PackOf) -> None:
    """Without a weighting that needs them, a pack has no state of a weighting and no numbers."""
    state = pack_of([trial("mib"), trial("mib", seed=1)]).state()
    assert not [name for name in state if "weighting" in name]


def test_random_weights_depend_on_the_seed_alone(trial: Trial, pack_of: PackOf) -> None:
    """Each step has new weights, drawn from the seed; other fields and trials change nothing."""
    alone = weights(pack_of([trial("random", seed=1)]))
    packed = weights(
        pack_of([trial("random", seed=s, learning_rate=r) for s, r in ((0, 1e-3), (1, 1e-2))])
    )
    assert torch.equal(alone[:, 0], packed[:, 1])
    assert (packed[:, 0] != packed[:, 1]).all()
    assert len(alone.unique(dim=0)) == len(alone)
    torch.testing.assert_close(alone.sum(2), torch.ones(len(alone), 1))


def test_random_weights_do_not_change_data_order_noise_or_initial_model(
    trial: Trial, pack_of: PackOf
) -> None:
    """With the same seed, `random` and `vib` train the same model on the same batches and noise."""
    packs = [pack_of([trial(method, seed=3)]) for method in ("random", "vib")]
    for random, vib in zip(*(pack.stack.parameters for pack in packs), strict=True):
        assert torch.equal(random, vib)
    for random, vib in zip(*(pack.batches.epoch() for pack in packs), strict=True):
        assert torch.equal(random.x, vib.x)
        assert torch.equal(random.noise, vib.noise)


def test_famo_compares_losses_with_the_same_noise(trial: Trial, pack_of: PackOf) -> None:
    """If the parameters hardly change in a step, neither do the losses of its batch.

    With new noise, the logarithm of the prediction loss would change by more than 1e-3.
    """
    pack = pack_of([trial("famo", seed=s, learning_rate=1e-9, initial_noise=1.0) for s in (0, 1)])
    pack.step(next(pack.batches.epoch()))
    moments: dict[str, Any] = pack.stack.weighting()
    assert moments["first_moment"].abs().max() < 1e-6
    assert moments["steps"].tolist() == [1, 1]


def test_dwa_weighs_by_the_means_of_two_epochs(trial: Trial, pack_of: PackOf) -> None:
    """In epoch 3 the weights are m softmax(r/T), with r the ratio of the mean losses of a step."""
    pack = pack_of([trial("dwa", seed=s, batch_size=50, subset=0.5) for s in (0, 1)])
    sums = []
    for _ in range(2):
        pack.stack.train(True)
        losses = [pack.step(batch).losses for batch in pack.batches.epoch()]
        sums.append(torch.stack(losses).mean(0))
        pack.stack.update_weighting(pack.weighting.after_epoch(pack._weighting_hyper()))
    expected = 2 * torch.softmax(sums[1] / sums[0] / 2.0, dim=1)
    present = weights(pack)
    torch.testing.assert_close(present, expected.expand_as(present))
    assert (expected - 1).abs().min() > 1e-3
