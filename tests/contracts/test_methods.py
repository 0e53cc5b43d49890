"""Contract of every entry in METHODS, and tests of MIB with objectives other than vib."""

import pickle
from typing import Any

import numpy as np
import pytest

from paretoib.objectives import OBJECTIVES
from paretoib.search import driver
from paretoib.specs import METHODS, SweepSpec, TrialSpec, with_overrides
from paretoib.training._run import run_trials


def sweep(method: str, data: str, **fields: Any) -> SweepSpec:
    """A small sweep of the method, on `data` if the method is from mtvib, else on digits."""
    entry = METHODS[method]
    tasks = bool(entry.task_model)
    model = entry.model or OBJECTIVES[entry.objective].model or "mlp"
    small: dict[str, Any] = {"latent": 4, "hidden": [16], "epochs": 2, "subset": 0.3}
    small |= {"batch_size": 100, "learning_rate": 1e-2} | fields
    if tasks and entry.one_task:
        small["task"] = "digit"
    if "draws" in SweepSpec.from_document({"method": method}).objective.params:
        small["draws"] = 2
    document = {"method": method, "data": data if tasks else "digits", "model": model}
    return with_overrides(document, small)


@pytest.mark.parametrize("method", METHODS)
def test_a_proposed_trial_is_trained_and_measured(method: str, two_tasks: str) -> None:
    """The first trial of a method, trained twice, gives records that differ only in `seconds`.

    The records have the metrics of all tasks.
    """
    spec = sweep(method, two_tasks)
    (proposed,) = driver(spec).ask(1)
    sent = pickle.loads(pickle.dumps(proposed))
    assert sent == proposed
    assert TrialSpec.from_json(proposed.to_json()).key == proposed.key
    first, again = (
        run_trials([one], device="cpu")[0].model_copy(update={"seconds": 0.0})
        for one in (proposed, sent)
    )
    assert first == again
    assert (first.status, first.trial) == ("finished", proposed.key)
    assert first.test is not None
    assert (first.test.rate_bits is not None) == (OBJECTIVES[spec.objective.name].noise != "none")
    assert tuple(first.test.tasks) == proposed.tasks
    assert len(first.history["relevance_bits"]) == proposed.training.epochs


@pytest.mark.parametrize(
    ("objective", "tasks"), [("vim", False), ("ceb", False), ("vib", True), ("ceb", True)]
)
def test_mib_trains_other_objectives_and_several_tasks(
    objective: str, tasks: bool, two_tasks: str
) -> None:
    """MIB trains vim and ceb on one task, and vib and ceb on two tasks (three losses).

    The prediction losses fall. In every epoch the min-norm weights are ≥ 0 and sum to 1, and no
    loss has weight 0 in all epochs.
    """
    document = {
        "method": "mib",
        "objective": objective,
        "data": two_tasks if tasks else "digits",
        "model": "mlp",
    }
    small = {"latent": 4, "hidden": [32], "epochs": 10, "batch_size": 50, "learning_rate": 5e-3}
    template = with_overrides(document, {**small, "initial_noise": 0.3}).template
    (record,) = run_trials([template], device="cpu")
    losses = OBJECTIVES[objective].losses_of(template.tasks)
    assert len(losses) == (3 if tasks else 2)
    weights = np.array([record.history[f"weight/{loss}"] for loss in losses])
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-5)
    assert (weights >= 0).all()
    assert (weights.max(1) > 0).all()
    for loss in losses[:-1]:
        values = record.history[f"loss/{loss}"]
        assert values[-1] < values[0], loss
    assert record.test is not None
    assert record.test.rate_bits is not None
    assert 0.1 < record.test.relevance_bits < record.test.rate_bits


BETA_GRID_METHODS = [
    name
    for name, entry in METHODS.items()
    if (name, entry.weighting) == (entry.objective, "linear")
]


@pytest.mark.parametrize("method", BETA_GRID_METHODS)
def test_the_default_betas_span_the_trade_off(method: str) -> None:
    """The smallest default β of a method gives more than 1.2 bits of relevance on digits.

    The largest default β gives a rate below 1.6 bits.
    """
    spec = SweepSpec.from_document({"method": method, "training": {"epochs": 10}})
    trials = driver(spec).ask(spec.trials)
    smallest, largest = (r.test for r in run_trials([trials[0], trials[-1]], device="cpu"))
    assert smallest is not None
    assert largest is not None
    assert smallest.relevance_bits > 1.2
    assert largest.rate_bits is not None
    assert largest.rate_bits < 1.6
