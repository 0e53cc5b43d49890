"""Options and arguments that several commands share, and functions to handle them."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from paretoib.backends import Backend
    from paretoib.records import SweepState

Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="URL of a service to use instead of this machine; the token is in PARETOIB_TOKEN. "
        'Default: the URL in PARETOIB_SERVER; "" selects this machine.',
    ),
]
SWEEP_HELP = "Id of a sweep, unique prefix of an id, or name (the newest sweep of that name)."
Sweep = Annotated[str, typer.Argument(metavar="SWEEP", help=SWEEP_HELP)]
AsJSON = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]


def find_sweep(backend: "Backend", reference: str) -> "SweepState":
    """Find a sweep; if several have this name, it is the newest, with a message on stderr."""
    sweep = backend.find(reference)
    if reference == sweep.name:
        count = sum(other.name == reference for other in backend.list())
        if count > 1:
            typer.echo(
                f"`{reference}` names {count} sweeps: took the newest, {sweep.id[:8]}", err=True
            )
    return sweep


def command_line(arguments: str, server: str | None) -> str:
    """A command that the user can run next, with the same `--server`."""
    return f"paretoib {arguments}" + (f" --server {server}" if server else "")
