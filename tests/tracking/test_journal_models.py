"""The way of model files through a journal, and stores that do not take them."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import pytest

from paretoib.errors import ModelNotStoredError, StoreError
from paretoib.records import ReferencePoint, TrialRecord
from paretoib.specs import SweepSpec
from paretoib.tracking import (
    EndedTrial,
    JournalReader,
    JournalTracker,
    Ruler,
    StoreUnavailableError,
)
from tests.contracts.tracker_records import model_of

from .flaky_store import FlakyStore

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)


class NoModels(FlakyStore):
    """A store that takes records, but no model files while `refusal` is not None."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: ModelNotStoredError | None = None
        self.refusals = 0
        self.drop_failure: StoreError | None = None

    def add(self, sweep_id: str, trials: Sequence[EndedTrial]) -> None:
        for trial in trials:
            if self.refusal and trial.model and trial.model.file.kept:
                self.refusals += 1
                raise ModelNotStoredError(
                    str(self.refusal), trial.record.trial, retryable=self.refusal.retryable
                )
            super().add(sweep_id, [trial])

    def drop_models(self, sweep_id: str, trials: Collection[str], reason: str) -> None:
        if self.drop_failure:
            self.refusals += 1
            raise self.drop_failure
        super().drop_models(sweep_id, trials, reason)


@pytest.fixture
def store() -> NoModels:
    return NoModels()


@pytest.fixture
def sweep_id(store: NoModels, spec: SweepSpec) -> str:
    return store.create(spec).id


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(
    store: NoModels, sweep_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[JournalTracker]:
    monkeypatch.setattr("paretoib.tracking._journal.writer._FIRST_PAUSE", 0.01)
    tracker = JournalTracker(store, folder, patience=20)
    tracker.begin(sweep_id, RULER, None, 500)
    yield tracker
    tracker.release(sweep_id)


@pytest.fixture
def trials(record: Callable[..., TrialRecord]) -> list[EndedTrial]:
    records = [record(position) for position in range(3)]
    return [EndedTrial(one, 1.0, model_of(one)) for one in records]


def content_of(reader: JournalReader, sweep_id: str, trial: EndedTrial) -> bytes:
    with reader.open_model(sweep_id, trial.record.trial) as file:
        return file.read()


def test_models_wait_in_the_journal_and_outlive_its_process(
    journal: JournalTracker,
    store: NoModels,
    sweep_id: str,
    folder: Path,
    trials: list[EndedTrial],
) -> None:
    """While the store is unavailable, readers read the models from the journal.

    The next process writes them to the store, and then the journal's folder has no files.
    """
    store.failure = StoreUnavailableError("connection refused")
    journal.add(sweep_id, trials)
    for reader in (journal, JournalReader(store, folder)):
        assert [file.trial for file in reader.models(sweep_id).kept] == [
            trial.record.trial for trial in trials
        ]
        assert all(content_of(reader, sweep_id, t) == t.model.content for t in trials if t.model)
    journal.release(sweep_id)  # as if its process was killed

    store.failure = None
    resumed = JournalTracker(store, folder, patience=20)
    resumed.begin(sweep_id, RULER)
    resumed.close(sweep_id, "finished", None, [])
    assert [*store._sweeps[sweep_id].trials.values()] == trials
    assert list(folder.iterdir()) == []
    assert all(content_of(resumed, sweep_id, t) == t.model.content for t in trials if t.model)


def test_a_model_without_its_trial_is_removed(
    journal: JournalTracker, sweep_id: str, folder: Path, store: NoModels, trials: list[EndedTrial]
) -> None:
    """A process that is killed before it adds the trial leaves a model file; the next removes it.

    The models of trials that the store refuses stay.
    """
    store.failure = StoreUnavailableError("connection refused")
    journal.add(sweep_id, trials[:1])
    journal.release(sweep_id)
    (models,) = folder.glob("*.models")
    kept = [path.name for path in models.iterdir()]
    (models / "0123.safetensors").write_bytes(b"half of a mod")
    resumed = JournalTracker(store, folder, patience=20)
    resumed.begin(sweep_id, RULER)
    assert [path.name for path in models.iterdir()] == kept
    resumed.release(sweep_id)


def test_a_store_that_takes_no_models_gets_the_records(
    journal: JournalTracker,
    store: NoModels,
    sweep_id: str,
    trials: list[EndedTrial],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A model that the store refuses for good costs neither its record nor the sweep.

    The reason is listed with the model, and logged.
    """
    store.refusal = ModelNotStoredError("no space left on device", "", retryable=False)
    with caplog.at_level(logging.WARNING):
        journal.add(sweep_id, trials)
        journal.flush(sweep_id)
    journal.close(sweep_id, "finished", None, [])
    state = store.state(sweep_id)
    assert (state.status, state.reason, state.trials.finished) == ("finished", None, 3)
    files = journal.models(sweep_id)
    assert {file.missing for file in files.files} == {"no space left on device"}
    assert store.refusals == 3
    for trial in trials:
        assert f"the model of trial {trial.record.trial} is not kept: no space" in caplog.text


def test_a_model_is_retried_like_a_record(
    journal: JournalTracker, store: NoModels, sweep_id: str, trials: list[EndedTrial]
) -> None:
    """After a few retries of a model, its trial is written without it; later models are written.

    A retry that succeeds loses nothing.
    """
    store.refusal = ModelNotStoredError("upload failed: 502", "", retryable=True)
    journal.add(sweep_id, trials[:1])
    journal.flush(sweep_id)
    assert store.refusals == 6
    assert [file.missing for file in journal.models(sweep_id).files] == ["upload failed: 502"]

    tries = store.refusals
    journal.add(sweep_id, trials[1:2])
    while store.refusals < tries + 2:
        pass
    store.refusal = None
    journal.add(sweep_id, trials[2:])
    journal.flush(sweep_id)
    assert [file.missing for file in journal.models(sweep_id).files[1:]] == [None, None]
    assert [*store._sweeps[sweep_id].trials.values()][1:] == trials[1:]


def test_a_full_disk_of_the_journal_costs_only_models(
    journal: JournalTracker, store: NoModels, sweep_id: str, folder: Path, trials: list[EndedTrial]
) -> None:
    """If model files cannot be written beside the journal, the trials are added without them."""
    (folder / f"{sweep_id}.models").write_text("in the way of the folder")
    journal.add(sweep_id, trials)
    journal.flush(sweep_id)
    assert len(store.records(sweep_id)) == 3
    missing = [str(file.missing) for file in journal.models(sweep_id).files]
    assert len(missing) == 3
    assert all(text.startswith("cannot write ") for text in missing)


@pytest.mark.parametrize("kind", [StoreError, StoreUnavailableError])
def test_models_that_cannot_be_deleted_do_not_end_the_sweep(
    journal: JournalTracker,
    store: NoModels,
    sweep_id: str,
    trials: list[EndedTrial],
    caplog: pytest.LogCaptureFixture,
    kind: type[StoreError],
) -> None:
    """The deletion is retried if the store is unavailable, and then logged."""
    store.drop_failure = kind("not allowed")
    journal.add(sweep_id, trials)
    with caplog.at_level(logging.WARNING):
        journal.drop_models(sweep_id, [trials[0].record.trial], "dominated")
        journal.flush(sweep_id)
    assert store.refusals == (1 if kind is StoreError else 6)
    assert "are not deleted: not allowed" in caplog.text
    journal.close(sweep_id, "finished", None, [])
    assert len(journal.models(sweep_id).kept) == 3
