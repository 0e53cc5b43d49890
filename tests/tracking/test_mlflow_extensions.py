"""Extensions of a sweep in MLflow: tags, files, kills in between, and two writers at a time."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking.client import MlflowClient

from paretoib.errors import StoreUnavailableError, TakenOverError
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.specs import Additions, SweepSpec, extended
from paretoib.tracking import EndedTrial, Ruler, _heartbeat
from paretoib.tracking._mlflow import layout
from paretoib.tracking._mlflow.submissions import SubmissionTracker
from paretoib.tracking._mlflow.tracker import MLflowTracker

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


@pytest.fixture
def sweep(tracker: MLflowTracker, spec: SweepSpec, record: Callable[..., TrialRecord]) -> str:
    """The id of a finished sweep with one trial."""
    sweep_id = tracker.create(spec).id
    tracker.begin(sweep_id, RULER)
    tracker.add(sweep_id, [EndedTrial(record(0), 1.0)])
    tracker.close(sweep_id, "finished", None, [])
    return sweep_id


def extension(spec: SweepSpec, **additions: Any) -> SweepSpec:
    """The spec after an extension, by default with one more seed: it doubles the 40 trials."""
    asked = Additions.from_document(additions or {"seeds": "+1"})
    return extended(spec, asked, ended=1, at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))


def test_mlflow_shows_the_extension(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec, sweep: str
) -> None:
    """The description, `spec.json` and the tag `extended` are up to date; the note is kept."""
    tracker.set_note(sweep, "my note")
    tracker.extend(sweep, extension(spec))
    run = client.get_run(sweep)
    note, _, links = run.data.tags["mlflow.note.content"].partition("\n\n")
    assert note == "my note"
    assert links.startswith("80 trials of vib on digits: [front](")
    assert run.data.tags["extended"] == "40 → 80 trials, last 2026-01-02 03:04 UTC"
    written = Path(run.info.artifact_uri.removeprefix("file://"), "spec.json").read_text()
    assert SweepSpec.from_document(json.loads(written)) == extension(spec)


def test_trials_are_named_with_the_digits_of_the_new_values(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec, record: Any, sweep: str
) -> None:
    """A process that has written the sweep before, as a program may, uses the new spec."""
    tracker.extend(sweep, extension(spec, grid={"beta": [0.100001]}))
    tracker.begin(sweep, RULER)
    new = record(1, weighting={"name": "linear", "beta": 0.100001})
    tracker.add(sweep, [EndedTrial(new, 1.0)])
    (run,) = (run for run in client.search_runs(["1"]) if "0.1" in run.info.run_name)
    assert run.info.run_name == "β=0.100001 seed 2"


def test_a_note_is_what_users_write_in_mlflow(
    tracker: MLflowTracker, client: MlflowClient, sweep: str
) -> None:
    """A description that was changed in MLflow's UI is the note; a new note brings links back."""
    client.set_tag(sweep, "mlflow.note.content", "changed \x1b[31m\nin MLflow")
    assert tracker.state(sweep).note == "changed \\x1b[31m\nin MLflow"
    tracker.set_note(sweep, "new")
    content = client.get_run(sweep).data.tags["mlflow.note.content"]
    assert content.startswith("new\n\n40 trials of vib on digits: [front](#/experiments/")
    client.set_tag(sweep, "team name", "a b")
    assert tracker.state(sweep).tags == {"team name": "a b"}
    tracker.set_tags(sweep, {"team name": None})
    assert tracker.state(sweep).tags == {}
    assert "team name" not in client.get_run(sweep).data.tags


def test_a_sweep_from_before_extensions_existed_is_extended(
    tracker: MLflowTracker, client: MlflowClient, spec: SweepSpec, sweep: str
) -> None:
    """Its stored spec has no field `extensions`."""
    tags = client.get_run(sweep).data.tags
    document = json.loads(tags["mlflow.paretoib.spec"])
    del document["extensions"]
    client.set_tag(sweep, "mlflow.paretoib.spec", json.dumps(document))
    assert tracker.extend(sweep, extension(spec)).trials.total == 80
    assert tracker.state(sweep).spec == extension(spec).document


def test_a_long_spec_is_written_with_several_requests(
    tracker: MLflowTracker, spec: SweepSpec, sweep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow accepts at most 100 tags in one request."""
    monkeypatch.setattr(layout, "_TAG_LENGTH", 10)
    state = tracker.extend(sweep, extension(spec))
    assert state.spec == extension(spec).document


@pytest.mark.parametrize("call", range(1, 5))
def test_a_sweep_whose_extension_is_cut_off_can_be_resumed(
    uri: str,
    spec: SweepSpec,
    sweep: str,
    monkeypatch: pytest.MonkeyPatch,
    call: int,
) -> None:
    """Whichever request fails, the spec is the old or the new one, and the sweep is interrupted.

    The requests are: heartbeat, status, the new spec, its name.
    """
    cut_off = MLflowTracker(uri)
    calls = 0

    def count(name: str) -> None:
        request = getattr(cut_off._client, name)

        def send(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                raise StoreUnavailableError("cut off")
            return request(*arguments, **options)

        monkeypatch.setattr(cut_off._client, name, send)

    count("log_batch")
    count("update_run")
    with pytest.raises(StoreUnavailableError, match="cut off"):
        cut_off.extend(sweep, extension(spec))
    assert calls == call
    # The process is killed, so its heartbeat gets old.
    monkeypatch.setattr(_heartbeat, "is_stale", lambda *_: True)
    state = MLflowTracker(uri).state(sweep)
    assert state.spec == spec.document
    assert state.status == ("finished" if call < 3 else "interrupted")
    assert state.trials.ended == 1


def test_a_writer_that_comes_in_between_wins(
    uri: str, spec: SweepSpec, sweep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another machine begins the sweep while the extension is written, the extension fails."""
    ours, theirs = MLflowTracker(uri), MLflowTracker(uri)
    update_run = ours._client.update_run

    def be_overtaken(*arguments: Any, **options: Any) -> None:
        update_run(*arguments, **options)
        with monkeypatch.context() as other:
            other.setattr(_heartbeat, "machine_id", lambda: "another machine")
            other.setattr(_heartbeat, "is_stale", lambda *_: True)
            other.setattr(time, "sleep", lambda _: None)
            theirs.begin(sweep, RULER)

    monkeypatch.setattr(ours._client, "update_run", be_overtaken)
    with pytest.raises(TakenOverError):
        ours.extend(sweep, extension(spec))
    assert theirs.state(sweep).spec == spec.document


def test_an_extension_on_a_cluster_waits_for_its_job(uri: str, spec: SweepSpec, sweep: str) -> None:
    """It counts as submitted and not as begun; a second extension is refused meanwhile."""
    store = SubmissionTracker(uri)
    store.extend_submitted(sweep, extension(spec))
    state = store.state(sweep)
    assert (state.status, state.begun, state.trials.total) == ("running", False, 80)
    assert state.submitted is not None
    assert state.spec == extension(spec).document
    MLflowTracker(uri).begin(sweep, RULER)
    assert len(store.records(sweep)) == 1
