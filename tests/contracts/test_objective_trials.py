"""Contract of trials with every entry in OBJECTIVES."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from paretoib.data._load import load_dataset
from paretoib.errors import SpecError
from paretoib.objectives import OBJECTIVES
from paretoib.records import TrialRecord
from paretoib.specs import SweepSpec, TrialSpec
from paretoib.training._pack import Pack
from paretoib.training._run import run_trials
from paretoib.weighting import WEIGHTINGS

for_each_objective = pytest.mark.parametrize("name", OBJECTIVES)
for_each_with_compression = pytest.mark.parametrize(
    "name", [name for name, entry in OBJECTIVES.items() if len(entry.losses) > 1]
)


def trial(name: str, data: str = "digits", weighting: str = "linear", **fields: Any) -> TrialSpec:
    """A small trial of the objective; an objective with one loss has weighting `none`."""
    entry = OBJECTIVES[name]
    model = (entry.model or "mlp") if data == "digits" else "linear"
    small: dict[str, Any] = {"latent": 4} | ({"hidden": [16]} if data == "digits" else {})
    if model == "sigmoid":
        small |= {"hidden": [8], "initial_scale": 8.0}
    else:
        small["initial_noise"] = 0.5
    document = {
        "data": data,
        "model": model,
        "objective": name,
        "weighting": weighting if len(entry.losses) > 1 else "none",
    }
    return TrialSpec.from_document(document).with_fields({**small, **fields})


def beta_field(name: str, beta: float) -> dict[str, Any]:
    return {"beta": beta} if len(OBJECTIVES[name].losses) > 1 else {}


@cache
def pack(name: str) -> tuple[tuple[TrialSpec, ...], list[TrialRecord]]:
    """Four trials and their records, trained in one pack on a few digits.

    The trials differ in seed, β and learning rate.
    """
    training: dict[str, Any] = {"subset": 0.28, "batch_size": 100, "epochs": 4}
    specs = tuple(
        trial(name, **training, **beta_field(name, beta), seed=seed, learning_rate=learning_rate)
        for seed, beta, learning_rate in (
            (0, 1e-3, 1e-2),
            (1, 0.1, 5e-3),
            (0, 0.3, 2e-2),
            (2, 1e-4, 1e-2),
        )
    )
    return specs, run_trials(specs, device="cpu")


def assert_same(left: Mapping[str, Any], right: Mapping[str, Any]) -> None:
    """Compare two mappings of numbers, sequences of numbers and None.

    A rounding error can change the most likely class of a sample, so the accuracy of one sample may
    differ by a few of 12 · 359 samples.
    """
    assert left.keys() == right.keys()
    for key, value in left.items():
        if value is None or right[key] is None:
            assert value is right[key], key
        else:
            absolute = 1e-3 if key == "accuracy_one_sample" else 1e-5
            assert value == pytest.approx(right[key], rel=1e-4, abs=absolute), key


@for_each_objective
def test_a_trial_does_not_depend_on_its_pack(name: str) -> None:
    """A trial has the same history and metrics alone and in a pack."""
    specs, records = pack(name)
    (alone,) = run_trials(specs[2:3], device="cpu")
    packed = records[2]
    assert alone.status == packed.status == "finished"
    assert_same(alone.history, packed.history)
    assert alone.test is not None
    assert packed.test is not None
    assert_same(alone.test.model_dump(), packed.test.model_dump())


@for_each_objective
def test_the_seed_determines_the_record(name: str) -> None:
    """The records of two runs differ only in `seconds`; another seed gives another history."""
    (spec,) = pack(name)[0][2:3]
    first, again, other = (
        run_trials([one], device="cpu")[0].model_copy(update={"seconds": 0.0})
        for one in (spec, spec, spec.with_fields({"seed": 7}))
    )
    assert first == again
    assert first.history["loss/prediction"] != other.history["loss/prediction"]


@for_each_objective
def test_training_lowers_the_weighted_loss(name: str) -> None:
    """The sum prediction + β · compression is lower in the last epoch than in the first."""
    for spec, record in zip(*pack(name), strict=True):
        weights = {"prediction": 1.0, "compression": spec.weighting.params.get("beta", 0.0)}
        terms = [w * np.array(record.history.get(f"loss/{k}", 0.0)) for k, w in weights.items()]
        assert np.diff(sum(terms)[[0, -1]]) < 0, spec.seed


@for_each_objective
def test_rate_and_relevance_are_recorded_at_every_epoch(name: str) -> None:
    """Every epoch has a relevance from 0 to log₂ 10 bits and, with noise, a positive rate."""
    for spec, record in zip(*pack(name), strict=True):
        histories = {k: record.history.get(f"{k}_bits", ()) for k in ("rate", "relevance")}
        epochs = spec.training.epochs
        noisy = OBJECTIVES[name].noise != "none"
        assert {k: len(values) for k, values in histories.items()} == {
            "rate": epochs if noisy else 0,
            "relevance": epochs,
        }
        assert all(value is not None and value > 0 for value in histories["rate"])
        relevances = histories["relevance"]
        assert all(value is not None and 0 <= value <= np.log2(10) for value in relevances)


@for_each_objective
def test_only_trials_with_noise_have_a_rate(name: str) -> None:
    """Without noise the rate is None. With noise the rate is at least its lower bound."""
    noisy = OBJECTIVES[name].noise != "none"
    for record in pack(name)[1]:
        metrics = record.test
        assert metrics is not None
        assert (metrics.rate_bits is not None) == noisy
        if metrics.rate_bits is not None and metrics.rate_lower_bits is not None:
            assert 0 <= metrics.rate_lower_bits <= metrics.rate_bits


@for_each_objective
def test_cross_entropies_and_accuracies_agree(name: str) -> None:
    """E q(y|z) is at least e^(−H_Θ[Y|Z]), and H_Θ[Y|X] is at most H_Θ[Y|Z] (uib section 5).

    Without noise, the two cross-entropies are equal, and so are the accuracies.
    """
    for record in pack(name)[1]:
        for metrics in (record.validation, record.test):
            assert metrics is not None
            assert metrics.label_probability is not None
            assert metrics.prediction_cross_entropy_bits is not None
            bound = 2**-metrics.cross_entropy_bits
            assert bound - 1e-6 <= metrics.label_probability <= 1
            assert metrics.prediction_cross_entropy_bits <= metrics.cross_entropy_bits + 1e-5
            shares = (metrics.accuracy, metrics.accuracy_sampled, metrics.accuracy_one_sample)
            assert all(share is not None and 0.05 < share <= 1 for share in shares)
            sampled = OBJECTIVES[name].noise not in ("none", "categorical")
            assert metrics.samples == (12 if sampled else 1)
            if OBJECTIVES[name].noise == "none":
                assert len(set(shares)) == 1
                assert metrics.prediction_cross_entropy_bits == metrics.cross_entropy_bits
            elif sampled:
                assert metrics.prediction_cross_entropy_bits < metrics.cross_entropy_bits


@for_each_with_compression
def test_the_rate_falls_as_beta_grows(name: str) -> None:
    """Each larger β gives a lower rate; for `categorical`, the rate falls only at β = 1.

    The data are Gaussian, or digits if the objective needs classes.
    """
    if OBJECTIVES[name].classes:
        data: dict[str, Any] = {"epochs": 25, "batch_size": 200, "learning_rate": 0.02}
        template, betas = trial(name, **data), (1e-3, 0.03, 1.0, 30.0)
    else:
        schedule: dict[str, Any] = {"schedule": "exponential", "decay": 0.7, "learning_rate": 0.03}
        data = {"samples": 2000, "epochs": 10, "batch_size": 100, **schedule}
        template, betas = trial(name, "gaussian", **data), (0.01, 0.1, 0.3, 0.8)
    if name == "vim":
        betas = (0.1, 3.0, 30.0, 100.0)  # vim's compression is at most 2, so a larger β is needed
    records = run_trials([template.with_fields({"beta": b}) for b in betas], device="cpu")
    rates = [r.test.rate_bits for r in records if r.test and r.test.rate_bits is not None]
    assert len(rates) == 4
    if name == "categorical":  # every β below 1 has the same optimum
        assert rates[1] > 1.5 > 0.1 > max(rates[2:]), rates
        return
    assert (np.diff(rates) < -0.05).all(), rates


@pytest.mark.parametrize(
    "names",
    [
        ("vib", "vib_squared", "vim", "ceb"),
        ("nib", "nib_squared"),
        ("l2", "log_var", "log_var_given_y", "dib"),
    ],
)
def test_at_beta_0_compression_does_not_matter(names: tuple[str, ...]) -> None:
    """At β = 0, objectives that differ only in compression have equal prediction losses."""
    fields: dict[str, Any] = {"subset": 0.28, "batch_size": 100, "epochs": 3, "beta": 0.0}
    first, *others = (run_trials([trial(name, **fields)], device="cpu")[0] for name in names)
    for other in others:
        actual = other.history["loss/prediction"]
        assert actual == pytest.approx(first.history["loss/prediction"], rel=1e-5)


@for_each_with_compression
def test_a_large_beta_removes_rate_and_relevance(name: str) -> None:
    """At β = 1000, rate and relevance are below 0.05 bits."""
    if name == "vim":
        pytest.skip(
            "vim's compression compares the distribution of all codes with the prior; "
            "it does not bound the rate"
        )
    fields = {"epochs": 15, "batch_size": 100, "learning_rate": 0.02, "beta": 1e3}
    (record,) = run_trials([trial(name, **fields)], device="cpu")
    assert record.test is not None
    assert record.test.rate_bits == pytest.approx(0, abs=0.05)
    assert record.test.relevance_bits == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("name", "weighting"),
    [
        (name, weighting)
        for name, objective in OBJECTIVES.items()
        for weighting, entry in WEIGHTINGS.items()
        if entry.losses[0] <= len(objective.losses) <= entry.losses[1]
    ],
)
def test_every_objective_trains_with_every_weighting(name: str, weighting: str) -> None:
    """In the first step of two trials, losses and gradients are finite.

    The gradient of each trial's encoder is not zero.
    """
    specs = [trial(name, weighting=weighting, seed=seed) for seed in (0, 1)]
    trained = Pack(specs, load_dataset("digits", specs[0].data.params), torch.device("cpu"))
    trained.stack.train(True)
    step = trained.step(next(trained.batches.epoch()))
    assert step.losses.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in step.gradients)
    shared = [g.flatten(1) for g in step.gradients[: trained.stack.shared_count]]
    assert (torch.cat(shared, dim=1).norm(dim=1) > 0).all()


@for_each_objective
def test_a_batch_may_have_one_example(name: str) -> None:
    """Eleven examples give finite losses in batches of 1, and in batches of 5, 5 and 1."""
    for batch_size in (1, 5):
        spec = trial(name, subset=0.01, batch_size=batch_size, epochs=2)
        (record,) = run_trials([spec], device="cpu")
        assert record.status == "finished"
        histories = [v for key, v in record.history.items() if key.startswith("loss/")]
        assert len(histories) == len(OBJECTIVES[name].losses)
        assert all(value is not None for values in histories for value in values)


@for_each_objective
def test_specs_round_trip_through_text(name: str) -> None:
    """A spec written as JSON or YAML is read back unchanged.

    This is tested with the defaults and with another value of each hyperparameter.
    """
    plain = trial(name)
    for spec in (plain, *(plain.with_fields(change) for change in other_values(name))):
        for text, read in ((spec.to_json(), TrialSpec.from_json), (spec.to_yaml(), None)):
            again = read(text) if read else TrialSpec.from_yaml(text)
            assert again == spec
            assert again.key == spec.key
    sweep = SweepSpec.from_document({"method": name})
    assert SweepSpec.from_json(sweep.to_json()) == sweep


# Values for the two binary layers of `trial`.
LISTS = {"relative_betas": [0.5, 100.0], "gammas": [1.0, 0.5, 2.0]}


def other_values(name: str) -> list[dict[str, Any]]:
    """For each hyperparameter, one valid value that is not its default."""
    changes = []
    for param in OBJECTIVES[name].params:
        if param.name in LISTS:
            value: Any = LISTS[param.name]
        elif param.kind is bool:
            value = not param.default
        elif param.kind in (float, int):
            value = param.kind(param.default / 2) or 0.25
        else:
            value = next(v for v in param.kind.__args__ if v != param.default)
        changes.append({f"objective.{param.name}": value})
    return changes


@pytest.mark.parametrize(
    ("name", "option"),
    # With fixed weights, separate losses of layers train as their sums do (test_imb.py).
    [(n, c) for n in OBJECTIVES for c in other_values(n) if c != {"objective.losses": "per_layer"}],
    ids=lambda v: v if isinstance(v, str) else next(iter(v)),
)
def test_every_hyperparameter_changes_training(name: str, option: dict[str, Any]) -> None:
    """With another value of a hyperparameter, the prediction losses differ."""
    spec, record = pack(name)[0][2], pack(name)[1][2]
    (changed,) = run_trials([spec.with_fields(option)], device="cpu")
    assert changed.status == "finished"
    assert changed.history["loss/prediction"] != pytest.approx(
        record.history["loss/prediction"], rel=1e-6
    )


@pytest.mark.parametrize("name", [n for n, entry in OBJECTIVES.items() if entry.classes])
def test_an_objective_that_needs_classes_refuses_a_continuous_y(name: str) -> None:
    """An objective that needs classes refuses a continuous Y; the error names the objective."""
    with pytest.raises(SpecError, match=f"`{name}` needs classes; data set `gaussian` has a cont"):
        trial(name, "gaussian", samples=500)
