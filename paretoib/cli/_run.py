"""`paretoib sweep`, `submit` and `train`: commands that start a new sweep."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

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
    Set,
    build_spec,
    field_values,
    with_sweep_options,
)

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec


@with_sweep_options
def sweep(spec: "SweepSpec", as_json: AsJSON = False, server: Server = None) -> int:
    """Run a sweep and show its front."""
    backend = connect(server)
    return follow(backend, partial(backend.run, spec), as_json, server)


@with_sweep_options
def submit(spec: "SweepSpec", as_json: AsJSON = False, server: Server = None) -> int:
    """Start a sweep on a service or in the background, print its id and exit."""
    backend = connect(server)
    state = backend.submit(spec)
    _render.submitted(state, backend.page(state), as_json)
    if not as_json:
        _render.message(f"watch:    {command_line(f'watch {state.id[:8]}', server)}")
    return 0


def train(
    method: Method = None,
    dataset: Dataset = None,
    model: Model = None,
    config: Config = None,
    seed: Annotated[int, typer.Option(help="Seed of initial weights, data order and noise.")] = 0,
    epochs: Epochs = None,
    set_: Set = None,
    name: Name = None,
    as_json: AsJSON = False,
) -> int:
    """Train one trial in this process, without Ray."""
    options: dict[str, Any] = {"method": method, "data": dataset, "model": model}
    options |= {"search": "grid", "seeds": [seed], "trials": 0}
    fields = field_values(set_, epochs)
    # The first spec has the default axes. Only its β and its name are used.
    base = build_spec(config, options, fields)
    beta = {"beta": [base.template.get("beta")]} if "beta" in base.weighting.params else {}
    # A prefix, so that this name does not hide a sweep with the default name.
    options |= {"grid": beta, "name": name or f"train-{base.name}"}
    spec = build_spec(config, options, fields)
    from jobs.sweep import train as train_one

    record = train_one(spec)
    if as_json:
        typer.echo(record.to_json(indent=2))
    else:
        _render.record(record)
    return 0 if record.status == "finished" else 1


COMMANDS = (sweep, submit, train)
