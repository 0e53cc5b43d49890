"""Everything random in a trial comes from its own seed."""

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
    """A split whose inputs are 0 … count − 1 and whose targets are the same."""
    return Split(torch.arange(count).float().unsqueeze(1), torch.arange(count))


def drawn(count: int, seeds: Sequence[int], batch_size: int, epochs: int = 1) -> list[list[Tensor]]:
    """[targets, noise] of all batches, (M, B) and (M, B, K) each."""
    batches = Batches(numbered(count), seeds, batch_size=batch_size, noise=3)
    drawn = [batch for _ in range(epochs) for batch in batches.epoch()]
    for batch in drawn:
        assert torch.equal(batch.x[..., 0].long(), batch.y)
    return [[b.y for b in drawn], [b.noise for b in drawn]]


@pytest.mark.parametrize("method", ["vib", "mib"])
def test_a_spec_gives_one_record(trial: Trial, method: str) -> None:
    """The same trial twice: the same record to the last bit, but for its seconds."""
    spec = trial(method)
    once, again = (run_trials([spec], device="cpu")[0] for _ in range(2))
    assert once.seconds > 0
    assert once.model_copy(update={"seconds": 0.0}) == again.model_copy(update={"seconds": 0.0})


def test_the_callers_random_state_matters_not_and_stays(trial: Trial) -> None:
    """torch's global generator neither changes a result nor is changed."""
    torch.manual_seed(1)
    before = run_trials([trial()], device="cpu")[0].test
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert run_trials([trial()], device="cpu")[0].test == before
    assert torch.equal(torch.get_rng_state(), state)


def test_seeds_differ(trial: Trial) -> None:
    """Each seed has its own result."""
    records = run_trials([trial(seed=s) for s in range(4)], device="cpu")
    assert len({r.history["loss/prediction"] for r in records}) == 4


def test_a_seeds_data_and_noise_do_not_depend_on_the_others() -> None:
    """Seed 3 has the same batches alone, in the middle of a pack, and twice in one."""
    alone = drawn(20, [3], 6, epochs=2)
    for seeds in ([1, 3, 2], [3, 3], [9, 3, 9]):
        for mine, theirs in zip(alone, drawn(20, seeds, 6, epochs=2), strict=True):
            for one, many in zip(mine, theirs, strict=True):
                assert torch.equal(one[0], many[1])


def test_order_and_noise_differ_between_seeds_and_epochs() -> None:
    """Two seeds, and two epochs of one, share neither order nor noise."""
    targets, noise = drawn(100, [0, 1], 100, epochs=2)
    rows = [row for epoch in range(2) for row in zip(targets[epoch], noise[epoch], strict=True)]
    for i, (order, normal) in enumerate(rows):
        for other_order, other_normal in rows[:i]:
            assert not torch.equal(order, other_order)
            assert not torch.isclose(normal, other_normal).any()


def test_noise_is_standard_normal() -> None:
    """Its first moments are those of N(0, 1), within four standard errors."""
    _, noise = drawn(20_000, [5], 20_000)
    sample = noise[0].flatten()
    assert abs(float(sample.mean())) < 4 / len(sample) ** 0.5
    assert abs(float(sample.var()) - 1) < 4 * (2 / len(sample)) ** 0.5


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (20, 6, [6, 6, 6, 2]),
        (18, 6, [6, 6, 6]),
        (19, 6, [6, 6, 6]),  # one left over: batch norm has no variance over it
        (5, 128, [5]),
        (1, 128, [1]),
        (3, 1, [1, 1, 1]),  # batches of one were asked for
    ],
)
def test_an_epoch_sees_every_example_once(count: int, batch_size: int, sizes: list[int]) -> None:
    """The last batch holds the rest; a rest of one is left out where batches are larger."""
    targets, _ = drawn(count, [0, 1], batch_size)
    assert [t.shape[1] for t in targets] == sizes
    for row in torch.cat(targets, dim=1):
        assert len(row.unique()) == sum(sizes)
