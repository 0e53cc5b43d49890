"""Grouping of trials into packs."""

from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from paretoib.specs import TrialSpec, with_overrides
from paretoib.training._plan import capacity, plan_packs

Trial = Callable[..., TrialSpec]
SHAPE = (1, 8, 8)


def total_epochs(pack: list[TrialSpec]) -> int:
    """The number of epochs, summed over all trials."""
    return len(pack) * pack[0].training.epochs


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(0, 70), min_size=3, max_size=3),
    workers=st.integers(1, 9),
    device=st.sampled_from(["cpu", "cuda"]),
)
def test_every_trial_is_in_one_pack_that_can_train_it(
    counts: list[int], workers: int, device: str
) -> None:
    """The trials of a pack have one pack key and fit its capacity; the longest packs come first."""
    base = with_overrides({"method": "vib"}, {"hidden": [16], "latent": 4}).template
    trials = [
        base.with_fields({"epochs": epochs, "seed": seed})
        for epochs, count in zip((2, 10, 50), counts, strict=True)
        for seed in range(count)
    ]
    packs = plan_packs(trials, SHAPE, workers=workers, device=device)
    assert Counter(t.key for p in packs for t in p) == Counter(t.key for t in trials)
    for pack in packs:
        assert len({t.pack_key for t in pack}) == 1
        assert len(pack) <= capacity(pack[0], SHAPE, device)
    epochs = [total_epochs(pack) for pack in packs]
    assert epochs == sorted(epochs, reverse=True)
    if trials:
        assert len(packs) >= min(workers, len(trials))


def test_a_sweep_is_spread_over_the_workers(trial: Trial) -> None:
    """8 trials become 4 packs of 2 on 4 workers, and one pack on one worker."""
    trials = [trial(seed=s) for s in range(8)]
    assert [len(p) for p in plan_packs(trials, SHAPE, workers=4, device="cpu")] == [2] * 4
    assert [len(p) for p in plan_packs(trials, SHAPE, workers=1, device="cpu")] == [8]


def test_packs_of_a_kind_have_similar_sizes(trial: Trial) -> None:
    """The sizes of the packs of 70 trials on one worker differ by at most 1."""
    sizes = [
        len(p)
        for p in plan_packs([trial(seed=s) for s in range(70)], SHAPE, workers=1, device="cpu")
    ]
    assert max(sizes) - min(sizes) <= 1


def test_convolutions_are_packed_on_a_gpu_only(trial: Trial) -> None:
    """On a CPU, where packing makes convolutions slower, each trial trains alone."""
    trials = [trial(model="resnet18", seed=s) for s in range(4)]
    assert [len(p) for p in plan_packs(trials, SHAPE, workers=1, device="cpu")] == [1] * 4
    assert [len(p) for p in plan_packs(trials, SHAPE, workers=1, device="cuda:0")] == [4]


def test_large_models_make_small_packs(trial: Trial) -> None:
    """On a CPU only small models share a pack; a large model trains alone."""
    small, middle, large = (trial(hidden=[w, w]) for w in (16, 256, 2048))
    assert capacity(small, SHAPE, "cpu") >= capacity(middle, SHAPE, "cpu") > 1
    assert capacity(small, SHAPE, "cpu") >= 8
    assert capacity(large, SHAPE, "cpu") == 1


def test_a_gpu_has_a_larger_capacity(trial: Trial) -> None:
    """For a small model, the capacity is larger on a GPU than on a CPU, but at most 1024."""
    small, large = trial(hidden=[16]), trial(hidden=[4096, 4096])
    assert capacity(small, SHAPE, "cpu") < capacity(small, SHAPE, "cuda") <= 1024
    assert capacity(small, SHAPE, "cuda") > capacity(large, SHAPE, "cuda") >= 1


def test_the_capacity_scales_with_the_share_of_a_gpu(trial: Trial) -> None:
    """A quarter of a GPU has a quarter of the whole GPU's capacity, but at least 1.

    On a CPU, the share has no effect.
    """
    for model in (trial(hidden=[16]), trial(hidden=[4096, 4096])):
        whole = capacity(model, SHAPE, "cuda")
        assert capacity(model, SHAPE, "cuda", share=0.25) == max(1, whole // 4)
        assert capacity(model, SHAPE, "cpu", share=0.25) == capacity(model, SHAPE, "cpu")
    trials = [trial(seed=s) for s in range(256)]
    packs = plan_packs(trials, SHAPE, workers=2, device="cuda", share=0.5)
    assert [len(pack) for pack in packs] == [128, 128]
