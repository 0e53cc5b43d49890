"""`paretoib methods`, `datasets`, `models` and `searches`: print the catalogue, or one entry."""

from typing import Annotated

import typer

from paretoib.backends import connect
from paretoib.cli import _render
from paretoib.cli._options import AsJSON, Server, command_line

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Show only this entry, with all its fields.")
]


def methods(name: Name = None, as_json: AsJSON = False, server: Server = None) -> None:
    """List the methods.

    A method is an objective, a weighting and a search under one name.
    """
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
    """List the searches, which propose the trials of a sweep."""
    _show("search", name, as_json, server)


def _show(noun: str, name: str | None, as_json: bool, server: str | None) -> None:
    from paretoib.registry import lookup

    kind = "searches" if noun == "search" else f"{noun}s"
    entries = connect(server).catalogue(kind)
    if name:
        entries = {name: lookup(entries, name, noun)}
    if as_json:
        _render.print_json({"schema": 1, kind: entries})
        return
    _render.catalogue(entries, fields=name is not None and noun != "method")
    if not name and any(entry["fields"] for entry in entries.values()):
        _render.message(f"fields:   {command_line(f'{kind} NAME', server)}")


COMMANDS = (methods, datasets, models, searches)
