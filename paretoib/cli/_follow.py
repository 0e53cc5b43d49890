"""Sweeps that run, and their fronts when they have ended: `paretoib watch`, `resume`, `cancel`."""

import json
import time
from collections.abc import Callable
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from paretoib.cli import _render, _tables
from paretoib.cli._options import AsJSON, Backend, Server, Sweep, at, command, sought

if TYPE_CHECKING:
    from paretoib.records import Front, SweepInfo

POLL = 0.5  # seconds


def watch(sweep: Sweep, as_json: AsJSON = False, server: Server = None) -> int:
    """Watch a sweep that another process or a service runs, then show its front."""
    place = at(server)
    return shown(place, partial(place.watch, sought(place, sweep)), as_json, server)


def resume(sweep: Sweep, as_json: AsJSON = False, server: Server = None) -> int:
    """Go on with a sweep that was interrupted; what it has is not run again."""
    place = at(server)
    return shown(place, partial(place.resume, sought(place, sweep)), as_json, server)


def cancel(
    sweep: Sweep,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait until the sweep has ended.")
    ] = 60.0,
    server: Server = None,
) -> int:
    """End a running sweep, wherever it runs; what it has is kept, and `resume` goes on with it."""
    place = at(server)
    info = sought(place, sweep)
    if info.status != "running":
        _render.say(f"{info.name} does not run: it is {info.status}")
        return 0
    place.cancel(info)
    began = time.monotonic()
    deadline = began + wait
    while (now := place.progress(info)).sweep.status == "running":
        if now.ended:
            _render.say(f"{info.name} is running: {now.ended}")
            return 1
        if time.monotonic() > deadline:
            _render.say(f"{info.name} was asked to end, and still runs after {wait:g} s")
            return 1
        time.sleep(max(POLL, time.monotonic() - began))
        began = time.monotonic()
    _render.say(f"{info.name} is {now.sweep.status}: {now.over} of {now.trials} trials are kept")
    return 0


def shown(
    place: Backend, run: "Callable[..., Front | None]", as_json: bool, server: str | None
) -> int:
    """Follow a sweep with a progress bar, then show its front; the command's exit code."""
    from paretoib.cli._progress import progress_bar

    with progress_bar() as bar:
        try:
            front = run(on_progress=bar.show)
        except KeyboardInterrupt:
            if bar.now is None:
                raise
            # One that ran in this process would have ended, with its front.
            raise KeyboardInterrupt(_left(bar.now.sweep, server)) from None
    if front is None:
        assert bar.now is not None
        why = bar.now.ended or "no trial of it had ended"
        _render.say(f"{bar.now.sweep.name} is {bar.now.sweep.status}: {why}")
        return 130 if bar.now.sweep.status == "interrupted" else 1
    if as_json:
        typer.echo(front.to_json(indent=2))
    else:
        _tables.front(front)
        _say_where(front, place, server)
    status, ended = front.sweep.status, len(front.points) + len(front.failed)
    trials = front.sweep.spec["trials"]
    if status == "interrupted":
        _render.say(f"interrupted: {ended} of {trials} trials had ended and are kept")
        if bar.now and bar.now.ended:
            _render.say(f"because:  {bar.now.ended}")
        _render.say(f"go on:    {command(f'resume {front.sweep.id[:8]}', server)}")
        return 130
    if bar.now and bar.now.ended:
        stands = "running" if status == "running" else "ended"
        _render.say(f"{stands} after {ended} of {trials} trials: {bar.now.ended}")
    elif ended < trials:
        _render.say(f"{status} after {ended} of {trials} trials")
    return 0 if front.points and status not in ("failed", "running") else 1


def _left(info: "SweepInfo", server: str | None) -> str:
    return (
        f"{info.name} runs on\n"
        f"watch:    {command(f'watch {info.id[:8]}', server)}\n"
        f"cancel:   {command(f'cancel {info.id[:8]}', server)}"
    )


def _say_where(front: "Front", place: Backend, server: str | None) -> None:
    swept = front.sweep
    name = swept.id[:8]
    _render.say(f"\nlook:     {place.address(swept)}")
    if not front.points:
        _render.say(f"sweep:    {command(f'show {name}', server)}")
        return
    _render.say(f"again:    {command(f'front {name}', server)}")
    others = [s for s in place.sweeps() if _comparable(s, swept)]
    if others:
        against = f"compare {name} --against {others[0].id[:8]}"
        _render.say(f"compare:  {command(against, server)}")
        return
    other = "vib" if swept.method != "vib" else "mib"
    usual = place.catalogue("datasets")[swept.dataset]["fields"]
    data = " ".join(
        f"--set {quote(f'{field}={json.dumps(value)}')}"
        for field, value in swept.spec["data"].items()
        # As JSON, in which a tuple is a list.
        if field in usual and json.dumps(value) != json.dumps(usual[field]["default"])
    )
    options = f"sweep --method {other} --dataset {swept.dataset} {data}".rstrip()
    against = f"compare {name} --against {other}-{swept.dataset}"
    _render.say(f"compare:  {command(options, server)}, then")
    _render.say(f"          {command(against, server)}")


def _comparable(other: "SweepInfo", swept: "SweepInfo") -> bool:
    """Whether a finished sweep of several trials is on the same data by another method."""
    same = other.spec["data"] == swept.spec["data"] and other.method != swept.method
    return same and other.status == "finished" and other.spec["trials"] > 1


COMMANDS = (watch, resume, cancel)
