"""What a person finds of a sweep in MLflow."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking.client import MlflowClient

from paretoib.errors import NotFoundError
from paretoib.fronts import build_front
from paretoib.records import Front, Reference, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial, File, Ruler
from paretoib.tracking._mlflow.layout import spec_of, sweep_tags
from paretoib.tracking._mlflow.tracker import MLflowTracker

REFERENCE = Reference(rate_bits=33.2, lost_bits=3.32)


def test_a_sweep_is_a_parent_run_in_its_data_sets_experiment(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec
) -> None:
    """Its id is the sweep's id; the parameters say what was asked, `spec.json` all of it."""
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


def test_the_front_and_its_pictures_lie_with_the_sweep(
    tracker: MLflowTracker,
    client: MlflowClient,
    spec: SweepSpec,
    store: Path,
    record: Callable[..., TrialRecord],
) -> None:
    """`front.json` from the first update on, the pictures when the sweep has ended."""
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


def test_artefacts_go_where_the_experiment_keeps_them(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec, tmp_path: Path
) -> None:
    """An experiment that was made otherwise has a place of its own, which MLflow knows."""
    client.create_experiment("paretoib-digits", artifact_location=str(tmp_path / "elsewhere"))
    sweep = tracker.create(spec)
    tracker.close(sweep.id, "finished", None, [File("front.png", b"\x89PNG")])
    kept = tmp_path / "elsewhere" / sweep.id / "artifacts"
    assert {file.name for file in kept.iterdir()} == {"spec.json", "front.png"}


def test_a_sweep_that_someone_has_deleted_is_gone(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec
) -> None:
    """MLflow keeps deleted runs for a while, and finds them by their ids."""
    sweep = tracker.create(spec)
    client.delete_run(sweep.id)
    for look in (tracker.find, tracker.records, tracker.ruler):
        with pytest.raises(NotFoundError):
            look(sweep.id)


def test_a_saved_view_shows_the_sweeps_trials_on_the_plane(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec
) -> None:
    """The description links to the view: the sweep's trials, relevance against rate."""
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


def test_no_tag_is_longer_than_every_database_takes() -> None:
    """MLflow's tags end at 5 000 characters in older versions, at 8 000 in newer ones."""
    long = SweepSpec.from_document({"method": "vib", "grid": {"beta": "1e-5:1:3000"}})
    tags = sweep_tags(long)
    assert max(map(len, tags.values())) <= 5000
    assert SweepSpec.from_document(spec_of(tags)) == long
