"""Signals during `paretoib sweep`: ended trials are kept, and no process is left."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

WaitFor = Callable[[Callable[[], object]], None]
Run = Callable[..., Any]
TINY = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2", "--name", "cut")


def test_ctrl_c_while_ray_starts_creates_no_sweep(store: Any, wait_for: WaitFor) -> None:
    """SIGINT to the process group, as from a terminal, ends `sweep` and Ray; no sweep is stored."""
    process = store.start("sweep", *TINY)
    wait_for(lambda: any("gcs_server" in line for line in store.processes()))
    os.killpg(process.pid, signal.SIGINT)
    result = store.wait(process)
    assert (result.code, result.out, result.messages) == (130, "", "interrupted\n")
    assert store.remaining_processes() == []
    assert store.sweep() is None


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (signal.SIGINT, "cancelled"),
        # tests/jobs/test_one_trial.py covers SIGHUP without Ray.
        pytest.param(signal.SIGHUP, "interrupted", marks=pytest.mark.slow),
    ],
)
def test_a_signal_while_trials_run_keeps_ended_trials(
    store: Any, wait_for: WaitFor, run: Run, sent: signal.Signals, status: str
) -> None:
    """After SIGINT or SIGHUP to the process of `sweep` alone, `front` shows the ended trial."""
    # Each of the two workers has one pack. One pack ends at once; the other would take hours.
    axes = ("--grid", "beta=0.1", "--grid", "epochs=1,100000")
    process = store.start("sweep", *TINY, *axes, workers=2)
    wait_for(lambda: store.ended() == 1)
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


def test_ctrl_c_after_the_last_trial_does_not_interrupt_the_sweep(
    store: Any, wait_for: WaitFor, run: Run
) -> None:
    """If SIGINT comes after the last trial, the sweep finishes and writes its front and figures."""
    process = store.start("sweep", *TINY, "--grid", "beta=0.1,0.2", "--epochs", "1", "--json")
    wait_for(lambda: store.ended() == 2)
    os.killpg(process.pid, signal.SIGINT)
    result = store.wait(process)
    assert (result.code, result.messages) == (0, "")
    assert result.document["sweep"]["status"] == "finished"
    assert store.remaining_processes() == []
    assert run(store, "front", "cut", "--json").document == result.document
    artifacts = {path.name for path in (store.folder / "artifacts").rglob("*.*")}
    assert {"front.json", "front.html", "front.png", "trials.png"} <= artifacts
