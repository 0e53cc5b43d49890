"""`paretoib measure`: the rate and the relevance of any encoder, and its place beside a front."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from paretoib.backends import connect
from paretoib.cli import _render, _tables
from paretoib.cli._files import Axis, FigureFile, check_files, write
from paretoib.cli._options import SWEEP_HELP, AsJSON, Server, find_sweep
from paretoib.errors import ParetoIBError

if TYPE_CHECKING:
    from paretoib.records import Front, FrontPlace, Measurement

ARRAYS = (
    "mean",
    "scale",
    "labels",
    "samples",
    "log_density",
    "probabilities",
    "predictions",
)


def measure(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An .npz file with the arrays mean, scale and labels (docs/own.md has all names).",
        ),
    ],
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="SWEEP", help=f"Also show the place beside this sweep's front. {SWEEP_HELP}"
        ),
    ] = None,
    decoder: Annotated[
        Literal["linear", "mlp"],
        typer.Option(help="The decoder that is fitted, unless the file has predictions."),
    ] = "linear",
    folds: Annotated[
        int, typer.Option(min=2, max=100, metavar="N", help="Folds of the cross-fitting.")
    ] = 5,
    seed: Annotated[
        int, typer.Option(min=0, metavar="SEED", help="Seed of samples, folds and decoder.")
    ] = 0,
    label_entropy_bits: Annotated[
        float | None,
        typer.Option(metavar="BITS", help="h(Y) of a continuous Y. Default: an estimate."),
    ] = None,
    ceiling_bits: Annotated[
        float | None,
        typer.Option(metavar="BITS", help="I(X;Y) of a continuous Y, from which bits are lost."),
    ] = None,
    as_json: AsJSON = False,
    figure: FigureFile = None,
    axis: Axis = None,
    server: Server = None,
) -> None:
    """Measure rate and relevance of any encoder, from arrays in a file."""
    check_files(axis, figure=figure)
    if figure and sweep is None:
        raise ParetoIBError("--figure: should be given with --sweep, whose front it shows")
    from paretoib.data import read_npz
    from paretoib.evaluation import measure as measure_arrays

    arrays: dict[str, Any] = read_npz(file, ARRAYS)
    measurement = measure_arrays(
        **arrays,
        decoder=decoder,
        folds=folds,
        seed=seed,
        label_entropy_bits=label_entropy_bits,
        ceiling_bits=ceiling_bits,
    )
    front, place = None, None
    if sweep is not None:
        from paretoib.fronts import front_image
        from paretoib.fronts import place as place_of

        backend = connect(server)
        front = backend.front(find_sweep(backend, sweep))
        place = found = place_of(front, measurement)
        drawn = front
        write(figure, lambda format: front_image(drawn, format, axis=axis, measured=found))
    if as_json:
        documents = {"measurement": measurement.document, "place": place and place.document}
        _render.print_json({"schema": 1, **documents})
        return
    _print_measurement(str(file), measurement)
    if front and place:
        _print_place(front, place)


def _print_measurement(file: str, measurement: "Measurement") -> None:
    out = _tables.console()
    kind = f"{measurement.classes} classes" if measurement.classes else "a continuous Y"
    out.print(f"{file}: {measurement.examples} examples, {kind}", style="bold")
    number = _tables.number
    rows: Mapping[str, tuple[float | None, float | None]] = {
        "rate bits, at most": (measurement.rate_bits, measurement.rate_se_bits),
        "rate bits, at least": (measurement.rate_lower_bits, measurement.rate_lower_se_bits),
        "relevance bits": (measurement.relevance_bits, measurement.relevance_se_bits),
        "lost bits": (measurement.lost_bits, measurement.relevance_se_bits),
        "H(Y) bits" if measurement.classes else "h(Y) bits": (measurement.label_entropy_bits, None),
        "accuracy": (measurement.accuracy, measurement.accuracy_se),
        "accuracy, sampled": (measurement.accuracy_sampled, measurement.accuracy_se),
    }
    table = _tables.table("", "value", "± s.e.")
    for name, (value, error) in rows.items():
        if value is not None:
            table.add_row(name, number(value, 4), "" if error is None else number(error, 4))
    out.print(table)
    if measurement.rate_saturated:
        out.print(
            "The lower bound on the rate is saturated: it is at most log2 of the "
            f"{measurement.rate_inputs} inputs, {measurement.rate_limit_bits:.2f} bits."
        )
    by = "the given predictions"
    if measurement.folds:
        by = f"decoder `{measurement.decoder}`, fitted in {measurement.folds} folds"
    out.print(f"The relevance is that of {by}. A better decoder may show more.")


def _print_place(front: "Front", place: "FrontPlace") -> None:
    out = _tables.console()
    sweep = front.sweep
    gap = place.hull_gap_bits
    out.print(f"\nBeside {sweep.name} ({sweep.id[:8]}), {front.split} split:", style="bold")
    if gap is None:
        where = "left of its hull, at a lower rate than every trial on it"
    else:
        where = f"{abs(gap):.3f} bits {'above' if gap >= 0 else 'below'} its hull"
    if place.on_front:
        out.print(f"No trial dominates this encoder. It lies {where}.")
        others, verb = place.dominates, "It dominates"
    else:
        out.print(f"It is dominated. It lies {where}.")
        others, verb = place.dominated_by, "It is dominated by"
    if not others:
        return
    out.print(f"{verb} {len(others)} of the trials on the front:")
    points = {point.trial: point for point in front.points}
    table = _tables.table("", "rate", "lost", "accuracy", "seed")
    for trial in others:
        point = points[trial]
        accuracy = "–" if point.accuracy is None else f"{100 * point.accuracy:.1f} %"
        rate, lost = (_tables.number(v, 3) for v in (point.rate_bits, point.lost_bits))
        table.add_row(trial[:12], rate, lost, accuracy, str(point.seed))
    out.print(table)


COMMANDS = (measure,)
