"""`paretoib export`: the model of a trial as a folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from paretoib.backends import connect
from paretoib.cli import _render
from paretoib.cli._options import AsJSON, Server, Sweep, find_sweep
from paretoib.errors import ParetoIBError

if TYPE_CHECKING:
    from paretoib.records import TrialRecord


def export(
    sweep: Sweep,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write.")],
    trial: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Key of a trial, or the beginning of its key."),
    ] = None,
    best: Annotated[
        Literal["validation", "lost"] | None,
        typer.Option(
            help="The best trial on the validation split: `validation` has the highest accuracy, "
            "`lost` the fewest lost bits. Default: validation."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the model in a folder that has files.")
    ] = False,
    as_json: AsJSON = False,
    server: Server = None,
) -> None:
    """Write the model of a trial to a folder, for `paretoib.load_model`.

    Without --trial, it is the best trial on the validation split.
    """
    if trial is not None and best is not None:
        raise ParetoIBError("--best: should not be given with --trial, which names one trial")
    backend = connect(server)
    state = find_sweep(backend, sweep)
    record = backend.export(
        state, folder, trial=trial, best=best or "validation", overwrite=overwrite
    )
    if as_json:
        from paretoib.trained import FILES

        _render.print_json(
            {
                "schema": 1,
                "sweep": state.info.document,
                "trial": record.document,
                "folder": str(folder),
                "files": list(FILES),
            }
        )
        return
    typer.echo(f"{folder}: the model of trial {record.trial} of {state.name} ({state.id[:8]})")
    for line in _measured(record):
        typer.echo(line)
    typer.echo(f'load:       paretoib.load_model("{folder}")')


def _measured(record: "TrialRecord") -> Iterator[str]:
    """The metrics of a trial, in one line for each split."""
    for split in ("validation", "test"):
        if metrics := getattr(record, split):
            values = [f"{metrics.lost_bits:.3f} bits lost"]
            if metrics.rate_bits is not None:
                values.insert(0, f"rate {metrics.rate_bits:.2f} bits")
            if metrics.accuracy is not None:
                values.insert(0, f"accuracy {100 * metrics.accuracy:.1f} %")
            yield f"{split + ':':11} {', '.join(values)}"


COMMANDS = (export,)
