"""`paretoib archive` and `delete`: commands that hide and remove sweeps."""

import sys
from typing import Annotated

import typer

from paretoib.backends import connect
from paretoib.cli import _render
from paretoib.cli._options import SWEEP_HELP, Server, command_line, find_sweep
from paretoib.errors import ParetoIBError

Sweeps = Annotated[list[str], typer.Argument(metavar="SWEEP...", help=SWEEP_HELP)]


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


COMMANDS = (archive, delete)
