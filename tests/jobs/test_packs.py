"""`PackSearcher` and `run_pack`: lost and hanging workers, trials that fail, a failing store."""

import json
import time
from collections.abc import Callable, Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import pytest
from ray.tune.search import Searcher

from jobs.models import ModelLimit, SentModel
from jobs.progress import ProgressFiles
from jobs.searcher import RETRIES, OnRecords, PackSearcher, RecordsNotWritten
from jobs.tune import _batches, _packs_to_resume
from jobs.worker import failed_record, run_pack
from paretoib.errors import OutOfMemoryError, StoreError
from paretoib.records import TrialRecord, Workers
from paretoib.search import driver
from paretoib.specs import SweepSpec, TrialSpec

TRIALS = 4
LIMIT = ModelLimit(10**6)
SearcherAndRecords = tuple[PackSearcher, list[TrialRecord]]


@pytest.fixture
def trials() -> list[TrialSpec]:
    return driver(sweep()).ask(TRIALS)


def sweep() -> SweepSpec:
    return SweepSpec.from_document({"method": "vib", "grid": {"beta": [0.1, 0.2, 0.3, 0.4]}})


def make_searcher(
    *,
    size: int = TRIALS,
    should_stop: Callable[[], bool] = lambda: False,
    trial_seconds: float | None = None,
    on_records: OnRecords | None = None,
) -> SearcherAndRecords:
    """A searcher with packs of `size` trials, and the list of records that it passes on."""
    records: list[TrialRecord] = []
    searcher = PackSearcher(
        driver(sweep()),
        lambda trials: [list(trials[i : i + size]) for i in range(0, len(trials), size)],
        on_records or (lambda ended, _: records.extend(ended)),
        should_stop=should_stop,
        first=[],
        batches=repeat(100),
        trial_seconds=trial_seconds,
        progress=ProgressFiles(Path("unused")),
        model_limit=lambda: LIMIT,
        common={"device": "cpu"},
    )
    return searcher, records


def next_pack(searcher: PackSearcher, attempt: str) -> list[TrialSpec]:
    """The trials of the next attempt, whose worker starts at once."""
    config = searcher.suggest(attempt)
    searcher.started(attempt)
    assert isinstance(config, dict)
    return [TrialSpec.from_document(document) for document in json.loads(config["trials"])]


def reported(trials: Sequence[TrialSpec]) -> dict[str, Any]:
    """A worker's report of finished trials."""
    records = [TrialRecord(trial=t.key, spec=t.document, status="finished") for t in trials]
    return {"records": [record.to_json() for record in records]}


def test_models_are_passed_on_with_the_records_of_their_pack() -> None:
    """A worker gets the limit of its pack, and its models leave Tune's result when it arrives.

    The models of a worker that is lost after its report are dropped, because its pack is retried.
    """
    passed: list[tuple[list[str], list[SentModel]]] = []
    searcher, _ = make_searcher(
        on_records=lambda ended, models: passed.append(([r.trial for r in ended], [*models]))
    )
    assert searcher.suggest("lost")["models"] == LIMIT  # type: ignore[call-overload, index]
    searcher.started("lost")
    models = [SentModel("a trial", 3, b"one")]
    searcher.on_trial_result("lost", {"models": [*models]})
    searcher.on_trial_complete("lost", error=True)

    pack = next_pack(searcher, "again")
    result = {**reported(pack), "models": [*models]}
    searcher.on_trial_result("again", result)
    assert result["models"] == []
    searcher.on_trial_complete("again", result)
    assert passed == [([trial.key for trial in pack], models)]


@pytest.mark.parametrize(("device", "size"), [("cpu", 3), ("cuda", 768)])
def test_the_size_of_the_first_request(device: str, size: int) -> None:
    """On CPUs the first request is for one trial per worker, so that points appear early.

    On GPUs it is for a full batch, because one trial takes as long as a pack.
    """
    workers = Workers(count=3, cpus=1, gpus=float(device == "cuda"), device=device)
    assert list(islice(_batches(workers), 3)) == [size, 768, 768]


def test_packs_with_a_checkpoint_are_resumed(trials: list[TrialSpec]) -> None:
    """A pack with a checkpoint is resumed with the same trials.

    The other trials that the driver has proposed are returned too.
    """
    a, b, c, d = (trial.key for trial in trials)
    resumed, others = _packs_to_resume(driver(sweep()), [[c, a]])
    assert [[trial.key for trial in pack] for pack in resumed] == [[c, a]]
    assert [trial.key for trial in others] == [b, d]
    assert _packs_to_resume(driver(sweep()), []) == ([], []), "the driver is not asked without need"


def test_a_trial_is_resumed_in_one_pack(trials: list[TrialSpec]) -> None:
    """If two packs have a trial in common, the second one is not resumed.

    A pack with an unknown or an ended trial is not resumed either.
    """
    a, b, c, d = (trial.key for trial in trials)
    with_ended_trial = driver(sweep())
    with_ended_trial.tell(failed_record(trials[3], "an example"))
    saved = [[a], [a, b], [c, "another sweep's"], [c, d]]
    resumed, others = _packs_to_resume(with_ended_trial, saved)
    assert resumed == [[trials[0]]]
    assert others == trials[1:3]


def test_a_lost_pack_is_retried_and_then_split() -> None:
    """A lost pack has three retries; then each of its trials runs alone, with three retries."""
    searcher, records = make_searcher()
    for attempt in range(1 + RETRIES):
        assert len(next_pack(searcher, f"whole-{attempt}")) == TRIALS
        assert searcher.suggest("none") is None, "no other pack waits"
        searcher.on_trial_complete(f"whole-{attempt}", error=True)
    first, *others = (next_pack(searcher, f"alone-{i}") for i in range(TRIALS))
    assert [len(pack) for pack in (first, *others)] == [1] * TRIALS
    for i, other in enumerate(others, 1):
        searcher.on_trial_complete(f"alone-{i}", reported(other))
    searcher.on_trial_complete("alone-0", error=True)
    for attempt in range(RETRIES):
        assert next_pack(searcher, f"again-{attempt}") == first
        searcher.on_trial_complete(f"again-{attempt}", error=True)
    assert searcher.suggest("end") == Searcher.FINISHED
    assert [(r.trial, r.status) for r in records[:-1]] == [(o[0].key, "finished") for o in others]
    assert (records[-1].trial, records[-1].reason) == (first[0].key, "its worker was lost 4 times")


def test_a_pack_that_hangs_is_split_without_a_retry() -> None:
    """After a pack hangs, each of its trials runs alone, once. A trial that hangs again fails."""
    searcher, records = make_searcher(trial_seconds=0.01)
    next_pack(searcher, "whole")
    time.sleep(0.05)
    searcher.on_trial_complete("whole", error=True)
    alone = [next_pack(searcher, f"alone-{i}") for i in range(TRIALS)]
    for i, pack in enumerate(alone[1:], 1):
        searcher.on_trial_complete(f"alone-{i}", reported(pack))
    time.sleep(0.02)
    searcher.on_trial_complete("alone-0", error=True)
    assert searcher.suggest("end") == Searcher.FINISHED
    assert [r.status for r in records] == ["finished"] * 3 + ["failed"]
    assert records[-1].reason == "took longer than 0.01 s, so its worker was killed"


def test_a_pack_that_waited_for_a_worker_did_not_hang() -> None:
    """The time limit of a pack starts when its worker starts.

    A pack that waits longer than this limit, and whose worker is then lost, is retried.
    """
    searcher, records = make_searcher(trial_seconds=0.01)
    searcher.suggest("waits")
    time.sleep(0.05)
    searcher.started("waits")
    searcher.on_trial_complete("waits", error=True)
    assert len(next_pack(searcher, "again")) == TRIALS
    searcher.suggest("waits")
    searcher.on_trial_complete("again", error=True)
    searcher.suggest("waits")
    time.sleep(0.05)
    searcher.on_trial_complete("waits", error=True)
    assert len(next_pack(searcher, "and again")) == TRIALS, "its worker was lost before it started"
    assert records == []


def test_a_worker_that_fails_to_start_loses_no_trial() -> None:
    """Other workers get the packs of workers that fail to start.

    After four failed starts in a row, no pack is placed until a pack has been trained.
    """
    searcher, records = make_searcher(size=1)
    good = next_pack(searcher, "good")
    for attempt in range(1 + RETRIES):
        assert len(next_pack(searcher, f"bad-{attempt}")) == 1
        searcher.on_trial_complete(f"bad-{attempt}", {"start_error": "no such package"})
    assert searcher.suggest("bad") is None
    searcher.on_trial_complete("good", reported(good))
    for attempt in range(TRIALS - 1):
        pack = next_pack(searcher, f"good-{attempt}")
        searcher.on_trial_complete(f"good-{attempt}", reported(pack))
    assert searcher.suggest("end") == Searcher.FINISHED
    assert searcher.start_error is None
    assert [record.status for record in records] == ["finished"] * TRIALS


def test_the_loop_ends_if_no_worker_starts() -> None:
    """If no worker starts, the loop ends with a reason in `start_error`; no trial has a record."""
    searcher, records = make_searcher(size=1)
    for attempt in range(1 + RETRIES):
        assert searcher.start_error is None
        next_pack(searcher, f"bad-{attempt}")
        searcher.on_trial_complete(f"bad-{attempt}", {"start_error": "no such package"})
    assert searcher.suggest("end") == Searcher.FINISHED
    assert (searcher.start_error, records) == ("no such package", [])


def test_no_pack_is_placed_after_should_stop() -> None:
    """After `should_stop` returns True, packs in flight finish and are kept; then the loop ends."""
    stop = False
    searcher, records = make_searcher(should_stop=lambda: stop)
    pack = next_pack(searcher, "first")
    stop = True
    assert searcher.suggest("second") is None
    searcher.on_trial_complete("first", reported(pack))
    assert searcher.suggest("second") == Searcher.FINISHED
    assert len(records) == TRIALS


def test_a_store_that_fails_ends_the_loop() -> None:
    """If the store fails, its error is wrapped in a `BaseException`, which ends the loop.

    After an `Exception`, Tune would train the pack again.
    """

    def refuse(*_: object) -> None:
        raise StoreError("cannot write the store: disk full")

    searcher, _ = make_searcher(on_records=refuse)
    pack = next_pack(searcher, "first")
    with pytest.raises(RecordsNotWritten) as raised:
        searcher.on_trial_complete("first", reported(pack))
    assert "disk full" in str(raised.value.error)
    assert not isinstance(raised.value, Exception)


def test_a_pack_that_does_not_fit_into_memory_is_halved(trials: list[TrialSpec]) -> None:
    """A pack is halved until its parts fit into memory. A single trial that does not fit fails."""
    sizes = []

    def train(pack: Sequence[TrialSpec]) -> list[TrialRecord]:
        sizes.append(len(pack))
        if len(pack) > 2 or (len(pack) == 1 and pack[0] == trials[0]) or trials[0] in pack:
            raise OutOfMemoryError(f"{len(pack)} trials need more memory than there is")
        return [TrialRecord(trial=t.key, spec=t.document, status="finished") for t in pack]

    records = run_pack(trials, train)
    assert sizes == [4, 2, 1, 1, 2]
    assert [r.trial for r in records] == [t.key for t in trials]
    assert [r.status for r in records] == ["failed", "finished", "finished", "finished"]
    assert records[0].reason == "1 trials need more memory than there is"


def test_a_trial_that_raises_does_not_affect_its_pack(trials: list[TrialSpec]) -> None:
    """After an error in a pack, each trial of the pack is trained alone.

    The trial that raises fails with the error and its line of code.
    """

    def train(pack: Sequence[TrialSpec]) -> list[TrialRecord]:
        if trials[2] in pack:
            raise ZeroDivisionError("division by zero")
        return [failed_record(t, "an example") for t in pack]

    reasons = [record.reason for record in run_pack(trials, train)]
    assert [reason == "an example" for reason in reasons] == [True, True, False, True]
    assert str(reasons[2]).startswith("ZeroDivisionError: division by zero (test_packs.py:")
