"""The searcher: lost and hanging workers, a sweep's limits, a store that fails."""

import json
import time
from collections.abc import Callable, Sequence
from itertools import islice, repeat
from typing import Any

import pytest
from ray.tune.search import Searcher

from jobs.cluster import Workers
from jobs.searcher import RETRIES, PackSearcher, Unwritten
from jobs.tune import _batches, _packs_to_resume
from jobs.worker import failed_record, run_pack
from paretoib.errors import OutOfMemoryError, StoreError
from paretoib.records import TrialRecord
from paretoib.search import driver
from paretoib.specs import SweepSpec, TrialSpec

TRIALS = 4
Run = tuple[PackSearcher, list[TrialRecord]]


@pytest.fixture
def trials() -> list[TrialSpec]:
    return driver(sweep()).ask(TRIALS)


def sweep() -> SweepSpec:
    return SweepSpec.from_document({"method": "vib", "grid": {"beta": [0.1, 0.2, 0.3, 0.4]}})


def loop(
    *,
    size: int = TRIALS,
    should_stop: Callable[[], bool] = lambda: False,
    trial_seconds: float | None = None,
    on_records: Callable[[Sequence[TrialRecord]], None] | None = None,
) -> Run:
    """A searcher with packs of `size` trials, and the list of records that it passes on."""
    taken: list[TrialRecord] = []
    packs = PackSearcher(
        driver(sweep()),
        lambda trials: [list(trials[i : i + size]) for i in range(0, len(trials), size)],
        on_records or taken.extend,
        should_stop=should_stop,
        first=[],
        batches=repeat(100),
        trial_seconds=trial_seconds,
        common={"device": "cpu"},
    )
    return packs, taken


def next_pack(packs: PackSearcher, attempt: str) -> list[TrialSpec]:
    """The trials of the next attempt, which starts at once."""
    config = packs.suggest(attempt)
    packs.started(attempt)
    assert isinstance(config, dict)
    return [TrialSpec.from_document(document) for document in json.loads(config["trials"])]


def reported(trials: Sequence[TrialSpec]) -> dict[str, Any]:
    """A worker's report of finished trials."""
    records = [TrialRecord(trial=t.key, spec=t.document, status="finished") for t in trials]
    return {"records": [record.to_json() for record in records]}


@pytest.mark.parametrize(("device", "first"), [("cpu", 3), ("cuda", 768)])
def test_a_sweep_begins_with_a_trial_for_each_worker(device: str, first: int) -> None:
    """So that points appear early; not on GPUs, where one trial takes as long as many."""
    workers = Workers(count=3, cpus=1, gpus=float(device == "cuda"), device=device)
    assert list(islice(_batches(workers), 3)) == [first, 768, 768]


def test_packs_that_were_saved_are_made_again(trials: list[TrialSpec]) -> None:
    """Each with the same trials; other trials that the driver proposed are planned later."""
    a, b, c, d = (trial.key for trial in trials)
    resumed, others = _packs_to_resume(driver(sweep()), [[c, a]])
    assert [[trial.key for trial in pack] for pack in resumed] == [[c, a]]
    assert [trial.key for trial in others] == [b, d]
    assert _packs_to_resume(driver(sweep()), []) == ([], []), "the driver is not asked without need"


def test_a_trial_is_in_one_pack_that_was_saved(trials: list[TrialSpec]) -> None:
    """In the first one; a pack with a trial that the driver does not propose is left out."""
    a, b, c, d = (trial.key for trial in trials)
    done = driver(sweep())
    done.tell(failed_record(trials[3], "an example"))
    resumed, others = _packs_to_resume(done, [[a], [a, b], [c, "another sweep's"], [c, d]])
    assert resumed == [[trials[0]]]
    assert others == trials[1:3]


def test_a_lost_pack_comes_back_whole_then_apart() -> None:
    """Three retries of the whole pack, then each trial alone with three retries."""
    packs, taken = loop()
    for attempt in range(1 + RETRIES):
        assert len(next_pack(packs, f"whole-{attempt}")) == TRIALS
        assert packs.suggest("none") is None, "nothing else waits"
        packs.on_trial_complete(f"whole-{attempt}", error=True)
    first, *others = (next_pack(packs, f"alone-{i}") for i in range(TRIALS))
    assert [len(pack) for pack in (first, *others)] == [1] * TRIALS
    for i, other in enumerate(others, 1):
        packs.on_trial_complete(f"alone-{i}", reported(other))
    packs.on_trial_complete("alone-0", error=True)
    for attempt in range(RETRIES):
        assert next_pack(packs, f"again-{attempt}") == first
        packs.on_trial_complete(f"again-{attempt}", error=True)
    assert packs.suggest("end") == Searcher.FINISHED
    assert [(r.trial, r.status) for r in taken[:-1]] == [(o[0].key, "finished") for o in others]
    assert (taken[-1].trial, taken[-1].reason) == (first[0].key, "its worker was lost 4 times")


def test_a_pack_that_hangs_is_not_tried_again_whole() -> None:
    """Beyond the time limit each trial runs alone, once; the one that hangs again has failed."""
    packs, taken = loop(trial_seconds=0.01)
    next_pack(packs, "whole")
    time.sleep(0.05)
    packs.on_trial_complete("whole", error=True)
    alone = [next_pack(packs, f"alone-{i}") for i in range(TRIALS)]
    for i, pack in enumerate(alone[1:], 1):
        packs.on_trial_complete(f"alone-{i}", reported(pack))
    time.sleep(0.02)
    packs.on_trial_complete("alone-0", error=True)
    assert packs.suggest("end") == Searcher.FINISHED
    assert [r.status for r in taken] == ["finished"] * 3 + ["failed"]
    assert taken[-1].reason == "took longer than 0.01 s, and its worker had to be ended"


def test_a_pack_that_waited_for_room_did_not_hang() -> None:
    """Time without a worker does not count: a pack lost at once is retried."""
    packs, taken = loop(trial_seconds=0.01)
    packs.suggest("waits")
    time.sleep(0.05)
    packs.started("waits")
    packs.on_trial_complete("waits", error=True)
    assert len(next_pack(packs, "again")) == TRIALS
    packs.suggest("waits")
    packs.on_trial_complete("again", error=True)
    packs.suggest("waits")
    time.sleep(0.05)
    packs.on_trial_complete("waits", error=True)
    assert len(next_pack(packs, "and again")) == TRIALS, "it was lost before it began"
    assert taken == []


def test_a_worker_that_cannot_begin_costs_no_trial() -> None:
    """Its packs go to others; after several refusals nothing is placed until a pack is trained."""
    packs, taken = loop(size=1)
    good = next_pack(packs, "good")
    for attempt in range(1 + RETRIES):
        assert len(next_pack(packs, f"bad-{attempt}")) == 1
        packs.on_trial_complete(f"bad-{attempt}", {"refused": "no such package"})
    assert packs.suggest("bad") is None
    packs.on_trial_complete("good", reported(good))
    for attempt in range(TRIALS - 1):
        pack = next_pack(packs, f"good-{attempt}")
        packs.on_trial_complete(f"good-{attempt}", reported(pack))
    assert packs.suggest("end") == Searcher.FINISHED
    assert packs.refusal is None
    assert [record.status for record in taken] == ["finished"] * TRIALS


def test_where_no_worker_can_begin_the_loop_ends() -> None:
    """With the reason, and without records of trials that never ran."""
    packs, taken = loop(size=1)
    for attempt in range(1 + RETRIES):
        assert packs.refusal is None
        next_pack(packs, f"bad-{attempt}")
        packs.on_trial_complete(f"bad-{attempt}", {"refused": "no such package"})
    assert packs.suggest("end") == Searcher.FINISHED
    assert (packs.refusal, taken) == ("no such package", [])


def test_a_sweep_that_has_ended_places_nothing_more() -> None:
    """Packs in flight finish and are kept; then the loop ends, although packs wait."""
    over = False
    packs, taken = loop(should_stop=lambda: over)
    pack = next_pack(packs, "first")
    over = True
    assert packs.suggest("second") is None
    packs.on_trial_complete("first", reported(pack))
    assert packs.suggest("second") == Searcher.FINISHED
    assert len(taken) == TRIALS


def test_a_store_that_fails_ends_the_loop() -> None:
    """With the store's error, in a `BaseException`: Tune would train the pack again."""

    def refuse(_: Sequence[TrialRecord]) -> None:
        raise StoreError("cannot write the store: disk full")

    packs, _ = loop(on_records=refuse)
    pack = next_pack(packs, "first")
    with pytest.raises(Unwritten) as raised:
        packs.on_trial_complete("first", reported(pack))
    assert "disk full" in str(raised.value.error)
    assert not isinstance(raised.value, Exception)


def test_what_does_not_fit_is_tried_in_halves(trials: list[TrialSpec]) -> None:
    """Until it fits; a trial that does not fit alone has failed with the reason."""
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


def test_one_trial_that_raises_costs_the_others_nothing(trials: list[TrialSpec]) -> None:
    """Each is trained alone; the trial that raises has failed, with the error and its place."""

    def train(pack: Sequence[TrialSpec]) -> list[TrialRecord]:
        if trials[2] in pack:
            raise ZeroDivisionError("of all things")
        return [failed_record(t, "an example") for t in pack]

    reasons = [record.reason for record in run_pack(trials, train)]
    assert [reason == "an example" for reason in reasons] == [True, True, False, True]
    assert str(reasons[2]).startswith("ZeroDivisionError: of all things (test_packs.py:")
