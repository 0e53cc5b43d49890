"""`sweep` and `resume`: sweeps that are cancelled, killed, taken over, pruned or ended early."""

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


# The program `paretoib`, changed: it saves a checkpoint after every epoch, writes the size and the
# epoch of each pack to a file, and hangs once, in the tenth epoch of a pack of several trials.
CHECKPOINTING = """
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
        if len(pack.specs) > 1 and pack.epoch == 9 and hang.exists():
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

tune.train_pack = train_pack
main()
"""


def stored_sweep(store: Any) -> tuple[SweepInfo, list[TrialRecord]] | None:
    """The only sweep in the store, with its ended trials; None if there is no sweep yet."""
    if not (store.folder / "mlflow.db").exists():
        return None
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    return next(((info, tracker.records(info.id)) for info in tracker.sweeps()), None)


def trial_count(store: Any) -> int:
    """The number of ended trials in the store."""
    sweep = stored_sweep(store)
    return len(sweep[1]) if sweep else 0


def test_a_cancelled_and_then_killed_sweep_is_resumed_to_its_end(
    store: Any, wait_for: WaitFor, run: Run
) -> None:
    """A sweep that was cancelled, resumed, killed and resumed again has every trial once.

    Its checkpoints are deleted when it has finished.
    """
    # Eight packs, because trials with different batch sizes share no pack.
    axes = ("--grid", "batch_size=16,17,18,19,20,21,22,23", "--set", "beta=0.01")
    process = store.start("sweep", *TINY, *axes, "--epochs", "15", "--name", "cut")
    wait_for(lambda: trial_count(store))

    cancelled = run(store, "cancel", "cut")
    result = store.wait(process)
    info, records = stored_sweep(store)  # type: ignore[misc]
    assert (cancelled.code, result.code) == (0, 130)
    message = f"cut is cancelled: {len(records)} of 8 trials are kept"
    assert message in cancelled.out + cancelled.err
    assert info.status == "cancelled"
    checkpoints = store.folder / "checkpoints" / info.id
    # Trials as short as these save no checkpoint, so the test creates the folder.
    checkpoints.mkdir(parents=True, exist_ok=True)

    process = store.start("resume", "cut")
    wait_for(lambda: trial_count(store) > len(records))
    process.send_signal(signal.SIGKILL)
    store.wait(process)
    assert trial_count(store) < 8
    assert checkpoints.exists()

    result = store.wait(store.start("resume", "cut", "--json"))
    assert result.code == 0
    info, records = stored_sweep(store)  # type: ignore[misc]
    keys = [trial.key for trial in driver(SweepSpec.from_document(info.spec)).ask(100)]
    assert sorted(record.trial for record in records) == sorted(keys)
    assert result.document["sweep"]["status"] == "finished"
    assert len(result.document["points"]) == 8
    assert not checkpoints.exists()


def test_a_pack_resumes_from_its_checkpoint_in_the_next_process(
    store: Any, wait_for: WaitFor, tmp_path: Path
) -> None:
    """After a kill in the middle of a pack, `resume` continues the pack.

    No epoch is trained twice.
    """
    (tmp_path / "hang").touch()
    program = CHECKPOINTING.format(folder=str(tmp_path))
    axes = ("--grid", "beta=1e-3:1e-1:6", "--epochs", "12", "--name", "cut")
    process = store.start("sweep", *TINY, *axes, program=program)
    wait_for((tmp_path / "hanging").exists)
    process.send_signal(signal.SIGKILL)
    store.wait(process)

    result = store.wait(store.start("resume", "cut", "--json", program=program))
    assert (result.code, len(result.document["points"])) == (0, 6)
    # The only worker trains a pack of one trial, then a pack of the other five.
    epochs = [f"{size} {epoch}" for size in (1, 5) for epoch in range(1, 13)]
    assert (tmp_path / "epochs").read_text().splitlines() == epochs


@pytest.mark.slow  # tests/contracts/test_writers.py covers this without processes.
def test_a_sweep_killed_before_it_began_is_interrupted(store: Any, run: Run) -> None:
    """`list`, `watch` and `cancel` treat a sweep that never sent a heartbeat as interrupted.

    The sweep can be resumed.
    """
    killed_at_start = (
        "import os, signal\n"
        "from paretoib.cli import main\n"
        "from paretoib.tracking import JournalTracker\n"
        "JournalTracker.begin = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "main()"
    )
    axes = ("--grid", "beta=0.1,0.2", "--epochs", "1", "--name", "cut")
    result = store.wait(store.start("sweep", *TINY, *axes, program=killed_at_start))
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
    wait_for(lambda: trial_count(store))
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
    info, records = stored_sweep(store)  # type: ignore[misc]
    assert (info.status, len(records)) == ("running", 1)
    assert not tracker.heartbeat(info.id)


def test_dominated_trials_are_pruned(store: Any, run: Run) -> None:
    """With `--prune`, a dominated trial stops early; it is not a point of the front.

    Its reason and its history are stored. The other trial finishes.
    """
    # The trial with `initial_scale=10` has a higher rate and a lower relevance than the other.
    axes = ("--grid", "initial_scale=1,10", "--set", "beta=0.01", "--epochs", "8")
    result = store.wait(store.start("sweep", *TINY, *axes, "--prune", "--name", "pruned", "--json"))
    assert result.code == 0
    ((point,), (stopped,)) = result.document["points"], result.document["failed"]
    assert point["params"]["model.initial_scale"] == 1
    assert stopped["reason"] == "dominated by others after 2 of 8 epochs"
    run(store, "list")  # sets PARETOIB_STORE for `reader()` below
    info, records = stored_sweep(store)  # type: ignore[misc]
    (record,) = [record for record in records if record.status == "stopped"]
    assert record.trial == stopped["trial"]
    assert {len(v) for v in reader().history(info.id, record.trial).values()} == {2}
    document = run(store, "show", "pruned", "--json").document
    counts = {"total": 2, "finished": 1, "stopped": 1, "failed": 0}
    assert document["sweep"]["trials"] == counts
    assert "1 of 2 trials finished, 1 stopped early, 0 failed" in run(store, "show", "pruned").out


def test_a_search_that_uses_results_stops_at_a_plateau(store: Any) -> None:
    """NSGA-II with `--stop-on-plateau` ends after its first generation and prints the reason."""
    search = ("--search", "pymoo-nsga2", "--trials", "16", "--population", "4", "--epochs", "30")
    limit = ("--stop-on-plateau", "100:1")
    result = store.wait(store.start("sweep", *TINY, *search, *limit))
    assert result.code == 0
    assert "ended after 4 of 16 trials: the hypervolume grew by no more than 100 %" in result.err


def test_optuna_searches_a_space_from_the_command_line(store: Any) -> None:
    """All trials of an Optuna search have values in the space and are points of the front."""
    space = ("--space", "beta=1e-3:1e-1", "--space", "latent=2,3", "--space", "epochs=2")
    search = ("--search", "optuna-tpe", "--trials", "6", "--objectives", "error,rate")
    result = store.wait(store.start("sweep", *TINY[:4], *space, *search, "--json"))
    assert (result.code, result.messages) == (0, "")
    params = [point["params"] for point in result.document["points"]]
    assert len(params) == 6
    assert all(1e-3 <= p["weighting.beta"] <= 1e-1 and p["model.latent"] in (2, 3) for p in params)
