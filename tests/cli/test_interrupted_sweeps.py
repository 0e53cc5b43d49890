"""`sweep`, `extend` and `resume`: sweeps that are cancelled, extended, killed or taken over."""

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paretoib.data._load import load_dataset
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import _heartbeat
from paretoib.tracking._mlflow import layout
from paretoib.tracking._mlflow.tracker import MLflowTracker
from paretoib.trained import read_model

WaitFor = Callable[[Callable[[], object]], None]
Run = Callable[..., Any]
TINY = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2")


# The program `paretoib`, changed: it ignores SIGINT, as a background command of a shell script
# does. It saves a checkpoint after every epoch, and writes the size and the epoch of each pack to a
# file. If the file `hang` has the number of ended epochs of a pack of several trials, the pack
# hangs once.
CHECKPOINTING = """
import signal
import time
from functools import partial
from pathlib import Path
from jobs import tune
from paretoib.cli import main

folder = Path({folder!r})

def train_pack(config):
    import jobs.worker
    from paretoib.training import _run

    train_epoch = _run.Pack.train_epoch
    run_trials = _run.run_trials

    def log_and_train(pack, *args):
        hang = folder / "hang"
        if len(pack.specs) > 1 and hang.exists() and pack.epoch == int(hang.read_text()):
            hang.rename(folder / "hanging")
            time.sleep(10_000)
        with (folder / "epochs").open("a") as file:
            print(len(pack.specs), pack.epoch + 1, file=file)
        return train_epoch(pack, *args)

    _run.Pack.train_epoch = log_and_train
    _run.run_trials = partial(run_trials, every=0)
    try:
        jobs.worker.train_pack(config)
    finally:
        _run.Pack.train_epoch, _run.run_trials = train_epoch, run_trials

signal.signal(signal.SIGINT, signal.SIG_IGN)
tune.train_pack = train_pack
main()
"""


# A program that begins with this line kills itself when it calls the method of its tracker.
KILLED_AT = """
import os, signal, paretoib.tracking
paretoib.tracking.JournalTracker.{method} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


def assert_models_have_the_accuracy_of_their_records(store: Any, sweep_id: str) -> None:
    """Every trial has its model once, and no model waits in the journal."""
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    test, records = load_dataset("digits", {}).test, tracker.records(sweep_id)
    kept = tracker.models(sweep_id).kept
    assert [file.trial for file in kept] == [record.trial for record in records]
    for record in records:
        with tracker.open_model(sweep_id, record.trial) as file:
            model = read_model(file.read())
        accuracy = (model.predict(test.x).argmax(-1) == test.y).double().mean()
        assert record.test is not None
        assert accuracy == pytest.approx(record.test.accuracy, abs=1.01 / len(test))
    assert list((store.folder / "journal").iterdir()) == []


def test_a_cancelled_sweep_is_extended_and_killed_and_has_every_trial_once(
    store: Any, wait_for: WaitFor, run: Run, tmp_path: Path
) -> None:
    """A cancelled sweep is extended, and killed before, amid and after its other trials.

    `cancel` also ends a command that ignores SIGINT. `resume` continues the pack that was in
    training from its checkpoint, so that no epoch is trained twice. Each trial is written once and
    has its model. The checkpoints are deleted when the sweep has finished.
    """
    hang, hanging = tmp_path / "hang", tmp_path / "hanging"
    program = CHECKPOINTING.format(folder=str(tmp_path))
    # The only worker trains a pack of one trial, then a pack of the other five.
    axes = ("--grid", "beta=1e-3:1e-1:6", "--epochs", "6", "--name", "cut")

    hang.write_text("2")
    process = store.start("sweep", *TINY, *axes, program=program)
    wait_for(lambda: hanging.exists() and store.ended() == 1)
    process.send_signal(signal.SIGINT)
    cancelled = run(store, "cancel", "cut")
    assert (cancelled.code, cancelled.err) == (0, "cut is cancelled: 1 of 6 trials are kept\n")
    result = store.wait(process)
    assert result.code == 130
    assert "cancelled: 1 of 6 trials had ended and are kept" in result.err
    assert store.remaining_processes() == []
    assert store.sweep().status == "cancelled"

    def kill_at(method: str, *arguments: str) -> None:
        killing = KILLED_AT.format(method=method) + program
        assert store.wait(store.start(*arguments, program=killing)).code == -signal.SIGKILL

    kill_at("begin", "extend", "cut", "--grid", "beta=0.1,0.2,0.3")
    extended = store.sweep()
    assert (extended.trials.ended, extended.trials.total) == (1, 8)
    assert [entry["ended"] for entry in extended.spec["extensions"]] == [1]

    hanging.unlink()
    hang.write_text("4")
    process = store.start("resume", "cut", program=program)
    wait_for(hanging.exists)
    process.send_signal(signal.SIGKILL)
    store.wait(process)
    assert store.ended() == 1
    checkpoints = store.folder / "checkpoints" / extended.id
    assert checkpoints.exists()

    kill_at("close", "resume", "cut")
    result = run(store, "resume", "cut", "--json")
    assert result.code == 0
    sweep = result.document["sweep"]
    assert (sweep["id"], sweep["status"]) == (extended.id, "finished")
    keys = [trial.key for trial in driver(SweepSpec.from_document(sweep["spec"])).ask(100)]
    assert sorted(point["trial"] for point in result.document["points"]) == sorted(keys)
    assert store.ended() == len(keys) == 8
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    experiment = tracker._run(extended.id).experiment_id
    assert len([*tracker._runs.search([experiment], layout.trials(extended.id))]) == 8
    # The pack of the cancelled sweep goes on; the new trials are a pack of two.
    epochs = [f"{size} {epoch}" for size in (1, 5, 2) for epoch in range(1, 7)]
    assert (tmp_path / "epochs").read_text().splitlines() == epochs
    assert not checkpoints.exists()
    assert_models_have_the_accuracy_of_their_records(store, sweep["id"])


@pytest.mark.slow  # tests/contracts/test_writers.py covers this without processes.
def test_a_sweep_killed_before_it_began_is_interrupted(store: Any, run: Run) -> None:
    """`list`, `watch` and `cancel` treat a sweep that never sent a heartbeat as interrupted.

    The sweep can be resumed.
    """
    program = KILLED_AT.format(method="begin") + "from paretoib.cli import main; main()"
    axes = ("--grid", "beta=0.1,0.2", "--epochs", "1", "--name", "cut")
    result = store.wait(store.start("sweep", *TINY, *axes, program=program))
    assert result.code == -signal.SIGKILL
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
    result = store.wait(store.start("resume", "cut", "--json"))
    assert (result.code, len(result.document["points"])) == (0, 2)


@pytest.mark.slow  # tests/contracts/test_writers.py covers this without processes.
def test_a_sweep_ends_when_another_process_takes_it_over(
    store: Any, wait_for: WaitFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a takeover, the old process ends in the middle of a trial and writes nothing more.

    Its error names the new writer.
    """
    axes = ("--grid", "epochs=1,100000", "--set", "beta=0.01")
    process = store.start("sweep", *TINY, *axes, workers=2)
    wait_for(lambda: store.ended())
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    (info,) = tracker.sweeps()
    # Treat every heartbeat as stale, so that this process can take the sweep over.
    monkeypatch.setattr(_heartbeat, "is_stale", lambda *_: True)
    tracker.begin(info.id, tracker.ruler(info.id))

    result = store.wait(process)
    assert (result.code, result.out) == (2, "")
    message = f"error: sweep {info.id[:8]} is written by process {os.getpid()} on "
    assert result.err.splitlines()[-1].startswith(message)
    assert "Traceback" not in result.err
    assert store.remaining_processes() == []
    assert (store.sweep().status, store.ended()) == ("running", 1)
    assert not tracker.heartbeat(info.id)
