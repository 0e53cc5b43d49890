"""`paretoib methods | datasets | models | searches`: what there is; of one all that it has."""

import json
from typing import Annotated

import typer

from paretoib.backends import connect
from paretoib.cli import _render
from paretoib.cli._options import AsJSON, Server, command_line

Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="Show this one, with all its fields.")
]


def methods(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the methods: objective, weighting and search in one."""
    _show("method", name, as_json, server)
    if name and not as_json:
        from paretoib.specs import SweepSpec

        _render.method(SweepSpec.from_document({"method": name}))


def datasets(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the data sets."""
    _show("dataset", name, as_json, server)


def models(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the models."""
    _show("model", name, as_json, server)


def searches(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the searches: how the trials of a sweep are proposed."""
    _show("search", name, as_json, server)


def _show(what: str, name: str | None, as_json: bool, server: str | None) -> None:
    from paretoib.registry import lookup

    kind = "searches" if what == "search" else f"{what}s"
    rows = connect(server).catalogue(kind)
    if name:
        rows = {name: lookup(rows, name, what)}
    if as_json:
        typer.echo(json.dumps({"schema": 1, kind: rows}, ensure_ascii=False, indent=2))
        return
    _render.catalogue(rows, fields=name is not None and what != "method")
    if not name and any(row["fields"] for row in rows.values()):
        _render.message(f"fields:   {command_line(f'{kind} NAME', server)}")


COMMANDS = (methods, datasets, models, searches)
