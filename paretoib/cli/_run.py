"""`paretoib sweep`, `submit` and `train`: what is asked for runs."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from paretoib.cli import _render
from paretoib.cli._fields import settings
from paretoib.cli._follow import shown
from paretoib.cli._options import AsJSON, Server, at, command
from paretoib.cli._sweep_options import (
    Config,
    Dataset,
    Epochs,
    Method,
    Model,
    Name,
    Set,
    assembled,
    with_flags,
)

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec


@with_flags
def sweep(spec: "SweepSpec", as_json: AsJSON = False, server: Server = None) -> int:
    """Run a sweep and show its front."""
    place = at(server)
    return shown(place, partial(place.run, spec), as_json, server)


@with_flags
def submit(spec: "SweepSpec", as_json: AsJSON = False, server: Server = None) -> int:
    """Have a service run a sweep, and return at once."""
    place = at(server)
    info = place.submit(spec)
    _render.submitted(info, place.address(info), as_json)
    if not as_json:
        _render.say(f"watch:    {command(f'watch {info.id[:8]}', server)}")
    return 0


def train(
    method: Method = None,
    dataset: Dataset = None,
    model: Model = None,
    config: Config = None,
    seed: Annotated[int, typer.Option(help="Of weights, data order and noise.")] = 0,
    epochs: Epochs = None,
    set_: Set = None,
    name: Name = None,
    as_json: AsJSON = False,
) -> int:
    """Train one trial in this process, without Ray."""
    flags = {"method": method, "data": dataset, "model": model}
    one = {"search": "grid", "seeds": [seed], "trials": 0}
    base = assembled(config, flags | one, settings(set_, epochs))
    axes = {f: [base.template.get(f)] for f in ("beta",) if f in base.weighting.params}
    # A name of its own, lest it be found instead of the sweep that is called so.
    one |= {"grid": axes, "name": name or f"train-{base.name}"}
    spec = assembled(config, flags | one, settings(set_, epochs))
    from jobs.sweep import train as train_one

    record = train_one(spec)
    if as_json:
        typer.echo(record.to_json(indent=2))
    else:
        _render.record(record)
    return 0 if record.status == "finished" else 1


COMMANDS = (sweep, submit, train)
