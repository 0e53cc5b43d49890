"""`paretoib sweep`, `submit` and `train`: commands that start training."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from paretoib.backends import connect
from paretoib.cli import _render
from paretoib.cli._follow import follow
from paretoib.cli._options import AsJSON, Server, command_line
from paretoib.cli._sweep_options import (
    Config,
    Dataset,
    Epochs,
    Method,
    Model,
    Name,
    Preset,
    Set,
    build_spec,
    field_values,
    with_sweep_flags,
)

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec


@with_sweep_flags
def sweep(spec: "SweepSpec", as_json: AsJSON = False, server: Server = None) -> int:
    """Run a sweep and show its front."""
    backend = connect(server)
    run = partial(backend.run, spec)
    return follow(backend, run, as_json, server, name=spec.name, starting=backend.starting)


@with_sweep_flags
def submit(spec: "SweepSpec", as_json: AsJSON = False, server: Server = None) -> int:
    """Start a sweep in the background, and print its id.

    With --server the sweep runs on the service, otherwise on this machine.
    """
    backend = connect(server)
    state = backend.submit(spec)
    _render.submitted(state, backend.page(state), as_json)
    if not as_json:
        _render.message(f"watch:    {command_line(f'watch {state.id[:8]}', server)}")
    return 0


def train(
    method: Method = None,
    preset: Preset = None,
    dataset: Dataset = None,
    model: Model = None,
    config: Config = None,
    seed: Annotated[
        int, typer.Option(metavar="SEED", help="Seed of weights, data order and noise.")
    ] = 0,
    epochs: Epochs = None,
    set_: Set = None,
    name: Name = None,
    as_json: AsJSON = False,
) -> int:
    """Train one trial in this process, without Ray."""
    fields = field_values(set_, epochs)
    flags = {
        **{"method": method, "preset": preset, "data": dataset, "model": model},
        **{"search": "grid", "seeds": [seed], "trials": 0},
    }
    base = build_spec(config, flags, fields)
    # Give the grid one axis with one value: a grid without axes would vary β over default values.
    axes = {f: [base.template.get(f)] for f in ("beta",) if f in base.weighting.params}
    # The default name begins with `train-`, so that METHOD-DATASET still finds a sweep.
    flags |= {"grid": axes, "name": name or f"train-{base.name}"}
    spec = build_spec(config, flags, fields)
    from jobs.sweep import train as train_one
    from paretoib.cli._progress import progress
    from paretoib.tracking import log_path

    with progress(spec.name, "loading the data") as shown:
        record = train_one(spec, on_progress=shown.show, log_path=log_path)
    if as_json:
        _render.print_json(record.document)
    else:
        _render.record(record)
    return 0 if record.status == "finished" else 1


COMMANDS = (sweep, submit, train)
