"""Options and arguments that commands share, and how they find the sweep that a user names."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from paretoib.backends import Backend
    from paretoib.records import SweepState

Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Use the service at this URL, with the token in PARETOIB_TOKEN. Default: the URL in "
        "PARETOIB_SERVER; empty: this machine.",
    ),
]
SWEEP_HELP = "Id, unique prefix of an id, or name (the newest of several)."
Sweep = Annotated[str, typer.Argument(metavar="SWEEP", help=SWEEP_HELP)]
AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def find_sweep(backend: "Backend", reference: str) -> "SweepState":
    """The sweep that a user names; notes on stderr when it is the newest of several by a name."""
    sweep = backend.find(reference)
    if reference == sweep.name:
        count = sum(other.name == reference for other in backend.list())
        if count > 1:
            typer.echo(
                f"`{reference}` names {count} sweeps: took the newest, {sweep.id[:8]}", err=True
            )
    return sweep


def command_line(words: str, server: str | None) -> str:
    """A command for the user to type next, with the same `--server`."""
    return f"paretoib {words}" + (f" --server {server}" if server else "")
