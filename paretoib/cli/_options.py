"""Options and arguments that several commands share."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from paretoib.backends import Backend
    from paretoib.records import SweepState

Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Use the service at this URL; PARETOIB_TOKEN holds its token. Default: "
        "PARETOIB_SERVER; without either, or with an empty URL, this machine.",
    ),
]
SWEEP_HELP = "Id, unique prefix of an id, or name of a sweep (the newest with that name)."
Sweep = Annotated[str, typer.Argument(metavar="SWEEP", help=SWEEP_HELP)]
AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def find_sweep(backend: "Backend", reference: str) -> "SweepState":
    """The sweep that a user names; prints a note on stderr if several sweeps have that name."""
    sweep = backend.find(reference)
    if reference == sweep.name:
        count = sum(other.name == reference for other in backend.list())
        if count > 1:
            typer.echo(
                f"`{reference}` names {count} sweeps: took the newest, {sweep.id[:8]}", err=True
            )
    return sweep


def command_line(words: str, server: str | None) -> str:
    """A command to suggest to the user, with the same `--server`."""
    return f"paretoib {words}" + (f" --server {server}" if server else "")
