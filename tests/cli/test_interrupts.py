"""Ctrl-C at any moment: one line, code 130, no ended trial is lost, no process is left."""

import os
import signal
from collections.abc import Callable
from typing import Any

from paretoib.records import SweepInfo, TrialRecord
from paretoib.tracking._mlflow.tracker import MLflowTracker

WaitFor = Callable[[Callable[[], object]], None]
Run = Callable[..., Any]
TINY = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2", "--name", "cut")


def stored_sweep(store: Any) -> tuple[SweepInfo, list[TrialRecord]] | None:
    """The only sweep in the store and its ended trials; None before it is created."""
    if not (store.folder / "mlflow.db").exists():
        return None
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    sweeps = tracker.sweeps()
    return (sweeps[0], tracker.records(sweeps[0].id)) if sweeps else None


def trial_count(store: Any) -> int:
    """The number of ended trials in the store."""
    sweep = stored_sweep(store)
    return len(sweep[1]) if sweep else 0


def test_while_ray_starts(store: Any, wait_for: WaitFor) -> None:
    """Sent to the process group, as by a terminal: no sweep is created, and Ray ends."""
    process = store.start("sweep", *TINY)
    wait_for(lambda: any("gcs_server" in line for line in store.processes()))
    os.killpg(process.pid, signal.SIGINT)
    ended = store.ended(process)
    assert (ended.code, ended.out, ended.err) == (130, "", "interrupted\n")
    assert store.left() == []
    assert stored_sweep(store) is None


def test_while_trials_run(store: Any, wait_for: WaitFor, run: Run) -> None:
    """Sent to the process alone: the ended trial is kept, and `front` shows it."""
    # A pack for each worker: one ends at once, the other would take hours.
    axes = ("--grid", "beta=0.1", "--grid", "epochs=1,100000")
    process = store.start("sweep", *TINY, *axes, workers=2)
    wait_for(lambda: trial_count(store) == 1)
    process.send_signal(signal.SIGINT)
    ended = store.ended(process)
    assert ended.code == 130
    message, command = ended.err.splitlines()[-2:]
    assert message == "interrupted: 1 of 2 trials had ended and are kept"
    assert command.startswith("resume:   paretoib resume ")
    assert "Traceback" not in ended.err
    assert store.left() == []
    front = run(store, "front", "cut", "--json").document
    assert front["sweep"]["status"] == "interrupted"
    assert len(front["points"]) == 1
    assert run(store, "front", "cut").out == ended.out


def test_where_a_shell_ignores_ctrl_c(store: Any, wait_for: WaitFor, run: Run) -> None:
    """As in the background of a script: `cancel` ends the sweep in the middle of a trial."""
    program = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from paretoib.cli import main\n"
        "main()"
    )
    axes = ("--grid", "beta=0.1", "--grid", "epochs=1,100000")
    process = store.start("sweep", *TINY, *axes, workers=2, program=program)
    wait_for(lambda: trial_count(store) == 1)
    process.send_signal(signal.SIGINT)
    cancelled = run(store, "cancel", "cut")
    assert (cancelled.code, cancelled.err) == (0, "cut is interrupted: 1 of 2 trials are kept\n")
    ended = store.ended(process)
    assert ended.code == 130
    assert "interrupted: 1 of 2 trials had ended and are kept" in ended.err
    assert store.left() == []


def test_while_it_closes(store: Any, wait_for: WaitFor, run: Run) -> None:
    """All trials have ended, so the sweep finishes, and writes its front and its figures."""
    process = store.start("sweep", *TINY, "--grid", "beta=0.1,0.2", "--epochs", "1", "--json")
    wait_for(lambda: trial_count(store) == 2)
    os.killpg(process.pid, signal.SIGINT)
    ended = store.ended(process)
    assert (ended.code, ended.err) == (0, "")
    assert ended.document["sweep"]["status"] == "finished"
    assert store.left() == []
    assert run(store, "front", "cut", "--json").document == ended.document
    artifacts = {path.name for path in (store.folder / "artifacts").rglob("front.*")}
    assert artifacts == {"front.json", "front.html", "front.png"}
