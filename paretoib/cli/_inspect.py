"""The commands that look at sweeps: front, compare, list, show, ui."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paretoib.cli import _render, _tables
from paretoib.cli._options import NAMING, AsJSON, Server, Sweep, at, sought
from paretoib.errors import ParetoIBError, StoreError

if TYPE_CHECKING:
    from paretoib.records import Front, SweepInfo

Sweeps = Annotated[list[str], typer.Argument(metavar="SWEEP...", help=NAMING)]
Page = Annotated[Path | None, typer.Option("--html", help="Also write the interactive page here.")]
Image = Annotated[Path | None, typer.Option("--png", help="Also write the picture here.")]
Plane = Annotated[
    Path | None,
    typer.Option(
        "--plane", help="Also write a picture (PNG) of the information plane along training here."
    ),
]


def front(
    sweep: Sweep,
    as_json: AsJSON = False,
    html: Page = None,
    png: Image = None,
    plane: Plane = None,
    server: Server = None,
) -> None:
    """Show a sweep's front."""
    _check_files(html=html, png=png, plane=plane)
    found = _fronts([sweep], server)[0]
    if html or png or plane:
        from paretoib.fronts import front_html, front_png, plane_png

        _write(html, lambda: front_html(found).encode())
        _write(png, lambda: front_png(found))
        _write(plane, lambda: plane_png(found, partial(at(server).history, found.sweep)))
    if as_json:
        typer.echo(found.to_json(indent=2))
    else:
        _tables.front(found)


def compare(
    sweeps: Sweeps,
    against: Annotated[
        list[str], typer.Option(metavar="SWEEP...", help="The other side's sweeps, likewise.")
    ],
    as_json: AsJSON = False,
    html: Page = None,
    png: Image = None,
    server: Server = None,
) -> None:
    """Compare the fronts of some sweeps with those of others."""
    from paretoib.fronts import compare as compare_fronts

    _check_files(html=html, png=png)
    fronts = _fronts([*sweeps, *against], server)
    comparison = compare_fronts(fronts[: len(sweeps)], fronts[len(sweeps) :])
    if html or png:
        from paretoib.fronts import comparison_html, comparison_png

        _write(html, lambda: comparison_html(comparison).encode())
        _write(png, lambda: comparison_png(comparison))
    if as_json:
        typer.echo(comparison.to_json(indent=2))
    else:
        _tables.comparison(comparison)


def list_(as_json: AsJSON = False, server: Server = None) -> None:
    """List the sweeps, newest first."""
    _render.sweeps(at(server).sweeps(), as_json)


def show(sweep: Sweep, as_json: AsJSON = False, server: Server = None) -> None:
    """Show a sweep's specification and how it stands."""
    place = at(server)
    info = sought(place, sweep)
    _render.sweep(place.progress(info), place.address(info), as_json)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on loopback.")] = 5000,
) -> int:
    """Serve the MLflow pages of the store until Ctrl-C."""
    import subprocess

    from paretoib.interrupts import termination_interrupts
    from paretoib.tracking import ui as mlflow_ui

    pages = mlflow_ui(port)
    typer.echo(f"MLflow: {pages.address}", err=True)
    if not pages.command:
        return 0
    # In a session of its own: Ctrl-C would make it end with a page of tracebacks.
    with (
        termination_interrupts(),
        subprocess.Popen(pages.command, env=pages.environment, start_new_session=True) as server,
    ):
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return 0


def spread_against(arguments: Sequence[str]) -> list[str]:
    """`--against A B` as `--against A --against B`, which is what the parser knows."""
    spread: list[str] = []
    against = False
    for argument in arguments:
        if argument == "--against":
            against = True
            continue
        against = against and not argument.startswith("-")
        spread += ["--against", argument] if against else [argument]
    return spread if arguments[:1] == ["compare"] and "--against" in arguments else list(arguments)


def _fronts(references: Sequence[str], server: str | None) -> "list[Front]":
    place = at(server)
    found: dict[str, SweepInfo] = {}
    for reference in references:
        info = sought(place, reference)
        if info.id in found:
            raise ParetoIBError(f"a sweep should be named once; found `{info.name}` twice")
        found[info.id] = info
    return [place.front(info) for info in found.values()]


def _check_files(**files: Path | None) -> None:
    """Refuse two files of one path, and names that promise something else than they hold."""
    given = {option: path for option, path in files.items() if path is not None}
    for option, path in given.items():
        # One without a suffix may be a pipe.
        fitting = ("", ".html", ".htm") if option == "html" else ("", ".png")
        if path.suffix.lower() not in fitting:
            raise ParetoIBError(f"--{option}: should end in {fitting[1]}; found `{path}`")
    if len({path.absolute() for path in given.values()}) < len(given):
        options = " and ".join(f"--{option}" for option in given)
        raise ParetoIBError(f"{options}: should be different files; found `{path}` twice")


def _write(path: Path | None, content: Callable[[], bytes]) -> None:
    if path is None:
        return
    try:
        path.write_bytes(content())
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    typer.echo(f"wrote {path}", err=True)


COMMANDS = (front, compare, list_, show, ui)
