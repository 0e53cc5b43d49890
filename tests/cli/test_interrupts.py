"""Signals and `cancel` during `paretoib sweep`: ended trials are kept, and no process is left."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from paretoib.records import SweepInfo, TrialRecord
from paretoib.tracking._mlflow.tracker import MLflowTracker

WaitFor = Callable[[Callable[[], object]], None]
Run = Callable[..., Any]
TINY = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2", "--name", "cut")


def stored_sweep(store: Any) -> tuple[SweepInfo, list[TrialRecord]] | None:
    """The only sweep in the store, with its ended trials; None if there is no sweep yet."""
    if not (store.folder / "mlflow.db").exists():
        return None
    tracker = MLflowTracker(f"sqlite:///{store.folder}/mlflow.db")
    sweeps = tracker.sweeps()
    return (sweeps[0], tracker.records(sweeps[0].id)) if sweeps else None


def trial_count(store: Any) -> int:
    """The number of ended trials in the store."""
    sweep = stored_sweep(store)
    return len(sweep[1]) if sweep else 0


def test_ctrl_c_while_ray_starts_creates_no_sweep(store: Any, wait_for: WaitFor) -> None:
    """SIGINT to the process group, as from a terminal, ends `sweep` and Ray; no sweep is stored."""
    process = store.start("sweep", *TINY)
    wait_for(lambda: any("gcs_server" in line for line in store.processes()))
    os.killpg(process.pid, signal.SIGINT)
    result = store.wait(process)
    assert (result.code, result.out, result.messages) == (130, "", "interrupted\n")
    assert store.remaining_processes() == []
    assert stored_sweep(store) is None


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, "cancelled"), (signal.SIGHUP, "interrupted")]
)
def test_a_signal_while_trials_run_keeps_ended_trials(
    store: Any, wait_for: WaitFor, run: Run, sent: signal.Signals, status: str
) -> None:
    """After SIGINT or SIGHUP to the process of `sweep` alone, `front` shows the ended trial."""
    # Each of the two workers has one pack. One pack ends at once; the other would take hours.
    axes = ("--grid", "beta=0.1", "--grid", "epochs=1,100000")
    process = store.start("sweep", *TINY, *axes, workers=2)
    wait_for(lambda: trial_count(store) == 1)
    process.send_signal(sent)
    result = store.wait(process)
    assert result.code == 130
    message, command = result.err.splitlines()[-2:]
    assert message == f"{status}: 1 of 2 trials had ended and are kept"
    assert command.startswith("resume:   paretoib resume ")
    assert "Traceback" not in result.err
    assert store.remaining_processes() == []
    front = run(store, "front", "cut", "--json").document
    assert front["sweep"]["status"] == status
    assert len(front["points"]) == 1
    assert run(store, "front", "cut").out == result.out


def test_cancel_ends_a_sweep_that_ignores_ctrl_c(store: Any, wait_for: WaitFor, run: Run) -> None:
    """A background command of a shell script ignores SIGINT, but `cancel` ends its sweep."""
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
    assert (cancelled.code, cancelled.err) == (0, "cut is cancelled: 1 of 2 trials are kept\n")
    result = store.wait(process)
    assert result.code == 130
    assert "cancelled: 1 of 2 trials had ended and are kept" in result.err
    assert store.remaining_processes() == []


def test_ctrl_c_after_the_last_trial_does_not_interrupt_the_sweep(
    store: Any, wait_for: WaitFor, run: Run
) -> None:
    """If SIGINT comes after the last trial, the sweep finishes and writes its front and figures."""
    process = store.start("sweep", *TINY, "--grid", "beta=0.1,0.2", "--epochs", "1", "--json")
    wait_for(lambda: trial_count(store) == 2)
    os.killpg(process.pid, signal.SIGINT)
    result = store.wait(process)
    assert (result.code, result.messages) == (0, "")
    assert result.document["sweep"]["status"] == "finished"
    assert store.remaining_processes() == []
    assert run(store, "front", "cut", "--json").document == result.document
    artifacts = {path.name for path in (store.folder / "artifacts").rglob("front.*")}
    assert artifacts == {"front.json", "front.html", "front.png"}
