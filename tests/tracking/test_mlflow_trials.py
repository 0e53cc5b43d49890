"""The runs of trials in MLflow, and the metrics that show the progress of their sweep."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking.client import MlflowClient

from paretoib.records import Front, Point, ReferencePoint, TaskMetrics, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, Ruler, StoreUnavailableError, read_front
from paretoib.tracking._mlflow.tracker import MLflowTracker

REFERENCE = ReferencePoint(rate_bits=33.2, lost_bits=3.32)


def trials(client: MlflowClient, sweep_id: str) -> list[Run]:
    experiment = client.get_run(sweep_id).info.experiment_id
    condition = f"tags.`mlflow.parentRunId` = '{sweep_id}'"
    return list(client.search_runs([experiment], condition))


def test_a_trial_is_a_child_run_named_by_the_fields_that_vary(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """The run of a trial has params by field name, and metrics of the test and validation splits.

    A metric that is None is left out.
    """
    sweep = tracker.create(spec)
    tracker.add(sweep.id, [EndedTrial(record(4), 1.0)])
    (run,) = trials(client, sweep.id)
    assert run.info.run_name == "β=0.005 seed 2"
    assert run.info.status == "FINISHED"
    assert run.data.params["weighting"] == "linear"
    assert run.data.params["weighting.beta"] == "0.005"
    assert run.data.params["training.epochs"] == "50"
    assert run.data.metrics["rate_bits"] == pytest.approx(4 + 1 / 3, rel=1e-5)
    assert run.data.metrics["validation/accuracy"] == 0.9
    assert "rate_lower_bits" not in run.data.metrics
    assert 1400 <= run.info.end_time - run.info.start_time < 10_000


def test_each_of_several_tasks_has_metrics(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """The metrics of a task are logged for the test and validation splits.

    The stored record can be read back.
    """
    plain = record(4)
    assert plain.test is not None
    left = {"relevance_bits": 2.0, "ceiling_bits": 3.0, "lost_bits": 1.0, "accuracy": 0.5}
    task = TaskMetrics(**left, cross_entropy_bits=1.1)
    several = plain.test.model_copy(update={"tasks": {"left": task}})
    ended = plain.model_copy(update={"test": several, "validation": several})
    sweep = tracker.create(spec)
    tracker.add(sweep.id, [EndedTrial(ended, 1.0)])
    (run,) = trials(client, sweep.id)
    for prefix in ("", "validation/"):
        found = {k: run.data.metrics[f"{prefix}left/{k}"] for k in ("relevance_bits", "accuracy")}
        assert found == {"relevance_bits": 2.0, "accuracy": 0.5}
    (stored,) = tracker.records(sweep.id)
    assert stored.test == several


def test_cross_entropies_and_accuracies_are_metrics(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """The accuracies of all three predictors, and both cross-entropies, are logged."""
    plain = record(4)
    assert plain.test is not None
    values = {
        "cross_entropy_bits": 0.7,
        "prediction_cross_entropy_bits": 0.6,
        "accuracy": 0.9,
        "accuracy_sampled": 0.91,
        "accuracy_one_sample": 0.88,
        "label_probability": 0.86,
    }
    measured = plain.test.model_copy(update={**values, "samples": 12})
    sweep = tracker.create(spec)
    tracker.add(sweep.id, [EndedTrial(plain.model_copy(update={"test": measured}), 1.0)])
    (run,) = trials(client, sweep.id)
    assert {name: run.data.metrics[name] for name in values} == values
    (stored,) = tracker.records(sweep.id)
    assert stored.test == measured


def test_a_record_of_an_older_version_can_be_read(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """A stored record without the metrics that were added later is read, and they are None."""
    added = ("prediction_cross_entropy_bits", "accuracy_one_sample", "label_probability", "samples")
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, Ruler(REFERENCE, 3.32))
    tracker.add(sweep.id, [EndedTrial(record(4), 1.0)])
    (run,) = trials(client, sweep.id)
    document = json.loads(run.data.tags["mlflow.paretoib.record"])
    for split in ("validation", "test"):
        for name in added:
            del document[split][name]
    client.set_tag(run.info.run_id, "mlflow.paretoib.record", json.dumps(document))
    (stored,) = tracker.records(sweep.id)
    assert stored.test is not None
    assert [getattr(stored.test, name) for name in added] == [None] * 4
    front = read_front(tracker, tracker.state(sweep.id))
    assert [(p.accuracy, p.accuracy_one_sample) for p in front.points] == [(0.9, None)]
    old = {k: v for k, v in front.points[0].document.items() if not k.startswith("accuracy_")}
    assert Point.from_document(old).accuracy == 0.9


def test_adaptive_trials_are_named_by_the_fields_of_mib(
    tracker: MLflowTracker, client: MlflowClient, record: Callable[..., TrialRecord]
) -> None:
    """The name of a MIB trial's run has μ, `sqrted`, and other fields that the trial changes.

    These are the fields whose values differ from those in the spec of the sweep.
    """
    sweep = tracker.create(SweepSpec.from_document({"method": "mib"}))
    tracker.add(sweep.id, [EndedTrial(record(0, weighting={"name": "mib"}, epochs=20), 1.0)])
    (run,) = trials(client, sweep.id)
    assert run.info.run_name == "μ=0.2 sqrted=1 epochs=20 seed 2"


def test_a_long_history_is_thinned_as_metrics_and_complete_as_an_artifact(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """A history of 50 epochs has 8 steps as a metric, from the first epoch to the last.

    The artifact has all epochs.
    """
    sweep = tracker.create(spec)
    added = record(1)
    tracker.add(sweep.id, [EndedTrial(added, 1.0)])
    (run,) = trials(client, sweep.id)
    points = client.get_metric_history(run.info.run_id, "history/series 3")
    steps = [point.step for point in points]
    assert steps[0] == 1
    assert steps[-1] == 50
    assert len(steps) == 8
    assert [point.value for point in points] == [added.history["series 3"][s - 1] for s in steps]
    written = Path(run.info.artifact_uri.removeprefix("file://"), "history.json").read_text()
    assert json.loads(written) == {k: list(v) for k, v in added.history.items()}


def test_a_short_history_is_complete_as_metrics(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """For a short history, a metric has a step for every epoch with a finite value."""
    sweep = tracker.create(spec)
    short = record(1).model_copy(update={"history": {"loss": (3.0, None, 1.0)}})
    tracker.add(sweep.id, [EndedTrial(short, 1.0)])
    (run,) = trials(client, sweep.id)
    points = client.get_metric_history(run.info.run_id, "history/loss")
    assert [(p.step, p.value) for p in points] == [(1, 3.0), (3, 1.0)]


def test_a_diverged_trial_is_a_failed_run_with_its_reason(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """MLflow shows the tag `reason` of a diverged trial's run.

    The other tags have names that begin with `mlflow.`, so MLflow hides them.
    """
    sweep = tracker.create(spec)
    tracker.add(sweep.id, [EndedTrial(record(1, status="diverged"), 0.0)])
    (run,) = trials(client, sweep.id)
    assert run.info.status == "FAILED"
    shown = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    assert shown == {"reason": "the loss was not finite in epoch 7"}


def test_the_hypervolume_has_a_step_for_each_ended_trial(
    tracker: MLflowTracker,
    uri: str,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """The steps of the hypervolume continue when another tracker writes the sweep."""
    sweep = tracker.create(spec)
    tracker.add(sweep.id, [EndedTrial(record(0), 1.0)])
    tracker.add(sweep.id, [EndedTrial(record(1, status="diverged"), 1.0)])
    MLflowTracker(uri).add(sweep.id, [EndedTrial(record(2), 4.0)])
    points = client.get_metric_history(sweep.id, "hypervolume")
    assert [(p.step, p.value) for p in points] == [(1, 1.0), (2, 1.0), (3, 4.0)]
    metrics = client.get_run(sweep.id).data.metrics
    assert (metrics["trials_finished"], metrics["trials_failed"]) == (2, 1)


def test_a_stopped_trial_is_neither_finished_nor_failed(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
) -> None:
    """The run of a stopped trial is KILLED, and `trials_stopped` counts the trial.

    Another tracker continues the count.
    """
    sweep = tracker.create(spec)
    tracker.add(
        sweep.id, [EndedTrial(record(0), 1.0), EndedTrial(record(1, status="stopped"), 1.0)]
    )
    MLflowTracker(tracker.uri).add(sweep.id, [EndedTrial(record(2, status="stopped"), 1.0)])
    assert [run.info.status for run in trials(client, sweep.id)].count("KILLED") == 2
    metrics = client.get_run(sweep.id).data.metrics
    counts = {name: value for name, value in metrics.items() if name.startswith("trials_")}
    assert counts == {"trials_finished": 1, "trials_stopped": 2}


@pytest.mark.parametrize("cut_off_after", [0, 1, 2, 3])
def test_the_hypervolume_has_no_gap_after_a_cut_connection(
    tracker: MLflowTracker,
    uri: str,
    client: MlflowClient,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
    cut_off_after: int,
) -> None:
    """If a pack is added again after a lost connection, every trial has one run and one step."""
    pack = [EndedTrial(record(position), position + 0.5) for position in range(3)]
    sweep = tracker.create(spec)
    tracker.add(sweep.id, [EndedTrial(record(9), 0.25)])
    log, calls = tracker._log, 0

    def cut_off(run_id: str, **values: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > cut_off_after:
            raise ConnectionResetError("connection reset")
        log(run_id, **values)

    tracker._log = cut_off  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError):
        tracker.add(sweep.id, pack)
    # `begin` itself deletes the half-written run; it does not wait for the next `add`.
    next_writer = MLflowTracker(uri)
    next_writer.begin(sweep.id, Ruler(REFERENCE, 3.32))
    assert {run.info.status for run in trials(client, sweep.id)} == {"FINISHED"}
    next_writer.add(sweep.id, pack)
    MLflowTracker(uri).add(sweep.id, [EndedTrial(record(9), 0.25), *pack])
    points = client.get_metric_history(sweep.id, "hypervolume")
    assert [(p.step, p.value) for p in points] == [(1, 0.25), (2, 0.5), (3, 1.5), (4, 2.5)]
    assert [run.info.status for run in trials(client, sweep.id)] == ["FINISHED"] * 4


def test_the_front_is_found_by_a_filter_in_mlflow(
    uri: str, client: MlflowClient, spec: SweepSpec, record: Callable[..., TrialRecord]
) -> None:
    """`metrics.on_front = 1` finds the trials on the front, and each has its hull gap in bits.

    A trial that has left the front is not found any more, also if another process logged it.
    """

    def trial(position: int, rate: float, lost: float) -> TrialRecord:
        plain = record(position)
        test = plain.test.model_copy(update={"rate_bits": rate, "lost_bits": lost})
        return plain.model_copy(update={"test": test})

    def close(records: list[TrialRecord]) -> Front:
        tracker = MLflowTracker(uri)
        tracker.begin(sweep.id, Ruler(REFERENCE, 3.32))
        tracker.add(sweep.id, [EndedTrial(one, 1.0) for one in records])
        front = read_front(tracker, tracker.state(sweep.id))
        tracker.update(sweep.id, front)
        tracker.close(sweep.id, "interrupted", front, [])
        return front

    def found(condition: str) -> dict[str, float]:
        (experiment,) = client.search_experiments(filter_string="name = 'paretoib-digits'")
        runs = client.search_runs([experiment.experiment_id], condition)
        keys = [run.data.tags["mlflow.paretoib.trial"] for run in runs]
        return dict(zip(keys, [run.data.metrics.get("hull_gap_bits") for run in runs], strict=True))

    def expected(front: Front) -> dict[str, float]:
        return {p.trial: pytest.approx(p.hull_gap_bits, 1e-5) for p in front.points if p.on_front}

    sweep = MLflowTracker(uri).create(spec)
    records = [trial(0, 1.0, 3.0), trial(1, 2.0, 2.5), trial(2, 3.0, 1.0), trial(3, 4.0, 2.0)]
    front = close([*records, record(4, "diverged")])
    assert [point.on_front for point in front.points] == [True, True, True, False]
    assert found("metrics.on_front = 1") == expected(front)
    assert found("metrics.on_front = 1 AND metrics.hull_gap_bits > 0") == {
        records[1].trial: pytest.approx(0.5)
    }
    assert [*found("metrics.on_front = 0")] == [records[3].trial]

    front = close([trial(5, 1.5, 0.5)])
    assert sum(point.on_front for point in front.points) == 2
    assert found("metrics.on_front = 1") == expected(front)
    assert len(found("metrics.on_front = 0")) == 3


def test_only_changes_of_the_front_are_logged(
    tracker: MLflowTracker,
    spec: SweepSpec,
    record: Callable[..., TrialRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second update with the same front writes no metric, however many trials the sweep has."""
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, Ruler(REFERENCE, 3.32))
    tracker.add(sweep.id, [EndedTrial(record(i), 1.0) for i in range(6)])
    front = read_front(tracker, tracker.state(sweep.id))
    calls: list[str] = []
    log_batch = tracker._client.log_batch

    def counted(run_id: str, **arguments: Any) -> Any:
        calls.append(run_id)
        return log_batch(run_id, **arguments)

    monkeypatch.setattr(tracker._client, "log_batch", counted)
    tracker.update(sweep.id, front)
    assert len(calls) == sum(point.on_front for point in front.points) == 1
    tracker.update(sweep.id, front)
    assert len(calls) == 1
