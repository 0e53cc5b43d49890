"""The history of a trial: series with one value for each epoch."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from paretoib.records import TrialRecord
from paretoib.specs import TrialSpec
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials

Trial = Callable[..., TrialSpec]
PackOf = Callable[[Sequence[TrialSpec]], Pack]

ALWAYS = {"loss/prediction", "gradient_norm", "learning_rate", "relevance_bits"}
VIB = ALWAYS | {"loss/compression", "rate_bits"}
BOTH = ("prediction", "compression")
MGDA = VIB | {f"{name}/{loss}" for name in ("weight", "gradient_norm") for loss in BOTH}
MIB = MGDA | {f"{name}/{loss}" for name in ("weight_powered", "alpha") for loss in BOTH}


def rows(record: TrialRecord) -> dict[str, np.ndarray]:
    """The history as arrays."""
    return {name: np.array(row, float) for name, row in record.history.items()}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"method": "vib"}, VIB | {"accuracy"}),
        ({"method": "mgda"}, MGDA | {"accuracy"}),
        ({"method": "mib"}, MIB | {"accuracy"}),
        ({"method": "cagrad"}, MGDA | {"accuracy"}),
        ({"method": "famo"}, MGDA - {f"gradient_norm/{n}" for n in BOTH} | {"accuracy"}),
        ({"method": "mib", "smooth": False}, MIB - {f"alpha/{n}" for n in BOTH} | {"accuracy"}),
        ({"method": "deterministic"}, ALWAYS | {"accuracy"}),
        ({"method": "vib", "data": "gaussian", "samples": 500}, VIB),
    ],
)
def test_a_history_has_one_value_for_each_epoch_of_each_series(
    trial: Trial, fields: dict[str, Any], names: set[str]
) -> None:
    """A series has one value for each epoch.

    An undefined series, such as the rate without noise or accuracy without classes, is missing.
    """
    record = run_trials([trial(epochs=3, **fields)], device="cpu")[0]
    assert record.history.keys() == names
    assert {len(row) for row in record.history.values()} == {3}
    assert all(v is not None for row in record.history.values() for v in row)


@pytest.mark.parametrize("gradient", ["parameters", "latent"])
@pytest.mark.parametrize("sqrted", [0, 1])
def test_weights_of_mib_follow_the_paper(trial: Trial, gradient: str, sqrted: int) -> None:
    """`weight`, w, and `alpha`, α = softmax(w̃ L/μ), each sum to 1 (mib eqs 7–14).

    `weight_powered`, w̃, is w for `sqrted` 0 and w² for `sqrted` 1.
    """
    # With one step per epoch the means over the epoch are the values of the step.
    fields = {"gradient": gradient, "sqrted": sqrted, "batch_size": 2000, "epochs": 5}
    specs = [trial("mib", mu=mu, initial_noise=n, **fields) for mu, n in ((0.2, 0.5), (20.0, 0.1))]
    for spec, record in zip(specs, run_trials(specs, device="cpu"), strict=True):
        h = rows(record)
        weights, powered, alpha, losses = (
            np.stack([h[f"{name}/{loss}"] for loss in BOTH])
            for name in ("weight", "weight_powered", "alpha", "loss")
        )
        assert ((weights >= 0) & (weights <= 1)).all()
        np.testing.assert_allclose(weights.sum(0), 1, atol=1e-6)
        np.testing.assert_allclose(alpha.sum(0), 1, atol=1e-6)
        np.testing.assert_allclose(powered, weights ** (1 + sqrted), rtol=1e-5)
        scores = powered * losses / spec.get("mu")
        softmax = np.exp(scores - scores.max(0))
        np.testing.assert_allclose(alpha, softmax / softmax.sum(0), rtol=1e-4, atol=1e-6)


def test_the_information_plane_is_in_bits_and_in_range(trial: Trial) -> None:
    """Accuracy is in [0, 1]; relevance is between 0 and H(Y) and rises; the rate is positive."""
    h = rows(run_trials([trial(epochs=16, learning_rate=1e-2, initial_noise=0.1)], device="cpu")[0])
    assert ((h["accuracy"] >= 0) & (h["accuracy"] <= 1)).all()
    assert h["accuracy"][-1] > 0.8
    assert ((h["relevance_bits"] >= 0) & (h["relevance_bits"] <= math.log2(10))).all()
    assert h["relevance_bits"][-1] > 2 > h["relevance_bits"][0]
    assert (h["rate_bits"] > 0).all()


def test_losses_are_means_over_the_examples_of_an_epoch(trial: Trial, pack_of: PackOf) -> None:
    """Losses are means in nats, weighted by batch size; the gradient norm is of the last step."""
    spec = trial("mib", batch_size=500, epochs=1)  # batches of 500, 500 and 79
    record = run_trials([spec], device="cpu")[0]
    pack = pack_of([spec])
    pack.stack.train(True)
    batches = list(pack.batches.epoch())
    steps = [pack.step(batch) for batch in batches]
    sizes = torch.tensor([b.x.shape[1] for b in batches]).double()
    assert sizes.tolist() == [500, 500, 79]
    losses = torch.stack([s.losses[0] for s in steps]).double()
    means = (losses * sizes[:, None]).sum(0) / sizes.sum()
    for i, name in enumerate(BOTH):
        assert record.history[f"loss/{name}"] == pytest.approx([float(means[i])], rel=1e-5)
    last = torch.cat([g.flatten() for g in steps[-1].gradients]).norm()
    assert record.history["gradient_norm"] == pytest.approx([float(last)], rel=1e-5)


def test_the_last_epoch_of_the_history_is_near_the_metrics(trial: Trial) -> None:
    """Relevance agrees within sampling error; the rate is at least 95 % of the metrics' rate.

    The rate in the history is a looser upper bound: its marginal is fitted to fewer examples.
    """
    record = run_trials([trial(epochs=8, learning_rate=1e-2, initial_noise=0.3)], device="cpu")[0]
    metrics = record.validation
    assert metrics is not None
    assert metrics.rate_bits is not None
    h = rows(record)
    near = 5 * metrics.relevance_se_bits
    assert h["relevance_bits"][-1] == pytest.approx(metrics.relevance_bits, abs=near)
    assert h["rate_bits"][-1] > 0.95 * metrics.rate_bits
