"""Exponential averages of the weights, which are measured instead of the weights."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from paretoib.specs import TrialSpec
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]
PackOf = Callable[[Sequence[TrialSpec]], Pack]

DECAY = 0.8


def trained(pack: Pack) -> Pack:
    """The pack after its training."""
    pack.train()
    return pack


@pytest.mark.parametrize("count", [1, 3])
def test_averages_are_those_of_a_loop(trial: Trial, pack_of: PackOf, count: int) -> None:
    """The averages start at the initial weights and move by 1 − decay towards each new weight."""
    pack = pack_of([trial(weight_average=DECAY, seed=i, learning_rate=0.01) for i in range(count)])
    expected = [p.detach().clone() for p in pack.stack.parameters]
    pack.stack.train(True)
    for batch in pack.batches.epoch():
        pack.step(batch)
        for average, parameter in zip(expected, pack.stack.parameters, strict=True):
            average.mul_(DECAY).add_(parameter.detach(), alpha=1 - DECAY)
    with pack.average.applied():
        for parameter, average in zip(pack.stack.parameters, expected, strict=True):
            torch.testing.assert_close(parameter.detach(), average)


@pytest.mark.parametrize("method", ["vib", "categorical"])
def test_training_is_the_same_and_the_averages_are_measured(
    trial: Trial, pack_of: PackOf, method: str
) -> None:
    """Averaging changes no loss in training, but the metrics and the information plane.

    The metrics are those of the averaged weights, also if the decoder is computed from the data.
    """
    more = {"optimal_decoder": True} if method == "categorical" else {}
    specs = [
        trial(method, weight_average=decay, epochs=3, learning_rate=0.01, subset=0.3, **more)
        for decay in (0.0, DECAY)
    ]
    plain, averaged = (run_trials([spec], device="cpu")[0] for spec in specs)
    losses = [{k: v for k, v in r.history.items() if "loss/" in k} for r in (plain, averaged)]
    assert losses[0] == losses[1]
    assert plain.history["rate_bits"] != averaged.history["rate_bits"]
    pack = trained(pack_of([specs[0]]))
    source = trained(pack_of([specs[1]]))
    source.average.apply()
    pack.stack.load(source.stack.state())
    pack._refresh_decoder()
    assert averaged.test == pack.measure()[0]["test"]
    assert plain.test != averaged.test


def test_the_context_restores_the_trained_weights(trial: Trial, pack_of: PackOf) -> None:
    """After the measurement of an epoch, training goes on from the trained weights."""
    pack = pack_of([trial(weight_average=DECAY, learning_rate=0.01)])
    pack.train_epoch()
    before: list[Any] = [p.detach().clone() for p in pack.stack.parameters]
    with pack.average.applied():
        assert not torch.equal(before[0], pack.stack.parameters[0].detach())
    assert all(map(torch.equal, before, (p.detach() for p in pack.stack.parameters)))
