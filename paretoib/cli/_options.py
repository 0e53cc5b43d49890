"""Where a command looks and acts: the store on this machine, or a service (`--server`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

if TYPE_CHECKING:
    from paretoib.records import Front, Progress, SweepInfo
    from paretoib.specs import SweepSpec

    OnProgress = Callable[[Progress], None]

Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Go to this service, with the token of PARETOIB_TOKEN. Default: PARETOIB_SERVER; "
        "empty: this machine.",
    ),
]
NAMING = "Id, unique prefix of one, or name (of several the newest)."
Sweep = Annotated[str, typer.Argument(metavar="SWEEP", help=NAMING)]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, no more.")]


class Backend(Protocol):
    """Sweeps, and what can be done with them. What goes wrong is a `ParetoIBError`.

    `run`, `resume` and `watch` return the front when the sweep has ended, or None where no trial
    had. Ctrl-C ends a sweep that runs in this process, and its front is returned likewise; of one
    that runs elsewhere only the watching ends, by a `KeyboardInterrupt`.
    """

    def find(self, reference: str) -> "SweepInfo":
        """The sweep with this id, name (of several: the latest), or unique id prefix."""

    def sweeps(self) -> "Sequence[SweepInfo]":
        """All sweeps, newest first."""

    def progress(self, info: "SweepInfo") -> "Progress":
        """How a sweep stands."""

    def front(self, info: "SweepInfo") -> "Front":
        """A sweep's front as it is now; `NotFoundError` before its first trial has ended."""

    def history(self, info: "SweepInfo", trial: str) -> "Mapping[str, Sequence[float | None]]":
        """One ended trial's history, by its key: a value an epoch under each name."""

    def address(self, info: "SweepInfo") -> str:
        """Where a person looks at a sweep: a line to print."""

    def catalogue(self, what: str) -> Mapping[str, Mapping[str, Any]]:
        """What there is of `methods`, `datasets`, `models` or `searches`, each with its fields."""

    def submit(self, spec: "SweepSpec") -> "SweepInfo":
        """A new sweep, which runs elsewhere from now on."""

    def run(self, spec: "SweepSpec", *, on_progress: "OnProgress") -> "Front | None":
        """Run a sweep to its end."""

    def resume(self, info: "SweepInfo", *, on_progress: "OnProgress") -> "Front | None":
        """Go on with a sweep, to its end."""

    def watch(self, info: "SweepInfo", *, on_progress: "OnProgress") -> "Front | None":
        """Follow a sweep that runs elsewhere to its end."""

    def cancel(self, info: "SweepInfo") -> None:
        """Ask a running sweep to end."""


def at(server: str | None) -> Backend:
    """The service at an address, that of the settings, or without any this machine's store."""
    from paretoib.settings import settings

    if address := settings().server if server is None else server:
        from paretoib.backends import RemoteBackend

        return RemoteBackend(address)
    from paretoib.backends._local import LocalBackend

    return LocalBackend()


def sought(place: Backend, reference: str) -> "SweepInfo":
    """The sweep that is meant; on stderr a note, where it is the newest of several of a name."""
    info = place.find(reference)
    if reference == info.name:
        same = sum(sweep.name == reference for sweep in place.sweeps())
        if same > 1:
            took = f"took the newest, {info.id[:8]}"
            typer.echo(f"`{reference}` names {same} sweeps: {took}", err=True)
    return info


def command(words: str, server: str | None) -> str:
    """A command to type next, which is to go to the same place."""
    return f"paretoib {words}" + (f" --server {server}" if server else "")
