"""A trial that diverges is recorded as diverged and does not affect its neighbours."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]

DEEP: dict[str, Any] = {"hidden": [16] * 14}
# With these fields, activations overflow in the first or second step.
DIVERGING: dict[str, dict[str, Any]] = {
    "initial scale": DEEP | {"initial_scale": 1000.0},
    "learning rate": DEEP | {"learning_rate": 10.0},
}


def strict_json(record: TrialRecord) -> dict[str, Any]:
    """The record as JSON; fails on NaN and infinities, which JSON does not allow."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in JSON")

    document: dict[str, Any] = json.loads(record.to_json(), parse_constant=refuse)
    return document


@pytest.mark.parametrize("method", ["vib", "mib", "mgda", "aligned_mtl", "famo", "dwa"])
@pytest.mark.parametrize("diverging", DIVERGING.values(), ids=DIVERGING)
def test_a_diverged_trial_does_not_change_its_neighbours(
    trial: Trial, assert_same: Callable[..., None], method: str, diverging: dict[str, Any]
) -> None:
    """A diverged trial has a reason and no metrics, and does not change the other trials."""
    neighbours = [
        trial(method, **DEEP, seed=seed, learning_rate=learning_rate)
        for seed, learning_rate in ((0, 1e-3), (1, 3e-3))
    ]
    bad = trial(method, **diverging)
    pack = run_trials([neighbours[0], bad, neighbours[1]], device="cpu")
    assert [r.status for r in pack] == ["finished", "diverged", "finished"]
    assert pack[1].reason == "loss not finite in epoch 1"
    assert (pack[1].validation, pack[1].test) == (None, None)
    assert pack[1].trial == bad.key
    assert len(pack[1].history["learning_rate"]) == 1
    without = run_trials(neighbours, device="cpu")
    for record, expected in zip((pack[0], pack[2]), without, strict=True):
        assert record.test is not None
        assert expected.test is not None
        assert_same(record.history, expected.history, rel=1e-4)
        assert_same(record.test.model_dump(), expected.test.model_dump(), rel=1e-4)


@pytest.mark.parametrize("method", ["vib", "vib_squared", "mib"])
def test_a_kl_that_overflows_does_not_change_neighbours(
    trial: Trial, assert_same: Callable[..., None], method: str
) -> None:
    """A very narrow prior makes the KL overflow single precision, so that the trial diverges.

    The test runs once with equal and once with different learning rates in the pack, because the
    optimiser handles these cases separately.
    """
    neighbours = [trial(method, seed=seed, initial_noise=0.3) for seed in (0, 1)]
    without = run_trials(neighbours, device="cpu")
    for learning_rate in (1e-3, 1e-2):
        bad = trial(method, prior_width=1e-20, learning_rate=learning_rate)
        records = run_trials([neighbours[0], bad, neighbours[1]], device="cpu")
        assert [r.status for r in records] == ["finished", "diverged", "finished"]
        assert records[1].reason == "loss not finite in epoch 1"
        for record, expected in zip((records[0], records[2]), without, strict=True):
            assert record.test is not None
            assert expected.test is not None
            assert_same(record.history, expected.history, rel=1e-4)
            assert_same(record.test.model_dump(), expected.test.model_dump(), rel=1e-4)


def test_a_kl_that_overflows_later_does_not_change_its_neighbour(trial: Trial) -> None:
    """A KL that overflows in epoch 4 does not change another trial with the same learning rate."""
    fields: dict[str, Any] = {"beta": 0.0, "epochs": 6, "learning_rate": 0.1}
    bad, good = trial(**fields, prior_width=1e-17), trial(**fields)
    records = run_trials([bad, good], device="cpu")
    assert records[0].reason == "loss not finite in epoch 4"
    finite = [value is not None for value in records[0].history["loss/compression"]]
    assert finite == [True, True, True, False]
    strict_json(records[0])
    alone = run_trials([good], device="cpu")[0]
    assert records[1].history["loss/prediction"] == pytest.approx(
        alone.history["loss/prediction"], rel=1e-3
    )


def test_clipping_does_not_pass_nan_to_another_trial(trial: Trial) -> None:
    """Clipping uses a separate gradient norm for each trial, so NaN does not spread."""
    good = trial(**DEEP, clip_norm=0.1)
    bad = good.with_fields({"initial_scale": 1000.0})
    assert run_trials([bad, good], device="cpu")[1].status == "finished"


def test_a_diverged_record_is_valid_json(trial: Trial) -> None:
    """Values that are not finite are null or missing; the record that is read back is equal."""
    bad = trial("mib", **DEEP, initial_scale=1000.0)
    record = run_trials([bad, trial("mib", **DEEP)], device="cpu")[0]
    assert strict_json(record)["status"] == "diverged"
    assert TrialRecord.from_json(record.to_json()) == record


def test_the_reason_names_the_epoch_of_the_divergence(trial: Trial) -> None:
    """The reason of a diverged trial has the first epoch whose loss in the history is None."""
    spec = trial(learning_rate=10.0, initial_noise=1e-30, epochs=4, prior_width=1e-3, beta=100.0)
    record = run_trials([spec], device="cpu")[0]
    assert record.status == "diverged"
    assert record.reason == "loss not finite in epoch 2"
    first, second, *_ = record.history["loss/compression"]
    assert first is not None
    assert second is None


def test_a_pack_stops_when_all_trials_have_diverged(trial: Trial) -> None:
    """After all trials have diverged, the remaining epochs are not run."""
    bad = [trial(**DEEP, initial_scale=1000.0, seed=s, epochs=50) for s in (0, 1)]
    for record in run_trials(bad, device="cpu"):
        assert record.status == "diverged"
        assert len(record.history["learning_rate"]) == 1


@pytest.mark.parametrize("method", ["vib", "mib"])
def test_divergence_in_the_last_step_is_detected(trial: Trial, method: str) -> None:
    """A trial whose losses are finite in the last step has diverged if its new weights overflow."""
    fields: dict[str, Any] = {"hidden": [64] * 18, "epochs": 1, "batch_size": 2000}
    bad = trial(method, **fields, learning_rate=10.0, initial_scale=2.0)
    good = trial(method, **fields)
    records = run_trials([bad, good], device="cpu")
    assert [r.status for r in records] == ["diverged", "finished"]
    assert records[0].reason
    strict_json(records[0])


@pytest.mark.parametrize("noise", [1e-6, 1e-10, 1e-12, 1e-20])
def test_little_noise_means_a_high_rate(trial: Trial, noise: float) -> None:
    """The rate of 4 latents rises by 4 bits with every halving of the noise, or it is None.

    The rate must not be 0 because of rounding: such a trial would dominate every front.
    """
    specs = [trial(epochs=1, learning_rate=1e-9, initial_noise=n) for n in (1e-4, noise)]
    rates = [r.test.rate_bits for r in run_trials(specs, device="cpu") if r.test is not None]
    assert len(rates) == 2
    assert rates[0] is not None
    if rates[1] is not None:
        assert rates[1] - rates[0] == pytest.approx(4 * math.log2(1e-4 / noise), rel=0.03)
