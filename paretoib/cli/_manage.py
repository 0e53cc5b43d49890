"""`paretoib note`, `tag`, `archive` and `delete`: describe, hide and remove sweeps."""

import sys
from typing import Annotated

import typer

from paretoib.backends import connect
from paretoib.cli import _render
from paretoib.cli._options import SWEEP_HELP, Server, Sweep, command_line, find_sweep
from paretoib.errors import ParetoIBError

Sweeps = Annotated[list[str], typer.Argument(metavar="SWEEP...", help=SWEEP_HELP)]


def note(
    sweep: Sweep,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT", help='The new note. "" removes the note; no text prints it.'
        ),
    ] = None,
    server: Server = None,
) -> None:
    """Write a note on a sweep, or print it.

    MLflow's UI shows the note as the description of the sweep's run.
    """
    backend = connect(server)
    state = find_sweep(backend, sweep)
    if text is None and state.note:
        typer.echo(state.note)
        return
    if text is not None:
        state = backend.note(state, text)
    _render.message(f"{state.name} ({state.id[:8]}) has {'a' if state.note else 'no'} note")


def tag(
    sweep: Sweep,
    tags: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE...", help="Tags to set, such as project=digits."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="NAME", help="Remove this tag. May be repeated."),
    ] = None,
    server: Server = None,
) -> None:
    """Set and remove tags of a sweep, and print all its tags.

    `paretoib list --tag NAME` lists the sweeps with a tag. MLflow's UI shows the tags too.
    """
    changes: dict[str, str | None] = dict.fromkeys(remove or ())
    for pair in tags or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise ParetoIBError(f"a tag should be NAME=VALUE; found `{pair}`")
        if name in changes:
            raise ParetoIBError(f"a tag should be given once; found `{name}` twice")
        changes[name] = value
    backend = connect(server)
    state = find_sweep(backend, sweep)
    if changes:
        state = backend.tag(state, changes)
    for name, value in state.tags.items():
        typer.echo(f"{name}={value}")


def archive(
    sweeps: Sweeps,
    undo: Annotated[bool, typer.Option("--undo", help="List the sweeps again.")] = False,
    server: Server = None,
) -> None:
    """Leave sweeps out of `paretoib list`.

    They can still be read by name or id.
    """
    backend = connect(server)
    for state in [find_sweep(backend, sweep) for sweep in sweeps]:
        backend.archive(state, undo=undo)
        _render.message(
            f"{state.name} ({state.id[:8]}) is {'listed again' if undo else 'archived'}"
        )


def delete(
    sweeps: Sweeps,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Restore deleted sweeps.")] = False,
    server: Server = None,
) -> None:
    """Delete sweeps and their trials.

    MLflow keeps deleted sweeps until `mlflow gc` removes them for good.
    """
    backend = connect(server)
    if undo:
        for sweep in sweeps:
            state = backend.restore(sweep)
            _render.message(f"{state.name} ({state.id[:8]}) is restored")
        return
    found = {state.id: state for state in (find_sweep(backend, sweep) for sweep in sweeps)}
    for state in found.values():
        if state.status == "running":
            raise ParetoIBError(
                f"{state.name} should have ended to be deleted; it is running: "
                f"{command_line(f'cancel {state.id[:8]}', server)}"
            )
    if not yes:
        _confirm([f"{s.name} ({s.id[:8]}), {s.trials.ended} trials" for s in found.values()])
    for state in found.values():
        backend.delete(state)
        _render.message(f"{state.name} ({state.id[:8]}) is deleted")
    ids = " ".join(sweep_id[:8] for sweep_id in found)
    _render.message(f"undo:     {command_line(f'delete --undo {ids}', server)}")


def _confirm(lines: list[str]) -> None:
    """Ask whether to delete; raises `ParetoIBError` without a terminal or without a yes."""
    if not sys.stdin.isatty():
        raise ParetoIBError("without a terminal, `delete` needs --yes")
    for line in lines:
        _render.message(line)
    if not typer.confirm("Delete?", err=True):
        raise ParetoIBError("nothing is deleted")


COMMANDS = (note, tag, archive, delete)
