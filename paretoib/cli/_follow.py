"""`paretoib watch`, `resume` and `cancel`: commands that wait for the end of a sweep."""

import json
import time
from collections.abc import Callable
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from paretoib.backends import connect
from paretoib.cli import _render, _tables
from paretoib.cli._options import AsJSON, Server, Sweep, command_line, find_sweep

if TYPE_CHECKING:
    from paretoib.backends import Backend
    from paretoib.records import Front, SweepInfo, SweepState

_FILE_FIELDS = ("path", "sha256", "kind", "classes", "tasks")
POLL_SECONDS = 0.5  # minimum time between two reads of the state of a cancelled sweep


def watch(sweep: Sweep, as_json: AsJSON = False, server: Server = None) -> int:
    """Follow a running sweep to its end, then show its front."""
    backend = connect(server)
    state = find_sweep(backend, sweep)
    run = partial(backend.watch, state)
    return follow(backend, run, as_json, server, name=state.name, starting="reading its state")


def resume(sweep: Sweep, as_json: AsJSON = False, server: Server = None) -> int:
    """Resume an interrupted sweep.

    Trials that have ended are not run again.
    """
    backend = connect(server)
    state = find_sweep(backend, sweep)
    if state.complete:
        _render.message(f"{state.name} is complete: all {state.trials.total} trials have ended")
    run = partial(backend.resume, state)
    return follow(backend, run, as_json, server, name=state.name, starting=backend.starting)


def cancel(
    sweep: Sweep,
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long to wait for the sweep to end."),
    ] = 60.0,
    server: Server = None,
) -> int:
    """Cancel a running sweep.

    Its ended trials are kept, and `paretoib resume` continues it.
    """
    backend = connect(server)
    state = find_sweep(backend, sweep)
    if state.status != "running":
        _render.message(f"{state.name} is not running: it is {state.status}")
        return 0
    backend.cancel(state)
    read_at = time.monotonic()
    deadline = read_at + wait
    while (state := backend.find(state)).status == "running":
        if time.monotonic() > deadline:
            _render.message(f"{state.name} is still running {wait:g} s after the request to cancel")
            return 1
        # Wait at least as long as a read takes, so that a slow store is not always busy.
        time.sleep(max(POLL_SECONDS, time.monotonic() - read_at))
        read_at = time.monotonic()
    trials = state.trials
    _render.message(
        f"{state.name} is {state.status}: {trials.ended} of {trials.total} trials are kept"
    )
    return 0


def follow(
    backend: "Backend",
    run: "Callable[..., Front | None]",
    as_json: bool,
    server: str | None,
    *,
    name: str,
    starting: str,
) -> int:
    """Show the progress while the sweep runs, then its front; returns the exit code.

    `name` is the name of the sweep. `starting` says what is done before the first state.
    """
    from paretoib.cli._progress import progress

    with progress(name, starting) as shown:
        try:
            front = run(on_progress=shown.show)
        except KeyboardInterrupt:
            if shown.state is None:
                raise
            # The sweep runs in another process: for a sweep in this process, `run` returns the
            # front after Ctrl-C.
            raise KeyboardInterrupt(_still_running(shown.state, server)) from None
    state = shown.state
    if front is None:
        assert state is not None
        reason = state.reason or "no trial has ended"
        _render.message(f"{state.name} is {state.status}: {reason}")
        if state.status not in ("cancelled", "interrupted"):
            return 1
        _render.message(f"resume:   {command_line(f'resume {state.id[:8]}', server)}")
        return 130
    if as_json:
        _render.print_json(front.document)
    else:
        _tables.front(front)
        _suggest_commands(front, state, backend, server)
    return _report_end(front, state.reason if state else front.sweep.reason, server)


def _report_end(front: "Front", reason: str | None, server: str | None) -> int:
    """Print how the sweep ended and why; returns the exit code."""
    sweep, ended = front.sweep, len(front.points) + len(front.failed)
    trials = sweep.spec["trials"]
    if sweep.status in ("cancelled", "interrupted"):
        _render.message(f"{sweep.status}: {ended} of {trials} trials had ended and are kept")
        if reason:
            _render.message(f"reason:   {reason}")
        _render.message(f"resume:   {command_line(f'resume {sweep.id[:8]}', server)}")
        return 130
    if reason or ended < trials:
        status = "ended" if sweep.status == "finished" else sweep.status
        suffix = f": {reason}" if reason else ""
        _render.message(f"{status} after {ended} of {trials} trials{suffix}")
    return 0 if front.points and sweep.status not in ("failed", "running") else 1


def _still_running(sweep: "SweepInfo", server: str | None) -> str:
    return (
        f"{sweep.name} is still running\n"
        f"watch:    {command_line(f'watch {sweep.id[:8]}', server)}\n"
        f"cancel:   {command_line(f'cancel {sweep.id[:8]}', server)}"
    )


def _suggest_commands(
    front: "Front", state: "SweepState | None", backend: "Backend", server: str | None
) -> None:
    """Print where to look at the sweep, and the commands that show and compare its front."""
    sweep = front.sweep
    name = sweep.id[:8]
    _render.message(f"\nlook:     {backend.page(state or backend.find(sweep))}")
    if not front.points:
        _render.message(f"sweep:    {command_line(f'show {name}', server)}")
        return
    _render.message(f"again:    {command_line(f'front {name}', server)}")
    others = [other for other in backend.list() if _comparable(other, sweep)]
    if others:
        compare = f"compare {name} --against {others[0].id[:8]}"
        _render.message(f"compare:  {command_line(compare, server)}")
        return
    from paretoib.specs import default_name

    # No sweep to compare with yet: first run another method on the same data.
    method = "vib" if sweep.method != "vib" else "mib"
    run = f"sweep --method {method} {_data_flags(backend, sweep)}"
    compare = f"compare {name} --against {quote(default_name(method, sweep.spec['data']))}"
    _render.message(f"compare:  {command_line(run, server)}, then")
    _render.message(f"          {command_line(compare, server)}")


def _data_flags(backend: "Backend", sweep: "SweepInfo") -> str:
    """The flags of the data set of a sweep, with its fields that are not defaults."""
    section = sweep.spec["data"]
    entry = backend.catalogue("datasets").get(sweep.dataset, {"fields": {}})
    # The fields of a file are read from the file.
    known = _FILE_FIELDS if "path" in section else ()
    changed = [
        f"--set {quote(f'{field}={json.dumps(section[field])}')}"
        for field, schema in entry["fields"].items()
        # Compare as JSON, in which a tuple equals a list.
        if field not in known
        and field in section
        and json.dumps(section[field]) != json.dumps(schema["default"])
    ]
    name = f"{sweep.dataset}:{section['path']}" if "path" in section else sweep.dataset
    return " ".join([f"--dataset {quote(name)}", *changed])


def _comparable(other: "SweepInfo", sweep: "SweepInfo") -> bool:
    """Whether `other` is a finished sweep of several trials by another method on the same data."""
    same_data = other.spec["data"] == sweep.spec["data"] and other.method != sweep.method
    return same_data and other.status == "finished" and other.spec["trials"] > 1


COMMANDS = (watch, resume, cancel)
