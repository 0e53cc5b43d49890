"""`paretoib methods | datasets | models | searches`: what there is, with its hyperparameters."""

import json

import typer

from paretoib.cli import _render
from paretoib.cli._place import AsJSON, Server, at


def methods(as_json: AsJSON = False, server: Server = None) -> None:
    """List the methods: objective, weighting and search in one."""
    _show("methods", as_json, server)


def datasets(as_json: AsJSON = False, server: Server = None) -> None:
    """List the data sets."""
    _show("datasets", as_json, server)


def models(as_json: AsJSON = False, server: Server = None) -> None:
    """List the models."""
    _show("models", as_json, server)


def searches(as_json: AsJSON = False, server: Server = None) -> None:
    """List the searches: how the trials of a sweep are proposed."""
    _show("searches", as_json, server)


def _show(what: str, as_json: bool, server: str | None) -> None:
    rows = at(server).catalogue(what)
    if as_json:
        typer.echo(json.dumps({"schema": 1, what: rows}, ensure_ascii=False, indent=2))
        return
    _render.catalogue(rows)


COMMANDS = (methods, datasets, models, searches)
