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
        help="Use the service at this URL, with the token in PARETOIB_TOKEN. Default: the URL in "
        "PARETOIB_SERVER. Without a URL, or with an empty one, use this machine.",
    ),
]
SWEEP_HELP = "Id, unique prefix of an id, or name of a sweep (the newest with that name)."
Sweep = Annotated[str, typer.Argument(metavar="SWEEP", help=SWEEP_HELP)]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD<VALUE",
        help="Only trials with, for example, beta<0.1, accuracy>=0.95 or latent=8. A measure is "
        "the mean of a setting over its seeds. Operators: <, <=, =, !=, >=, >. May be repeated.",
    ),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def find_sweep(backend: "Backend", sweep: str) -> "SweepState":
    """The sweep that a user names; prints a note on stderr if several sweeps have that name."""
    found = backend.find(sweep)
    if sweep == found.name:
        count = sum(other.name == sweep for other in backend.list())
        if count > 1:
            typer.echo(f"`{sweep}` names {count} sweeps: took the newest, {found.id[:8]}", err=True)
    return found


def command_line(words: str, server: str | None) -> str:
    """A command to suggest to the user, with the same `--server`."""
    return f"paretoib {words}" + (f" --server {server}" if server else "")
