"""`paretoib extend`: adds trials, seeds or values to a sweep that has ended."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from paretoib.backends import connect
from paretoib.cli._follow import follow
from paretoib.cli._options import AsJSON, Server, Sweep, find_sweep
from paretoib.cli._sweep_options import parse_pairs

if TYPE_CHECKING:
    from paretoib.specs import Additions


def extend(
    sweep: Sweep,
    trials: Annotated[
        str | None,
        typer.Option(
            metavar="+N|N",
            help="+16: train 16 more trials. 48: train until there are 48. Not with search grid.",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="SEED,SEED...|+N",
            help="Further seeds, such as 3,4, or +2 for the next two: each setting is trained with "
            "them too. Only with search grid or adaptive.",
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUES",
            help="Further values: beta=0.3,0.5 or beta=1e-6:1e-4:4. A field that was not varied "
            "keeps its value too. Only with search grid, or with adaptive and --trials. May be "
            "repeated.",
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=RANGE",
            help="A wider range, such as beta=1e-6:1. Only with search adaptive and --trials. May "
            "be repeated.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(hidden=True)] = None,
    as_json: AsJSON = False,
    server: Server = None,
) -> int:
    """Add trials, seeds or values to a sweep that has ended.

    Only the new trials run. The sweep keeps its id, and its search continues with what it knows.
    """
    additions = _additions(
        trials=trials,
        seeds=seeds,
        grid=parse_pairs(grid, "--grid"),
        space=parse_pairs(space, "--space"),
        epochs=epochs,
    )
    backend = connect(server)
    state = find_sweep(backend, sweep)
    run = partial(backend.extend, state, additions)
    return follow(backend, run, as_json, server, name=state.name, starting=backend.starting)


def _additions(**flags: object) -> "Additions":
    """What the flags add; raises `SpecError` for invalid values."""
    from paretoib.specs import Additions

    return Additions.from_document({k: v for k, v in flags.items() if v is not None})


COMMANDS = (extend,)
