"""All random numbers of a trial come from its seed."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from paretoib.data._dataset import Split
from paretoib.specs import TrialSpec
from paretoib.training._batches import Batches
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]


def numbered(count: int) -> Split:
    """A split whose inputs and targets are 0 … count − 1."""
    return Split(torch.arange(count).float().unsqueeze(1), torch.arange(count))


def drawn(count: int, seeds: Sequence[int], batch_size: int, epochs: int = 1) -> list[list[Tensor]]:
    """A list of targets, (M, B), and a list of noise, (M, B, K), with one tensor per batch."""
    batches = Batches(numbered(count), seeds, batch_size=batch_size, noise_size=3)
    all_batches = [batch for _ in range(epochs) for batch in batches.epoch()]
    for batch in all_batches:
        assert torch.equal(batch.x[..., 0].long(), batch.y)
    return [[b.y for b in all_batches], [b.noise for b in all_batches]]


@pytest.mark.parametrize("method", ["vib", "mib"])
def test_two_runs_give_equal_records(trial: Trial, method: str) -> None:
    """The records of two equal runs are equal to the last bit, except for the seconds."""
    spec = trial(method)
    once, again = (run_trials([spec], device="cpu")[0] for _ in range(2))
    assert once.seconds > 0
    assert once.model_copy(update={"seconds": 0.0}) == again.model_copy(update={"seconds": 0.0})


def test_the_callers_random_state_is_neither_used_nor_changed(trial: Trial) -> None:
    """torch's global generator does not affect the result and keeps its state."""
    torch.manual_seed(1)
    before = run_trials([trial()], device="cpu")[0].test
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert run_trials([trial()], device="cpu")[0].test == before
    assert torch.equal(torch.get_rng_state(), state)


def test_different_seeds_give_different_results(trial: Trial) -> None:
    """Four seeds give four different histories."""
    records = run_trials([trial(seed=s) for s in range(4)], device="cpu")
    assert len({r.history["loss/prediction"] for r in records}) == 4


def test_the_batches_of_a_seed_do_not_depend_on_other_seeds() -> None:
    """Seed 3 has the same targets and noise alone and in each of three packs."""
    alone = drawn(20, [3], 6, epochs=2)
    for seeds in ([1, 3, 2], [3, 3], [9, 3, 9]):
        for alone_series, pack_series in zip(alone, drawn(20, seeds, 6, epochs=2), strict=True):
            for alone_batch, pack_batch in zip(alone_series, pack_series, strict=True):
                assert torch.equal(alone_batch[0], pack_batch[1])


def test_order_and_noise_differ_between_seeds_and_epochs() -> None:
    """Two seeds, and two epochs of one seed, have different orders and noise."""
    targets, noise = drawn(100, [0, 1], 100, epochs=2)
    rows = [row for epoch in range(2) for row in zip(targets[epoch], noise[epoch], strict=True)]
    for i, (order, normal) in enumerate(rows):
        for other_order, other_normal in rows[:i]:
            assert not torch.equal(order, other_order)
            assert not torch.isclose(normal, other_normal).any()


def test_noise_is_standard_normal() -> None:
    """The noise has the mean and variance of N(0, 1), within four standard errors."""
    _, noise = drawn(20_000, [5], 20_000)
    sample = noise[0].flatten()
    assert abs(float(sample.mean())) < 4 / len(sample) ** 0.5
    assert abs(float(sample.var()) - 1) < 4 * (2 / len(sample)) ** 0.5


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (20, 6, [6, 6, 6, 2]),
        (18, 6, [6, 6, 6]),
        (19, 6, [6, 6, 6]),  # a last batch of one, which batch norm cannot use
        (5, 128, [5]),
        (1, 128, [1]),
        (3, 1, [1, 1, 1]),  # a batch size of one
    ],
)
def test_an_epoch_has_each_example_at_most_once(
    count: int, batch_size: int, sizes: list[int]
) -> None:
    """A last batch of one example is skipped, unless it is the first or the batch size is 1."""
    targets, _ = drawn(count, [0, 1], batch_size)
    assert [t.shape[1] for t in targets] == sizes
    for row in torch.cat(targets, dim=1):
        assert len(row.unique()) == sum(sizes)
