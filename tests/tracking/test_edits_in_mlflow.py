"""What people do to runs and experiments in MLflow's own UI."""

import logging
import unicodedata
from collections.abc import Callable

import pytest
from mlflow.tracking.client import MlflowClient

from paretoib.errors import DeletedExperimentError
from paretoib.records import TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking._mlflow.layout import name_digits, trial_name
from paretoib.tracking._mlflow.reader import MLflowReader
from paretoib.tracking._mlflow.tracker import MLflowTracker


def test_a_deleted_experiment_is_named_with_the_way_back(
    tracker: MLflowTracker,
    client: MlflowClient,
    uri: str,
    spec: SweepSpec,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A new sweep is refused, a list of no sweeps logs a warning, and both give the command."""
    tracker.create(spec)
    (experiment,) = client.search_experiments(filter_string="name LIKE 'paretoib-%'")
    client.delete_experiment(experiment.experiment_id)
    advice = (
        "MLflow's experiment paretoib-digits should not be deleted; `mlflow experiments restore "
        f"--experiment-id {experiment.experiment_id}` restores it"
    )
    with pytest.raises(DeletedExperimentError) as refused:
        tracker.create(spec)
    assert str(refused.value) == advice
    with caplog.at_level(logging.WARNING):
        assert MLflowReader(uri).sweeps() == []
    assert caplog.messages == [advice]
    client.restore_experiment(experiment.experiment_id)
    assert len(MLflowReader(uri).sweeps()) == 1


def test_control_characters_in_a_name_are_escaped(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec
) -> None:
    """A run that was renamed in MLflow cannot send escape sequences to a terminal."""
    sweep = tracker.create(spec)
    client.update_run(sweep.id, name="x \x1b[31m\n\u202ey größe")
    (state,) = tracker.sweeps()
    assert state.name == "x \\x1b[31m\\n\\u202ey größe"
    assert tracker.find(state.name).id == sweep.id


def test_a_name_is_found_however_its_accents_are_encoded(
    tracker: MLflowTracker, spec: SweepSpec
) -> None:
    """Keyboards and files encode é as one character or as e with a combining accent."""
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert composed != decomposed
    for name, other in ((composed, decomposed), (decomposed, composed)):
        sweep = tracker.create(spec.model_copy(update={"name": name}))
        assert tracker.find(other).id == sweep.id


def test_names_tell_trials_apart(record: Callable[..., TrialRecord]) -> None:
    """The values of β in a name have as many digits as tell the values of the sweep apart."""
    sweep = SweepSpec.from_document(
        {"method": "vib", "grid": {"beta": [0.500001, 0.500002, 0.500003]}}
    )
    names = set()
    for beta in (0.500001, 0.500002, 0.500003):
        spec = record(0).spec
        spec = {**spec, "weighting": {**spec["weighting"], "beta": beta}, "seed": 0}
        names.add(trial_name(spec, sweep.document, name_digits(sweep.document)))
    assert names == {"β=0.500001 seed 0", "β=0.500002 seed 0", "β=0.500003 seed 0"}
