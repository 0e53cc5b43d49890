"""The run of a sweep in MLflow: params, tags, artifacts and a saved view."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking.client import MlflowClient

from paretoib.errors import NotFoundError
from paretoib.fronts import build_front
from paretoib.records import Front, ReferencePoint, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, File, Ruler
from paretoib.tracking._mlflow.layout import spec_of, sweep_tags
from paretoib.tracking._mlflow.tracker import MLflowTracker

REFERENCE = ReferencePoint(rate_bits=33.2, lost_bits=3.32)


def test_a_sweep_is_a_parent_run_in_the_experiment_of_its_data_set(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec
) -> None:
    """A sweep's run has the sweep's id, params that summarise the spec, and `spec.json`."""
    sweep = tracker.create(spec)
    tracker.begin(sweep.id, Ruler(REFERENCE, 3.32))
    run = client.get_run(sweep.id)
    assert client.get_experiment(run.info.experiment_id).name == "paretoib-digits"
    assert run.info.run_name == "a β grid"
    assert run.data.params.items() >= {
        ("method", "vib"),
        ("search", "grid"),
        ("trials", "40"),
        ("seeds", "0"),
        ("grid.weighting.beta", "0.0001 … 0.1 (40 values)"),
        ("reference_rate_bits", "33.2"),
    }
    written = Path(run.info.artifact_uri.removeprefix("file://"), "spec.json").read_text()
    assert SweepSpec.from_document(json.loads(written)) == spec


def test_the_front_and_its_pictures_are_artifacts_of_the_sweep(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    store: Path,
    record: Callable[..., TrialRecord],
) -> None:
    """`update` writes `front.json`; `close` writes it again, with the pictures."""
    sweep = tracker.create(spec)
    tracker.add(sweep.id, [EndedTrial(record(0), 1.0)])
    front = build_front(
        sweep, tracker.records(sweep.id), reference=REFERENCE, label_entropy_bits=3.32
    )
    tracker.update(sweep.id, front)
    folder = store / "artifacts" / "paretoib-digits" / sweep.id / "artifacts"
    assert Front.from_json((folder / "front.json").read_text()) == front
    ended = front.model_copy(update={"hypervolume": 7.0})
    pictures = [File("front.html", "<p>β".encode()), File("front.png", b"\x89PNG")]
    tracker.close(sweep.id, "interrupted", ended, pictures)
    assert {f.path for f in client.list_artifacts(sweep.id)} == {
        "spec.json",
        "front.json",
        "front.html",
        "front.png",
    }
    assert Front.from_json((folder / "front.json").read_text()).hypervolume == 7.0
    assert (folder / "front.html").read_text() == "<p>β"
    assert client.get_run(sweep.id).info.status == "KILLED"


def test_artifacts_are_written_to_the_folder_of_the_experiment(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec, tmp_path: Path
) -> None:
    """If an existing experiment has another folder for artifacts, artifacts are written there."""
    client.create_experiment("paretoib-digits", artifact_location=str(tmp_path / "elsewhere"))
    sweep = tracker.create(spec)
    tracker.close(sweep.id, "finished", None, [File("front.png", b"\x89PNG")])
    kept = tmp_path / "elsewhere" / sweep.id / "artifacts"
    assert {file.name for file in kept.iterdir()} == {"spec.json", "front.png"}


def test_a_sweep_that_was_deleted_in_mlflow_is_not_found(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec
) -> None:
    """MLflow keeps a deleted run for a while and finds it by its id; a tracker does not find it."""
    sweep = tracker.create(spec)
    client.delete_run(sweep.id)
    for read in (tracker.find, tracker.records, tracker.ruler):
        with pytest.raises(NotFoundError):
            read(sweep.id)


def test_a_saved_view_plots_the_trials_of_a_sweep(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec
) -> None:
    """The description of a sweep's run links to a view that plots relevance against rate."""
    sweep = tracker.create(spec)
    run = client.get_run(sweep.id)
    experiment = client.get_experiment(run.info.experiment_id)
    view = json.loads(experiment.tags[f"mlflow.sharedViewState.{sweep.id}"])
    state = json.loads(view["state"])
    assert sweep.id in state["searchFilter"]
    assert "params.`weighting.beta`" in state["selectedColumns"]
    (chart,) = state["compareRunCharts"]
    assert (chart["xaxis"]["key"], chart["yaxis"]["key"]) == ("rate_bits", "relevance_bits")
    assert f"viewStateShareKey={sweep.id}" in run.data.tags["mlflow.note.content"]


def test_a_long_spec_is_split_into_tags_that_every_version_of_mlflow_accepts() -> None:
    """Each tag of a long spec has at most 5 000 characters; newer MLflow versions allow 8 000."""
    long = SweepSpec.from_document({"method": "vib", "grid": {"beta": "1e-5:1:3000"}})
    tags = sweep_tags(long)
    assert max(map(len, tags.values())) <= 5000
    assert SweepSpec.from_document(spec_of(tags)) == long
