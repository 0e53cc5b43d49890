"""Ctrl-C at three moments: one line, code 130, nothing that had finished is lost, nothing left."""

import os
import signal
from collections.abc import Callable
from typing import Any

from paretoib.records import SweepInfo, TrialRecord
from paretoib.tracking._mlflow.tracker import MLflowTracker

WaitFor = Callable[[Callable[[], object]], None]
Run = Callable[..., Any]
TINY = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2", "--name", "cut")


def stored(store: Any) -> tuple[SweepInfo, list[TrialRecord]] | None:
    """The store's only sweep and its trials so far, once it is there."""
    if not (store.folder / "mlflow.db").exists():
        return None
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    sweeps = tracker.sweeps()
    return (sweeps[0], tracker.records(sweeps[0].id)) if sweeps else None


def trials_of(store: Any) -> int:
    """How many trials the store has."""
    found = stored(store)
    return len(found[1]) if found else 0


def test_while_ray_starts(store: Any, wait_for: WaitFor) -> None:
    """As a terminal does it, to the whole process group: there is no sweep, and Ray is gone."""
    process = store.start("sweep", *TINY)
    wait_for(lambda: any("gcs_server" in line for line in store.processes()))
    os.killpg(process.pid, signal.SIGINT)
    ended = store.ended(process)
    assert (ended.code, ended.out, ended.err) == (130, "", "interrupted\n")
    assert store.left() == []
    assert stored(store) is None


def test_while_trials_run(store: Any, wait_for: WaitFor, run: Run) -> None:
    """To the process alone: the trial that had finished is kept, and `front` shows it."""
    # A pack for each worker: one is done at once, the other would take hours.
    axes = ("--grid", "beta=0.1", "--grid", "epochs=1,100000")
    process = store.start("sweep", *TINY, *axes, workers=2)
    wait_for(lambda: trials_of(store) == 1)
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
    """As for a sweep in a script's background: a request ends it, in the middle of a trial."""
    program = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from paretoib.cli import main\n"
        "main()"
    )
    axes = ("--grid", "beta=0.1", "--grid", "epochs=1,100000")
    process = store.start("sweep", *TINY, *axes, workers=2, program=program)
    wait_for(lambda: trials_of(store) == 1)
    process.send_signal(signal.SIGINT)
    asked = run(store, "cancel", "cut")
    assert (asked.code, asked.err) == (0, "cut is interrupted: 1 of 2 trials are kept\n")
    ended = store.ended(process)
    assert ended.code == 130
    assert "interrupted: 1 of 2 trials had ended and are kept" in ended.err
    assert store.left() == []


def test_while_it_closes(store: Any, wait_for: WaitFor, run: Run) -> None:
    """All trials are done, so the sweep ends as it would have: with its front and pictures."""
    process = store.start("sweep", *TINY, "--grid", "beta=0.1,0.2", "--epochs", "1", "--json")
    wait_for(lambda: trials_of(store) == 2)
    os.killpg(process.pid, signal.SIGINT)
    ended = store.ended(process)
    assert (ended.code, ended.err) == (0, "")
    assert ended.document["sweep"]["status"] == "finished"
    assert store.left() == []
    assert run(store, "front", "cut", "--json").document == ended.document
    artifacts = {path.name for path in (store.folder / "artifacts").rglob("front.*")}
    assert artifacts == {"front.json", "front.html", "front.png"}
