"""`paretoib pick`: choose one setting."""

from typing import Annotated

import typer

from paretoib.backends import connect
from paretoib.cli import _render
from paretoib.cli._options import SWEEP_HELP, AsJSON, Server, Where, find_sweep


def pick(
    sweeps: Annotated[list[str], typer.Argument(metavar="SWEEP...", help=SWEEP_HELP)],
    max_rate: Annotated[
        float | None,
        typer.Option(metavar="BITS", help="Choose the fewest lost bits at this rate or less."),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Choose the lowest rate with this accuracy or more, such as 0.95.",
        ),
    ] = None,
    knee: Annotated[
        bool,
        typer.Option("--knee", help="Choose the knee of the front."),
    ] = False,
    prefer: Annotated[
        float | None,
        typer.Option(
            metavar="WEIGHT",
            help="Choose by preference: this weight, 0 to 1, for few lost bits, and the rest for a "
            "low rate.",
        ),
    ] = None,
    where: Where = None,
    as_json: AsJSON = False,
    server: Server = None,
) -> None:
    """Choose one setting from one or more sweeps.

    The choice is made on the validation split, and reported on the test split. One of the flags
    --max-rate, --min-accuracy, --knee and --prefer says how.
    """
    backend = connect(server)
    chosen = backend.pick(
        [find_sweep(backend, sweep) for sweep in sweeps],
        max_rate=max_rate,
        min_accuracy=min_accuracy,
        knee=knee,
        prefer=prefer,
        where=where or (),
    )
    if as_json:
        _render.print_json(chosen.document)
    else:
        typer.echo(chosen.text)


COMMANDS = (pick,)
