"""Sweeps that are cancelled, killed and resumed, and such that end early, as a user has them."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paretoib.records import SweepInfo, TrialRecord
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import _heartbeat, reader
from paretoib.tracking._mlflow.tracker import MLflowTracker

WaitFor = Callable[[Callable[[], object]], None]
Run = Callable[..., Any]
TINY = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2")


# As if a minute had passed after every epoch; in the tenth the worker stands still, once. What is
# trained is noted, as the pack's size and the epoch.
SAVING = """
import time
from functools import partial
from pathlib import Path
from jobs import tune
from paretoib.cli import main

notes = Path({folder!r})

def train_pack(config):
    import jobs.worker
    from paretoib.training import _run

    train_epoch = _run.Pack.train_epoch
    run_trials = _run.run_trials

    def noted(pack, *args):
        stop = notes / "stop"
        if len(pack.specs) > 1 and pack.epoch == 9 and stop.exists():
            stop.rename(notes / "stopped")
            time.sleep(10_000)
        with (notes / "epochs").open("a") as file:
            print(len(pack.specs), pack.epoch + 1, file=file)
        return train_epoch(pack, *args)

    _run.Pack.train_epoch = noted
    _run.run_trials = partial(run_trials, every=0)
    try:
        jobs.worker.train_pack(config)
    finally:
        _run.Pack.train_epoch, _run.run_trials = train_epoch, run_trials

tune.train_pack = train_pack
main()
"""


def stored(store: Any) -> tuple[SweepInfo, list[TrialRecord]] | None:
    """The store's only sweep and the trials that anyone sees of it, once it is there."""
    if not (store.folder / "mlflow.db").exists():
        return None
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    return next(((info, tracker.records(info.id)) for info in tracker.sweeps()), None)


def test_a_sweep_is_cancelled_then_killed_then_ends(
    store: Any, wait_for: WaitFor, run: Run
) -> None:
    """It has the trials of one that ran through, each once; what it saved between is cleared."""
    # Eight packs, as batch sizes share none.
    axes = ("--grid", "batch_size=16,17,18,19,20,21,22,23", "--set", "beta=0.01")
    process = store.start("sweep", *TINY, *axes, "--epochs", "15", "--name", "cut")
    wait_for(lambda: (found := stored(store)) and found[1])

    asked = run(store, "cancel", "cut")
    ended = store.ended(process)
    info, records = stored(store)  # type: ignore[misc]
    assert (asked.code, ended.code) == (0, 130)
    assert f"cut is interrupted: {len(records)} of 8 trials are kept" in asked.out + asked.err
    assert info.status == "interrupted"
    states = store.folder / "checkpoints" / info.id
    states.mkdir(parents=True, exist_ok=True)  # as trials of a minute would

    process = store.start("resume", "cut")
    wait_for(lambda: len(stored(store)[1]) > len(records))  # type: ignore[index]
    process.send_signal(signal.SIGKILL)
    store.ended(process)
    assert len(stored(store)[1]) < 8  # type: ignore[index]
    assert states.exists()

    ended = store.ended(store.start("resume", "cut", "--json"))
    assert ended.code == 0
    info, records = stored(store)  # type: ignore[misc]
    whole = [trial.key for trial in driver(SweepSpec.from_document(info.spec)).ask(100)]
    assert sorted(record.trial for record in records) == sorted(whole)
    assert ended.document["sweep"]["status"] == "finished"
    assert len(ended.document["points"]) == 8
    assert not states.exists()


def test_a_pack_that_was_saved_goes_on_in_the_next_process(
    store: Any, wait_for: WaitFor, tmp_path: Path
) -> None:
    """Killed in the middle of a pack of several trials, whose epochs are trained once."""
    (tmp_path / "stop").touch()
    program = SAVING.format(folder=str(tmp_path))
    axes = ("--grid", "beta=1e-3:1e-1:6", "--epochs", "12", "--name", "cut")
    process = store.start("sweep", *TINY, *axes, program=program)
    wait_for((tmp_path / "stopped").exists)
    process.send_signal(signal.SIGKILL)
    store.ended(process)

    ended = store.ended(store.start("resume", "cut", "--json", program=program))
    assert (ended.code, len(ended.document["points"])) == (0, 6)
    # First one trial, as there is one worker, and then the others.
    epochs = [f"{size} {epoch}" for size in (1, 5) for epoch in range(1, 13)]
    assert (tmp_path / "epochs").read_text().splitlines() == epochs


@pytest.mark.slow  # The contract of writers tries the same without processes.
def test_a_sweep_killed_before_it_began_is_interrupted(store: Any, run: Run) -> None:
    """After a while without the first sign of life, for all who look; and it can be resumed."""
    killed = (
        "import os, signal\n"
        "from paretoib.cli import main\n"
        "from paretoib.tracking import JournalTracker\n"
        "JournalTracker.begin = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "main()"
    )
    axes = ("--grid", "beta=0.1,0.2", "--epochs", "1", "--name", "cut")
    ended = store.ended(store.start("sweep", *TINY, *axes, program=killed))
    assert ended.code == -signal.SIGKILL
    assert run(store, "list", "--json").document["sweeps"][0]["status"] == "running"
    with closing(sqlite3.connect(store.folder / "mlflow.db")) as database, database:
        database.execute("UPDATE runs SET start_time = start_time - 60000")

    assert run(store, "list", "--json").document["sweeps"][0]["status"] == "interrupted"
    watched = run(store, "watch", "cut")
    assert watched.code == 130
    assert (
        "cut is interrupted: no heartbeat for 20 s or more\nresume:   paretoib resume "
        in watched.err
    )
    assert "cut is not running: it is interrupted" in run(store, "cancel", "cut").err
    ended = store.ended(store.start("resume", "cut", "--json"))
    assert (ended.code, len(ended.document["points"])) == (0, 2)


@pytest.mark.slow  # The contract of writers tries the same without processes.
def test_a_sweep_that_another_process_took_over_ends(
    store: Any, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a trial, with who has it; it writes no trial more, and does not close it."""
    axes = ("--grid", "epochs=1,100000", "--set", "beta=0.01")
    process = store.start("sweep", *TINY, *axes, workers=2)
    wait_for(lambda: (found := stored(store)) and found[1])
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    (info,) = tracker.sweeps()
    # As if the heartbeats had stopped long ago.
    monkeypatch.setattr(_heartbeat, "is_stale", lambda *_: True)
    tracker.begin(info.id, tracker.ruler(info.id))

    ended = store.ended(process)
    assert (ended.code, ended.out) == (2, "")
    told = f"error: sweep {info.id[:8]} is written by process {os.getpid()} on "
    assert ended.err.splitlines()[-1].startswith(told)
    assert "Traceback" not in ended.err
    assert store.left() == []
    info, records = stored(store)  # type: ignore[misc]
    assert (info.status, len(records)) == ("running", 1)
    assert not tracker.heartbeat(info.id)


def test_trials_that_lag_behind_are_stopped(store: Any, run: Run) -> None:
    """They keep their reason and their history, have no point, and cost the others nothing."""
    # From weights that are far too large a trial keeps more of the input and tells less of it.
    axes = ("--grid", "initial_scale=1,10", "--set", "beta=0.01", "--epochs", "8")
    ended = store.ended(store.start("sweep", *TINY, *axes, "--prune", "--name", "raced", "--json"))
    assert ended.code == 0
    ((point,), (stopped,)) = ended.document["points"], ended.document["failed"]
    assert point["params"]["model.initial_scale"] == 1
    assert stopped["reason"] == "dominated by others after 25% of the epochs"
    run(store, "list")  # which has the settings name this store
    info, records = stored(store)  # type: ignore[misc]
    (record,) = [record for record in records if record.status == "stopped"]
    assert record.trial == stopped["trial"]
    assert {len(v) for v in reader().histories(info.id, record.trial).values()} == {2}
    shown = run(store, "show", "raced", "--json").document
    assert shown["trials"] == {"finished": 1, "stopped": 1, "failed": 0}
    assert "1 trials finished, 1 stopped early, 0 failed" in run(store, "show", "raced").out


def test_a_search_that_learns_ends_at_a_plateau(store: Any) -> None:
    """No generation is placed after it, and the reason is told."""
    search = ("--search", "pymoo-nsga2", "--trials", "16", "--population", "4", "--epochs", "30")
    limit = ("--stop-on-plateau", "100:1")
    ended = store.ended(store.start("sweep", *TINY, *search, *limit))
    assert ended.code == 0
    assert "ended after 4 of 16 trials: the hypervolume grew by no more than 100 %" in ended.err


def test_a_search_by_another_library_in_a_space_of_ones_own(store: Any) -> None:
    """Its trials lie in the space, all of them end, and the front is theirs."""
    space = ("--space", "beta=1e-3:1e-1", "--space", "latent=2,3", "--space", "epochs=2")
    search = ("--search", "optuna-tpe", "--trials", "6", "--objectives", "error,rate")
    ended = store.ended(store.start("sweep", *TINY[:4], *space, *search, "--json"))
    assert (ended.code, ended.err) == (0, "")
    params = [point["params"] for point in ended.document["points"]]
    assert len(params) == 6
    assert all(1e-3 <= p["weighting.beta"] <= 1e-1 and p["model.latent"] in (2, 3) for p in params)
