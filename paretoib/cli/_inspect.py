"""Commands that only read sweeps: `paretoib front`, `compare`, `importance`, `list`, and others."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from paretoib.backends import connect
from paretoib.cli import _render, _tables
from paretoib.cli._options import SWEEP_HELP, AsJSON, Server, Sweep, find_sweep
from paretoib.errors import ParetoIBError, StoreError

if TYPE_CHECKING:
    from paretoib.fronts import ImageFormat

FOLLOW_SECONDS = 1.0  # between two reads of a log that grows

Sweeps = Annotated[list[str], typer.Argument(metavar="SWEEP", help=SWEEP_HELP)]
HtmlFile = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Also write an interactive HTML figure to this file."
    ),
]
FigureFile = Annotated[
    Path | None,
    typer.Option(
        "--figure",
        metavar="FILE",
        help="Also write a figure to this file, as PNG, PDF or SVG by its suffix.",
    ),
]
PngFile = Annotated[
    Path | None,
    typer.Option("--png", metavar="FILE", help="The same as --figure, for a PNG only."),
]
PlaneFile = Annotated[
    Path | None,
    typer.Option(
        "--plane",
        metavar="FILE",
        help="Also write the information plane during training to this file, as PNG, PDF or SVG "
        "by its suffix.",
    ),
]
Axis = Annotated[
    Literal["linear", "log"] | None,
    typer.Option(
        help="Axis of the rate in figures. Default: log if the rates span more than a factor of "
        "ten."
    ),
]
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "html": (".html", ".htm"),
    "figure": (".png", ".pdf", ".svg"),
    "png": (".png",),
    "plane": (".png", ".pdf", ".svg"),
}


def front(
    sweep: Sweep,
    as_json: AsJSON = False,
    html: HtmlFile = None,
    figure: FigureFile = None,
    png: PngFile = None,
    plane: PlaneFile = None,
    axis: Axis = None,
    server: Server = None,
) -> None:
    """Show the front of a sweep."""
    _check_files(axis, html=html, figure=figure, png=png, plane=plane)
    backend = connect(server)
    current = backend.front(find_sweep(backend, sweep))
    if html or figure or png or plane:
        from paretoib.fronts import front_html, front_image, plane_image

        _write(html, lambda _: front_html(current, axis=axis).encode())
        for file in (figure, png):
            _write(file, lambda format: front_image(current, format, axis=axis))
        history = partial(backend.history, current.sweep)
        _write(plane, lambda format: plane_image(current, history, format, axis=axis))
    if as_json:
        _render.print_json(current.document)
    else:
        _tables.front(current)


def compare(
    sweeps: Sweeps,
    against: Annotated[
        list[str],
        typer.Option(
            metavar="SWEEP...",
            help="The sweeps of the other side. The trials of all sweeps of a side are pooled.",
        ),
    ],
    as_json: AsJSON = False,
    html: HtmlFile = None,
    figure: FigureFile = None,
    png: PngFile = None,
    axis: Axis = None,
    server: Server = None,
) -> None:
    """Compare the fronts of two sides; a side has one or more sweeps."""
    _check_files(axis, html=html, figure=figure, png=png)
    backend = connect(server)
    left, right = ([find_sweep(backend, name) for name in side] for side in (sweeps, against))
    comparison = backend.compare(left, right)
    if html or figure or png:
        from paretoib.fronts import comparison_html, comparison_image

        _write(html, lambda _: comparison_html(comparison, axis=axis).encode())
        for file in (figure, png):
            _write(file, lambda format: comparison_image(comparison, format, axis=axis))
    if as_json:
        _render.print_json(comparison.document)
    else:
        _tables.comparison(comparison)


def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also list archived sweeps.")] = False,
    as_json: AsJSON = False,
    server: Server = None,
) -> None:
    """List the sweeps, newest first."""
    _render.sweeps(connect(server).list(archived=all_), as_json)


def show(sweep: Sweep, as_json: AsJSON = False, server: Server = None) -> None:
    """Show the state, the models and the spec of a sweep."""
    backend = connect(server)
    state = find_sweep(backend, sweep)
    _render.sweep(state, backend.page(state), backend.models(state), as_json)


def importance(sweep: Sweep, as_json: AsJSON = False, server: Server = None) -> None:
    """Show which of the varied fields mattered for which measure."""
    backend = connect(server)
    found = backend.importance(find_sweep(backend, sweep))
    if as_json:
        _render.print_json(found.document)
    else:
        _tables.importance(found)


def logs(
    sweep: Sweep,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print further lines until the sweep has ended.")
    ] = False,
    tail: Annotated[
        int, typer.Option(min=1, max=10_000, metavar="N", help="Number of lines at the start.")
    ] = 1000,
    server: Server = None,
) -> None:
    """Print the log of a sweep: its trials, warnings and errors."""
    backend = connect(server)
    state = find_sweep(backend, sweep)
    part = backend.logs(state, tail=tail)
    typer.echo(part.text, nl=False)
    while follow:
        # The state is read first: what an ended sweep has logged is in the next part.
        running = backend.find(state).status == "running"
        part = backend.logs(state, after=part.end)
        typer.echo(part.text, nl=False)
        if not (running or part.text):
            return
        time.sleep(FOLLOW_SECONDS if running else 0)


def ui(
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            metavar="PORT",
            help="Port of the UI, on loopback. Default: 5000, or a free port.",
        ),
    ] = None,
) -> int:
    """Serve MLflow's UI for the store until Ctrl-C."""
    import subprocess

    from paretoib.cli.serve.ports import check_port, free_ports
    from paretoib.interrupts import termination_interrupts
    from paretoib.tracking import MLFLOW_PORT
    from paretoib.tracking import ui as mlflow_ui

    check_port(port)
    mlflow = mlflow_ui(port or free_ports(MLFLOW_PORT)[0])
    typer.echo(f"MLflow: {mlflow.address}", err=True)
    if not mlflow.command:
        return 0
    # A separate session: otherwise MLflow also gets Ctrl-C, and prints many tracebacks.
    with (
        termination_interrupts(),
        subprocess.Popen(
            mlflow.command,
            env=mlflow.environment,
            cwd=mlflow.folder,
            start_new_session=True,
        ) as server,
    ):
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return 0


def repeat_against(arguments: Sequence[str]) -> list[str]:
    """Rewrite `--against A B` as `--against A --against B`: a typer option takes one value."""
    repeated: list[str] = []
    against = False
    for argument in arguments:
        if argument == "--against":
            against = True
            continue
        against = against and not argument.startswith("-")
        repeated += ["--against", argument] if against else [argument]
    return (
        repeated if arguments[:1] == ["compare"] and "--against" in arguments else list(arguments)
    )


def _check_files(axis: str | None, **files: Path | None) -> None:
    """Raise `ParetoIBError` for a wrong suffix, for two options with one file, and for no file."""
    paths = {option: path for option, path in files.items() if path is not None}
    for option, path in paths.items():
        suffixes = SUFFIXES[option]
        # A path without a suffix may be a pipe.
        if path.suffix.lower() not in ("", *suffixes):
            expected = suffixes[:1] if option == "html" else suffixes
            raise ParetoIBError(
                f"--{option}: should end in {' or '.join(expected)}; found `{path}`"
            )
    if len({path.absolute() for path in paths.values()}) < len(paths):
        options = " and ".join(f"--{option}" for option in paths)
        raise ParetoIBError(f"{options}: should be different files; found `{path}` twice")
    if axis is not None and not paths:
        options = ", ".join(f"--{option}" for option in files)
        raise ParetoIBError(f"--axis: should have a figure, by one of {options}; found none")


def _write(path: Path | None, content: Callable[["ImageFormat"], bytes]) -> None:
    """Write what `content` returns for the format of the file: its suffix, or png without one."""
    if path is None:
        return
    suffix = path.suffix.lower().removeprefix(".")
    try:
        path.write_bytes(content(cast("ImageFormat", suffix or "png")))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    typer.echo(f"wrote {path}", err=True)


COMMANDS = (front, compare, importance, list_, show, logs, ui)
