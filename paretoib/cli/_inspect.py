"""Commands that only read sweeps: `paretoib front`, `compare`, `importance`, `list`, and others."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from paretoib.backends import connect
from paretoib.cli import _render, _tables
from paretoib.cli._files import (
    Axis,
    FigureFile,
    HtmlFile,
    PlaneFile,
    PngFile,
    TableFile,
    check_files,
    write,
)
from paretoib.cli._options import SWEEP_HELP, AsJSON, Server, Sweep, Where, find_sweep

FOLLOW_SECONDS = 1.0  # between two reads of a log that grows

Sweeps = Annotated[list[str], typer.Argument(metavar="SWEEP", help=SWEEP_HELP)]
SingleTrials = Annotated[
    bool,
    typer.Option(
        "--trials",
        help="Show single trials instead of means over seeds: in the table, in figures and in "
        "--table.",
    ),
]


def front(
    sweep: Sweep,
    trials: SingleTrials = False,
    where: Where = None,
    as_json: AsJSON = False,
    table: TableFile = None,
    html: HtmlFile = None,
    figure: FigureFile = None,
    png: PngFile = None,
    plane: PlaneFile = None,
    axis: Axis = None,
    server: Server = None,
) -> None:
    """Show the front of a sweep.

    If a setting has several seeds, a row is the mean of a setting over its seeds.
    """
    check_files(axis, html=html, figure=figure, png=png, plane=plane, table=table)
    backend = connect(server)
    current = backend.front(find_sweep(backend, sweep), where=where or ())
    if html or figure or png or plane or table:
        from paretoib.fronts import front_html, front_image, plane_image, table_file

        write(html, lambda _: front_html(current, axis=axis, trials=trials).encode())
        for file in (figure, png):
            write(file, lambda format: front_image(current, format, axis=axis, trials=trials))
        history = partial(backend.history, current.sweep)
        write(plane, lambda format: plane_image(current, history, format, axis=axis))
        write(table, lambda format: table_file(current, format, trials=trials), default="csv")
    if as_json:
        _render.print_json(current.document)
    else:
        _tables.front(current, trials=trials)


def compare(
    sweeps: Sweeps,
    against: Annotated[
        list[str],
        typer.Option(
            metavar="SWEEP...",
            help="The sweeps of the other side. The trials of all sweeps of a side are pooled.",
        ),
    ],
    trials: SingleTrials = False,
    where: Where = None,
    as_json: AsJSON = False,
    table: TableFile = None,
    html: HtmlFile = None,
    figure: FigureFile = None,
    png: PngFile = None,
    axis: Axis = None,
    server: Server = None,
) -> None:
    """Compare the fronts of two sides; a side has one or more sweeps."""
    check_files(axis, html=html, figure=figure, png=png, table=table)
    backend = connect(server)
    left, right = ([find_sweep(backend, name) for name in side] for side in (sweeps, against))
    comparison = backend.compare(left, right, where=where or ())
    if html or figure or png or table:
        from paretoib.fronts import comparison_html, comparison_image, table_file

        write(html, lambda _: comparison_html(comparison, axis=axis, trials=trials).encode())
        for file in (figure, png):
            write(
                file, lambda format: comparison_image(comparison, format, axis=axis, trials=trials)
            )
        write(table, lambda format: table_file(comparison, format, trials=trials), default="csv")
    if as_json:
        _render.print_json(comparison.document)
    else:
        _tables.comparison(comparison)


def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also list archived sweeps.")] = False,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="List only sweeps with this tag, or with this value of it. May be repeated.",
        ),
    ] = None,
    as_json: AsJSON = False,
    server: Server = None,
) -> None:
    """List the sweeps, newest first."""
    parts = [part.partition("=") for part in tag or ()]
    tags = {name: value if equals else None for name, equals, value in parts}
    states = connect(server).list(archived=all_, tags=tags)
    if tags and not states and not as_json:
        _render.message("no sweep has these tags")
        return
    _render.sweeps(states, as_json)


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


COMMANDS = (front, compare, importance, list_, show, logs, ui)
