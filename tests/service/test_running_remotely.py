"""`paretoib sweep`, `submit` and `watch` on a service (`--server`)."""

import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from paretoib.specs import SweepSpec
from paretoib.tracking import EndedTrial

Run = Callable[..., Any]
SMALL = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2", "--epochs", "1")


class Terminal:
    """A pseudo-terminal for the stderr of a command; `text` is what the command has written."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.openpty()
        self.text = ""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while read := os.read(self._read_end, 4096):
                self.text += read.decode(errors="replace")
        except OSError:  # The other end is closed.
            pass


def test_a_sweep_is_watched_to_its_end(
    fresh_store: Path,
    serve: Callable[..., Any],
    store_tools: Any,
    run: Run,
    new_store: Callable[[Path], Any],
    wait_for: Callable[..., None],
    token_of: dict[str, str],
) -> None:
    """`watch` shows the same progress bar and front on a service as on the service's store."""
    spec = SweepSpec.from_document({"method": "vib", "trials": 12, "name": "watched"})
    store = store_tools.open_tracker(fresh_store)
    info = store.create(spec)
    store.begin(info.id, store_tools.ruler)
    records = store_tools.records(spec, 12)
    local, remote = new_store(fresh_store), new_store(fresh_store / "unused")
    token = {"PARETOIB_TOKEN": token_of["reader"], "TERM": "xterm"}
    terminals = [Terminal(), Terminal()]
    with serve(fresh_store) as served:
        watching = [
            folder.start("watch", "watched", "--server", server, stderr=terminal.write_end, **token)
            for folder, server, terminal in zip(
                (local, remote), ("", served.address), terminals, strict=True
            )
        ]
        store.add(info.id, [EndedTrial(record, 60.0) for record in records[:5]])
        wait_for(lambda: all("5/12 trials · 1 failed" in terminal.text for terminal in terminals))
        store.add(info.id, [EndedTrial(record, 60.0) for record in records[5:]])
        store.close(info.id, "finished", None, [])
        first, second = (local.wait(process) for process in watching)
    assert (first.code, second.code) == (0, 0)
    assert first.out == second.out == run(fresh_store, "front", "watched").out
    wait_for(lambda: f"look:     {served.address}/sweeps/{info.id}" in terminals[1].text)


def test_a_log_is_followed_to_the_end_of_its_sweep(
    fresh_store: Path,
    serve: Callable[..., Any],
    make_sweep: Callable[..., Any],
    store_tools: Any,
    new_store: Callable[[Path], Any],
    token_of: dict[str, str],
) -> None:
    """`logs --follow` prints the lines that are added, on a service as on its store."""
    info = make_sweep(fresh_store, 4, name="logged", status="running")
    log = fresh_store / "logs" / f"{info.id}.log"
    log.parent.mkdir()
    log.write_text("first\n")
    local, remote = new_store(fresh_store), new_store(fresh_store / "unused")
    token = {"PARETOIB_TOKEN": token_of["reader"]}
    with serve(fresh_store) as served, store_tools.heartbeats(fresh_store, info.id):
        following = [
            folder.start("logs", "logged", "--follow", "--server", server, **token)
            for folder, server in ((local, ""), (remote, served.address))
        ]
        lines = []
        for process in following:
            assert process.stdout is not None
            lines.append(process.stdout.readline())
        with log.open("a") as file:
            file.write("second\n")
        store_tools.open_tracker(fresh_store).close(info.id, "finished", None, [])
        ended = [local.wait(process) for process in following]
    assert lines == ["first\n"] * 2
    assert [(each.code, each.out) for each in ended] == [(0, "second\n")] * 2


def watch(
    served: Any, store: Any, sweep: str, token_of: dict[str, str], **settings: str
) -> "Popen[str]":
    """Start `paretoib watch` on a service."""
    variables = {"PARETOIB_TOKEN": token_of["reader"], **settings}
    process: Popen[str] = store.start("watch", sweep, "--server", served.address, **variables)
    return process


def test_watch_waits_for_a_service_that_restarts(
    fresh_store: Path,
    serve: Callable[..., Any],
    make_sweep: Callable[..., Any],
    new_store: Callable[[Path], Any],
    store_tools: Any,
    token_of: dict[str, str],
    wait_for: Callable[..., None],
    run: Run,
) -> None:
    """When the service is killed, `watch` waits until the service runs again, and continues.

    After PARETOIB_SERVER_PATIENCE seconds, `watch` gives up.
    """
    info = make_sweep(fresh_store, 8, name="lasting", status="running")
    unused = new_store(fresh_store / "unused")
    with serve(fresh_store) as served, served.client() as client:

        def has_streams(count: int) -> bool:
            return f"paretoib_event_streams {count}.0" in client.get("/metrics").text

        patient = watch(served, unused, "lasting", token_of)
        impatient = watch(served, unused, "lasting", token_of, PARETOIB_SERVER_PATIENCE="1")
        wait_for(lambda: has_streams(2))
        served.process.kill()
        gave_up = unused.wait(impatient)
        assert (gave_up.code, gave_up.out) == (2, "")
        assert gave_up.messages.startswith(
            "error: gave up after 1 s: no answer from http://127.0.0.1:"
        )
    with serve(fresh_store, port=served.address.rpartition(":")[2]) as served:
        assert patient.poll() is None
        store_tools.open_tracker(fresh_store).close(info.id, "finished", None, [])
        ended = unused.wait(patient)
    assert (ended.code, ended.out) == (0, run(fresh_store, "front", "lasting").out)


def test_a_sweep_runs_on_the_service(
    serve_cluster: Callable[..., Any],
    cluster: Any,
    run_remotely: Run,
    run: Run,
) -> None:
    """On a service, `sweep` prints the same front as `front`.

    On stderr, `sweep` prints the sweep's page and further commands.
    """
    with serve_cluster() as served:
        ended = run_remotely(served, "sweep", *SMALL, "--grid", "beta=0.1,0.01", "--name", "remote")
        assert ended.code == 0, ended.err
        assert ended.out == run(cluster.store, "front", "remote").out
        page = rf"look:     {served.address}/sweeps/[0-9a-f]{{32}}\n"
        assert re.search(page, ended.err)
        assert re.search(
            rf"again:    paretoib front \w{{8}} --server {served.address}\n", ended.err
        )


@pytest.mark.slow
def test_ctrl_c_ends_watch_but_not_the_sweep(
    serve_cluster: Callable[..., Any],
    run_remotely: Run,
    new_store: Callable[[Path], Any],
    token_of: dict[str, str],
    tmp_path: Path,
    wait_for: Callable[..., None],
) -> None:
    """After Ctrl-C, `watch` prints how to watch or cancel the sweep, which goes on.

    `cancel` then ends the sweep.
    """
    with serve_cluster() as served, served.client() as client:
        long = ("--grid", "epochs=1,2000", "--grid", "beta=0.1,0.01")
        submitted = run_remotely(served, "submit", *SMALL[:-2], *long, "--name", "long")
        (sweep,) = submitted.out.splitlines()
        assert submitted.err == (
            f"look:     {served.address}/sweeps/{sweep}\n"
            f"watch:    paretoib watch {sweep[:8]} --server {served.address}\n"
        )
        store = new_store(tmp_path / "watching")
        watching = watch(served, store, sweep[:8], token_of)
        wait_for(lambda: client.get(f"/sweeps/{sweep}").json()["trials"]["finished"] == 2)
        wait_for(lambda: "paretoib_event_streams 1.0" in client.get("/metrics").text)
        os.killpg(watching.pid, signal.SIGINT)
        ended = store.wait(watching)
        at = f"{sweep[:8]} --server {served.address}"
        assert (ended.code, ended.out) == (130, "")
        assert ended.messages == (
            "long is still running\n"
            f"watch:    paretoib watch {at}\ncancel:   paretoib cancel {at}\n"
        )
        assert client.get(f"/sweeps/{sweep}").json()["status"] == "running"
        cancelled = run_remotely(served, "cancel", "long")
        assert (cancelled.code, cancelled.err) == (
            0,
            "long is cancelled: 2 of 4 trials are kept\n",
        )
        seen = run_remotely(served, "watch", "long")
        assert seen.code == 130
        assert seen.err.splitlines()[-1] == f"resume:   paretoib resume {at}"
